"""What each payment of an order paid of each of its lines. Reading only.

Payments are split over goods and then shipping as the settlement arithmetic says (section 3). The
shipping of a claim was paid like the rest of its order, or by a payment of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from orders import pricing, return_shipping
from orders.models import Claim, OrderLine, Payment

Key = TypeVar("Key")
Parts = Sequence[tuple[Key, int]]


def of_orders(orders: Collection[int], key: Callable[[Payment], Key]) -> dict[int, Parts]:
    """By line of some orders, what payments paid of it, each by its key.

    Nothing where the payments do not fit the lines.
    """
    lines, payments = defaultdict(list), defaultdict(list)
    for line in OrderLine.objects.filter(order_id__in=orders).order_by("number"):
        lines[line.order_id].append(line)
    for payment in Payment.objects.filter(order_id__in=orders).order_by("sequence"):
        payments[payment.order_id].append(payment)
    found: dict[int, Parts] = {}
    for order_id, rows in lines.items():
        rows.sort(key=lambda line: (line.stream == "shipping", line.number))
        found |= _of_order(rows, payments[order_id], key)
    return found


def _of_order(
    rows: list[OrderLine], payments: list[Payment], key: Callable[[Payment], Key]
) -> dict[int, Parts]:
    """What was paid with the order. What claims charge was paid like it, or by itself."""
    later = [line for line in rows if line.stream == return_shipping.STREAM]
    if later:
        rows = [line for line in rows if line.stream != return_shipping.STREAM]
        own = [each for each in payments if each.kind == return_shipping.STREAM]
        payments = [each for each in payments if each.kind != return_shipping.STREAM]
        of_order = [(key(each), each.amount) for each in payments]
        direct = Claim.objects.filter(
            shipping_line__in=later, shipping_paid=return_shipping.DIRECT
        ).values_list("shipping_line", flat=True)
        by_itself = set(direct)
        return _of_order(rows, payments, key) | {
            line.pk: [(key(own[0]), line.list_amount)] if line.pk in by_itself and own else of_order
            for line in later
        }
    paid = [
        line.list_amount - line.seller_discount - line.platform_discount - line.partner_discount
        for line in rows
    ]
    try:
        parts = pricing.tender_parts([payment.amount for payment in payments], paid)
    except pricing.TendersDoNotMatch:
        parts = ()
    keys = [key(each) for each in payments]
    return {
        line.pk: [(keys[at], part[n]) for at, part in enumerate(parts)]
        for n, line in enumerate(rows)
    }
