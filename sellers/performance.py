"""The daily figures of sellers: written by the floors above, summed for grading.

A day's figures are told whole: telling them again changes nothing, telling others replaces them.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import date

from django.db import connection

from marketplace import tenancy
from sellers.grading import FIGURES, Figures, Window
from sellers.models import PerformanceDay


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """What a seller did on one business day; the fields are those of the stored row."""

    seller_id: int
    orders_paid: int = 0
    orders_confirmed: int = 0
    units_confirmed: int = 0
    sales_confirmed: int = 0
    cancelled_by_seller: int = 0
    cancelled_other: int = 0
    units_returned: int = 0
    sales_returned: int = 0
    shipped: int = 0
    shipped_late: int = 0


def record_days(rows: Iterable[DayFigures], *, on: date) -> int:
    """Store the figures of a business day, one row per seller; returns how many rows changed.

    One statement for any number of sellers. Sellers who are not told keep what they have.
    """
    columns = list(zip(*(astuple(row) for row in rows), strict=True))
    if not columns:
        return 0
    # Only names of tables and columns go into the text of the statement.
    table = PerformanceDay._meta.db_table
    names = ", ".join(FIGURES)
    told = ", ".join(f"EXCLUDED.{name}" for name in FIGURES)
    known = ", ".join(f"old.{name}" for name in FIGURES)
    with connection.cursor() as cursor:
        # The ORDER BY lets two writers of the same day wait for each other, not deadlock.
        cursor.execute(
            f'INSERT INTO {table} AS old (marketplace_id, "on", seller_id, {names}) '  # noqa: S608
            f"SELECT %s, %s, * FROM unnest({', '.join(['%s::bigint[]'] * len(columns))}) "
            f"AS told(seller_id, {names}) ORDER BY seller_id "
            f'ON CONFLICT (marketplace_id, seller_id, "on") DO UPDATE SET ({names}) = ROW({told}) '
            f"WHERE ({known}) IS DISTINCT FROM ({told})",
            [tenancy.current_id(), on, *(list(column) for column in columns)],
        )
        return cursor.rowcount


def windows(
    on: date, wanted: Iterable[Window], *, seller_range: tuple[int, int] | None = None
) -> dict[int, Figures]:
    """Sum the figures of all sellers at once, over each window that ends with `on`.

    One query, whatever the number of sellers and windows; sellers without figures are left out.
    `seller_range` is a half-open range of ids.
    """
    wanted = list(dict.fromkeys(wanted))
    if not wanted:
        return {}
    sums = [f'sum({name}) FILTER (WHERE "on" >= %s)' for _ in wanted for name in FIGURES]
    parameters: list = [window.first_on(on) for window in wanted for _ in FIGURES]
    where = 'marketplace_id = %s AND "on" >= %s AND "on" <= %s'
    parameters += [tenancy.current_id(), min(window.first_on(on) for window in wanted), on]
    if seller_range is not None:
        where += " AND seller_id >= %s AND seller_id < %s"
        parameters += seller_range
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT seller_id, {', '.join(sums)} FROM {PerformanceDay._meta.db_table} "  # noqa: S608
            f"WHERE {where} GROUP BY seller_id",
            parameters,
        )
        return {seller_id: _figures(wanted, sums) for seller_id, *sums in cursor}


def _figures(wanted: list[Window], sums: list) -> Figures:
    width = len(FIGURES)
    return {
        window: {
            name: int(value or 0)
            for name, value in zip(FIGURES, sums[at * width : (at + 1) * width], strict=True)
        }
        for at, window in enumerate(wanted)
    }
