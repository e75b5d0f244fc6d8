"""Outcomes that were never settled though nothing waits, and lines on no statement of their seller.

Bulk tables have no foreign keys, so each night looks for orphans: at every outcome that was
recorded since the check of the night before last, so twice at each, whatever its basis date is.
What it reads is what two nights brought, however much is settled already. Two nights, because a
transaction may commit after a later one with higher ids has. Whatever vanishes after that shows
when its statement closes, and in `verify`.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.db.models import Max

from marketplace import tenancy
from orders.models import Outcome
from settlements.models import DayClose

_NIGHTS = timedelta(days=2)

_ORPHANS = """
SELECT o.line_id, l.statement_id IS NULL
FROM orders_outcome o
LEFT JOIN orders_outcometosettle q ON q.marketplace_id = %(marketplace)s
     AND q.seller_id = o.seller_id AND q.outcome_id = o.id
LEFT JOIN LATERAL (
    SELECT statement_id, seller_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = o.line_id
      AND sequence = o.sequence AND basis_on = o.basis_on
    LIMIT 1
) l ON true
LEFT JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s
     AND s.id = l.statement_id AND s.seller_id = l.seller_id
WHERE o.marketplace_id = %(marketplace)s AND o.id > %(after)s
  AND CASE WHEN l.statement_id IS NULL THEN q.id IS NULL ELSE s.id IS NULL END
ORDER BY o.id
"""

# The one before the first of some days, or the last of all where they brought none. "+ 0" keeps the
# planner from walking the index of ids through all of the past.
_BEFORE_DAYS = """
SELECT coalesce(
    (SELECT min(id + 0) - 1 FROM orders_outcome
     WHERE marketplace_id = %(marketplace)s AND basis_on >= %(since)s),
    (SELECT max(id) FROM orders_outcome WHERE marketplace_id = %(marketplace)s),
    0
)
"""


@dataclass(frozen=True, slots=True)
class Orphans:
    """Ids of order lines whose outcome has no settlement line, or whose line no statement."""

    unsettled: list[int]
    without_statement: list[int]


def find(on: date) -> Orphans:
    """What is lost of the outcomes that the nights up to `on` brought in."""
    parameters = {"marketplace": tenancy.current_id(), "after": _looked_at_before(on)}
    with connection.cursor() as cursor:
        cursor.execute(_ORPHANS, parameters)
        rows = cursor.fetchall()
    return Orphans(
        unsettled=[line_id for line_id, is_unsettled in rows if is_unsettled],
        without_statement=[line_id for line_id, is_unsettled in rows if not is_unsettled],
    )


def remember(on: date) -> None:
    """Note up to where the night of `on` has looked; its day has been begun."""
    highest = Outcome.objects.aggregate(highest=Max("pk"))["highest"] or 0
    DayClose.objects.filter(day=on).update(outcomes_to=highest)


def _looked_at_before(on: date) -> int:
    """The outcome after which the night of `on` looks; by basis dates where no night has noted."""
    noted = DayClose.objects.filter(day__lte=on - _NIGHTS, outcomes_to__isnull=False)
    mark = noted.order_by("-day").values_list("outcomes_to", flat=True).first()
    if mark is not None:
        return mark
    parameters = {"marketplace": tenancy.current_id(), "since": on - _NIGHTS}
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE_DAYS, parameters)
        return cursor.fetchone()[0]
