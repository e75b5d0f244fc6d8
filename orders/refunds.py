"""What buyers are to get back of their orders: paid, less what the units left of them cost."""

from collections import defaultdict
from collections.abc import Collection

from django.db.models import Sum

from orders import remainders
from orders.models import OrderLine, Outcome, Payment
from orders.remainders import Remainder


def due(order_ids: Collection[int]) -> dict[int, int]:
    """By order, all its refunds together; below zero where less was paid than charged."""
    back: dict[int, int] = defaultdict(int)
    paid = Payment.objects.filter(order__in=order_ids).values_list("order_id")
    for order_id, amount in paid.annotate(Sum("amount")).order_by():
        back[order_id] += amount
    lines = list(OrderLine.objects.filter(order__in=order_ids))
    settled = _settled(lines)
    for line in lines:
        remainder = settled.get(line.pk) or _unsettled(line)
        back[line.order_id] -= remainder.buyer_paid
    return dict(back)


def _settled(lines: Collection[OrderLine]) -> dict[int, Remainder]:
    """What remains of confirmed lines, by their newest outcome."""
    newest = (
        Outcome.objects.filter(line__in=[line.pk for line in lines])
        .order_by("line_id", "-sequence")
        .distinct("line_id")
    )
    return {
        outcome.line_id: Remainder(
            outcome.quantity,
            outcome.list_amount,
            outcome.seller_discount,
            outcome.platform_discount,
            outcome.partner_discount,
        )
        for outcome in newest
    }


def _unsettled(line: OrderLine) -> Remainder:
    return remainders.remaining(
        line.unit_price,
        line.quantity,
        line.seller_discount,
        line.platform_discount,
        line.partner_discount,
        line.units_left,
    )
