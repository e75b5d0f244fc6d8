"""The shipping of what comes back: agreed with a claim, booked when the claim is completed.

What the buyer pays of it to the marketplace becomes an order line of its own stream, sold on the
day the claim is completed, so that settlement charges, explains and reverses it like any other
line. The caller holds the transaction and has locked the order's lines.
"""

from collections.abc import Mapping
from datetime import date, datetime
from itertools import count
from typing import Final

from django.db.models import Max

from marketplace.refusals import Refused, gettext_noop
from orders import applying, folding, outcomes, remainders, return_shipping, verdicts
from orders.models import Claim, OrderLine, Payment
from orders.return_shipping import Terms

CAUSE: Final = "return_shipping"
GIVEN_BACK: Final = "shipping_given_back"
_SENT: Final = (
    OrderLine.Status.SHIPPED,
    OrderLine.Status.DELIVERED,
    OrderLine.Status.CONFIRMED,
)
_COLUMNS: Final = {  # of a claim, by what the terms call them
    "return_cost": "return_cost",
    "outbound_cost": "outbound_cost",
    "paid": "shipping_paid",
    "is_advanced": "is_shipping_advanced",
}


class NothingSent(Refused):
    code = "nothing_sent"
    message = gettext_noop(
        "Line %(line)s has not been shipped, so nothing has to come back. Leave shipping out."
    )


class OutboundWasPaid(Refused):
    code = "outbound_shipping_was_paid"
    message = gettext_noop(
        "The buyer has paid %(paid)s for shipping already; it is charged afterwards only where it"
        " had been free. Leave it at 0."
    )


class MoreThanRefund(Refused):
    code = "return_shipping_exceeds_refund"
    message = gettext_noop(
        "%(cost)s cannot be deducted: the buyer gets back only %(refund)s. Lower it, or let the"
        " buyer pay directly."
    )


def check(
    line: OrderLine, quantity: int, fault: str, terms: Terms, *, is_exchange: bool = False
) -> None:
    """Refuse terms that a claim on some units of a line cannot have.

    Raises NothingSent, OutboundWasPaid, MoreThanRefund, and what return_shipping.check() does.
    """
    if terms == return_shipping.NONE:
        return
    return_shipping.check(terms, fault, is_exchange=is_exchange)
    if line.status not in _SENT:
        raise NothingSent(line=line.number, field="return_cost")
    if terms.outbound_cost and not is_exchange and (paid := _outbound_paid(line)):
        raise OutboundWasPaid(paid=f"{paid:,}", field="outbound_cost")
    deducted = return_shipping.effect(terms, fault).deducted
    if deducted and deducted > (refund := _refund(line, quantity)):
        raise MoreThanRefund(cost=f"{deducted:,}", refund=f"{refund:,}", field="return_cost")


def columns(terms: Terms) -> dict[str, object]:
    """The values of a claim's columns by which it keeps its terms."""
    return {column: getattr(terms, name) for name, column in _COLUMNS.items()}


def changed(claim: Claim, terms: Terms) -> dict[str, object]:
    """The columns of a claim that these terms change, with their new values."""
    return {name: new for name, new in columns(terms).items() if new != getattr(claim, name)}


def amended(claim: Claim, given: Mapping[str, object]) -> Terms:
    """The terms of a claim with those that were given anew; None leaves one as it is."""
    kept = {name: getattr(claim, column) for name, column in _COLUMNS.items()}
    return Terms(**kept | {name: value for name, value in given.items() if value is not None})


def outbound_back(claim: Claim, line: OrderLine, *, at: datetime, on: date) -> list[folding.Event]:
    """What gives the buyer shipping back that the seller has to bear, once nothing is left."""
    if not claim.shipping_effect.gives_outbound_back:
        return []
    group = _group(line)
    goods = group.exclude(stream__in=folding.NOT_GOODS).exclude(pk=line.pk)
    if claim.quantity < line.units_left or goods.filter(units_left__gt=0).exists():
        return []
    return [
        folding.Event(
            kind=folding.CANCELLED,
            at=at,
            on=on,
            line=shipping.number,
            by_seller=claim.fault == Claim.Fault.SELLER,
            cause=GIVEN_BACK,
        )
        for shipping in group.filter(stream=folding.SHIPPING, units_left__gt=0)
    ]


def charge(claim: Claim, line: OrderLine, *, at: datetime, on: date) -> OrderLine | None:
    """Sell the return shipping that the buyer pays to the marketplace; None where there is none.

    Paid directly it is a payment of the order, too: it is not taken from the refund.
    """
    effect = claim.shipping_effect
    if not effect.to_seller:
        return None
    sold = OrderLine.objects.create(
        order_id=line.order_id,
        number=_free_number(line),
        seller_id=line.seller_id,
        stream=return_shipping.STREAM,
        channel=line.channel,
        seller_type=line.seller_type,
        delivery_group=line.delivery_group,
        tax_kind=line.tax_kind,  # what belongs to a supply is taxed like it (VAT Act 14)
        unit_price=effect.to_seller,
        quantity=1,
        list_amount=effect.to_seller,
        status=OrderLine.Status.CONFIRMED,
        units_left=1,
        paid_on=on,
        confirmed_on=on,
    )
    if effect.paid_directly:
        _receive(sold, effect.paid_directly, at)
    told = folding.Line(
        sold.pk, sold.number, sold.seller_id, sold.stream, sold.delivery_group, 1, 1
    )
    outcomes.record([folding.Sale(told, 1, on, on, CAUSE)], [])
    Claim.objects.filter(pk=claim.pk).update(shipping_line=sold)
    claim.shipping_line = sold
    applying.touch([(sold.seller_id, on)])
    return sold


def _free_number(line: OrderLine) -> int:
    """The number after the order's last line; where there is none, the first that is free."""
    taken = set(OrderLine.objects.filter(order=line.order_id).values_list("number", flat=True))
    if (after := max(taken) + 1) <= verdicts.LARGEST_NUMBER:
        return after
    return next(number for number in count(1) if number not in taken)


def _receive(line: OrderLine, amount: int, at: datetime) -> None:
    last = Payment.objects.filter(order=line.order_id).aggregate(last=Max("sequence"))["last"]
    Payment.objects.create(
        order_id=line.order_id,
        sequence=(last or 0) + 1,
        kind=return_shipping.STREAM,
        amount=amount,
        approved_at=at,
    )


def _group(line: OrderLine):
    """The lines that were sent together with one."""
    return OrderLine.objects.filter(
        order_id=line.order_id, seller_id=line.seller_id, delivery_group=line.delivery_group
    )


def _outbound_paid(line: OrderLine) -> int:
    """What the buyer has paid for shipping that was not given back."""
    return sum(
        shipping.list_amount
        - shipping.seller_discount
        - shipping.platform_discount
        - shipping.partner_discount
        for shipping in _group(line).filter(stream=folding.SHIPPING, units_left__gt=0)
    )


def _refund(line: OrderLine, quantity: int) -> int:
    """What the buyer gets back for some of the units that are left."""
    quantity = min(quantity, line.units_left)
    if settled := outcomes.after_taking_back(line.pk, quantity):
        _, before, after = settled
    else:
        figures = (line.unit_price, line.quantity, line.seller_discount)
        figures += (line.platform_discount, line.partner_discount)
        before = remainders.remaining(*figures, line.units_left)
        after = remainders.remaining(*figures, line.units_left - quantity)
    return before.buyer_paid - after.buyer_paid
