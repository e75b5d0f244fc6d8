"""The daily figures of sellers, computed from what happened to their lines.

Written downward with sellers.performance. A late event changes days that are written already, so
whatever happens notes its days in a queue, and the night computes those days anew, whole. Goods
and other revenue count; shipping does not.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from django.db import connection, transaction

from marketplace import tenancy
from orders import confirmation_days
from orders.models import OrderLine
from sellers import performance
from sellers.grading import FIGURES
from sellers.performance import DayFigures

_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('orders.performance', %(marketplace)s))"
_TAKE = """
DELETE FROM orders_performancetouch
WHERE marketplace_id = %(marketplace)s AND "on" <= %(on)s RETURNING seller_id, "on"
"""

# Units come back by return claims, before or after confirmation, and by whatever else is taken
# from a confirmed line. Sales come back only where there was a sale.
_FIGURES = """
WITH day AS (
    SELECT seller_id,
           count(*) FILTER (WHERE paid_on = %(on)s) AS orders_paid,
           0 AS orders_confirmed, 0 AS units_confirmed, 0 AS sales_confirmed,
           count(*) FILTER (WHERE cancelled_on = %(on)s AND cancelled_by_seller) AS by_seller,
           count(*) FILTER (WHERE cancelled_on = %(on)s AND NOT cancelled_by_seller) AS otherwise,
           0 AS units_returned, 0 AS sales_returned,
           count(*) FILTER (WHERE shipped_on = %(on)s) AS shipped,
           count(*) FILTER (WHERE shipped_on = %(on)s AND paid_on = ANY(%(late)s)) AS shipped_late
    FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND stream NOT IN ('shipping', 'return_shipping')
      AND (paid_on = %(on)s OR shipped_on = %(on)s OR cancelled_on = %(on)s)
    GROUP BY seller_id
  UNION ALL
    SELECT o.seller_id, 0, count(*), sum(o.quantity), sum(o.list_amount - o.seller_discount),
           0, 0, 0, 0, 0, 0
    FROM orders_outcome o
    JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
    WHERE o.marketplace_id = %(marketplace)s AND o.basis_on = %(on)s AND o.sequence = 0
      AND l.stream NOT IN ('shipping', 'return_shipping')
    GROUP BY o.seller_id
  UNION ALL
    SELECT o.seller_id, 0, 0, 0, 0, 0, 0,
           coalesce(sum(b.quantity - o.quantity) FILTER (WHERE o.cause <> 'return'), 0),
           sum(b.list_amount - b.seller_discount - o.list_amount + o.seller_discount),
           0, 0
    FROM orders_outcome o
    JOIN orders_outcome b ON b.marketplace_id = %(marketplace)s AND b.line_id = o.line_id
     AND b.sequence = o.sequence - 1
    JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
    WHERE o.marketplace_id = %(marketplace)s AND o.basis_on = %(on)s AND o.sequence > 0
      AND l.stream NOT IN ('shipping', 'return_shipping')
    GROUP BY o.seller_id
  UNION ALL
    SELECT seller_id, 0, 0, 0, 0, 0, 0, sum(quantity), 0, 0, 0
    FROM orders_claim
    WHERE marketplace_id = %(marketplace)s AND completed_on = %(on)s AND type = 'return'
    GROUP BY seller_id
)
SELECT seller_id, sum(orders_paid), sum(orders_confirmed), sum(units_confirmed),
       sum(sales_confirmed), sum(by_seller), sum(otherwise), sum(units_returned),
       sum(sales_returned), sum(shipped), sum(shipped_late)
FROM day WHERE %(sellers)s::bigint[] IS NULL OR seller_id = ANY(%(sellers)s::bigint[])
GROUP BY seller_id ORDER BY seller_id
"""


def figures(on: date, sellers: Collection[int] | None = None) -> list[DayFigures]:
    """What sellers did on a business day, those who did anything; of some sellers if named."""
    parameters = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "late": _late_if_paid_on(on),
        "sellers": None if sellers is None else list(sellers),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, parameters)
        return [_day(*row) for row in cursor]


@transaction.atomic
def record_days(on: date) -> list[date]:
    """Write anew every day up to `on` that something has changed; returns those days.

    One at a time per marketplace: the slower of two would write older figures over newer ones.
    """
    touched = defaultdict(set)
    parameters = {"marketplace": tenancy.current_id(), "on": on}
    with connection.cursor() as cursor:
        cursor.execute(_ALONE, parameters)
        cursor.execute(_TAKE, parameters)
        for seller_id, day in cursor:
            touched[day].add(seller_id)
    for day, sellers in sorted(touched.items()):
        found = {row.seller_id: row for row in figures(day, sellers)}
        rows = [found.get(seller) or DayFigures(seller_id=seller) for seller in sorted(sellers)]
        performance.record_days(rows, on=day)
    return sorted(touched)


def _late_if_paid_on(on: date) -> list[date]:
    """The days of payment whose time for shipping was over when a line was shipped on `on`."""
    shipped = OrderLine.objects.filter(shipped_on=on, paid_on__isnull=False)
    days = confirmation_days.DueDays()
    late = []
    for paid_on in shipped.order_by("paid_on").values_list("paid_on", flat=True).distinct():
        ship_by = days.ship_by(paid_on)
        if ship_by is not None and ship_by < on:
            late.append(paid_on)
    return late


def _day(seller_id: int, *values) -> DayFigures:
    told = zip(FIGURES, map(int, values), strict=True)
    return DayFigures(seller_id=seller_id, **dict(told))
