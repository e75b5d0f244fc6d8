"""Orders and their events may arrive at the same instant, in two transactions.

Neither would see the other, and the event would act on nothing for ever. So whoever brings an
order waits for those who bring its events, and the other way round; events do not wait for each
other. Orders are told apart by a few buckets only: locks are scarce, numbers are many.
"""

import zlib
from collections.abc import Iterable

from django.db import connection

from marketplace import tenancy

BUCKETS = 64


def bring_orders(numbers: Iterable[str]) -> None:
    """Keep events of these orders, and the orders themselves, out until the transaction ends."""
    _lock("pg_advisory_xact_lock", numbers)


def bring_events(numbers: Iterable[str]) -> None:
    """Keep these orders, but not other events, out until the transaction ends."""
    _lock("pg_advisory_xact_lock_shared", numbers)


def _lock(function: str, numbers: Iterable[str]) -> None:
    buckets = sorted({zlib.crc32(number.encode()) % BUCKETS for number in numbers})
    if not buckets:
        return
    # In one order for everybody, so that nobody waits in a circle.
    sql = (
        f"SELECT {function}(hashtextextended('orders.arrivals ' || bucket, %s))"  # noqa: S608
        " FROM unnest(%s::int[]) AS bucket"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [tenancy.current_id(), buckets])
