"""An order with everything that happened to it, in a constant number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from orders import return_shipping
from orders.models import (
    Claim,
    Order,
    OrderEvent,
    OrderLine,
    Outcome,
    Payment,
    Referral,
    Shipment,
    ShipmentLine,
)

MOST: Final = 200  # of each kind on one page; an order of an importer may have thousands


@dataclass(frozen=True, slots=True)
class Story:
    """Amounts in minor units. `charged` is what the lines cost the buyer when they were sold.

    Each line has its `referral`, where somebody brought its sale.
    """

    lines: list[OrderLine]
    payments: list[Payment]
    events: list[OrderEvent]
    shipments: list[Shipment]
    claims: list[Claim]
    outcomes: list[Outcome]
    charged: int
    paid: int

    @property
    def difference(self) -> int:
        return self.paid - self.charged

    @property
    def is_cut(self) -> bool:
        """Whether something has more rows than a page shows."""
        parts = (self.lines, self.payments, self.events, self.claims, self.outcomes)
        return any(len(part) >= MOST for part in parts)


def of(order: Order) -> Story:
    """Everything about an order, each part in the order in which it happened."""
    lines = list(order.lines.select_related("seller", "listing").order_by("number")[:MOST])
    payments = list(order.payments.order_by("sequence")[:MOST])
    keys = [line.pk for line in lines]
    referrals = Referral.objects.filter(line__in=keys).select_related("seller")
    brought = {referral.line_id: referral for referral in referrals}
    for line in lines:
        line.referral = brought.get(line.pk)
    events = OrderEvent.objects.filter(order_number=order.number)
    claims = Claim.objects.filter(line__in=keys).select_related("line", "seller")
    outcomes = Outcome.objects.filter(line__in=keys).select_related("line")
    return Story(
        lines=lines,
        payments=payments,
        events=list(events.order_by("occurred_at", "pk")[:MOST]),
        shipments=_shipments(order),
        claims=list(claims.order_by("requested_at", "pk")[:MOST]),
        outcomes=list(outcomes.order_by("basis_on", "pk")[:MOST]),
        charged=charged(lines),
        paid=sum(payment.amount for payment in payments if payment.kind != return_shipping.STREAM),
    )


def charged(lines: Iterable[OrderLine]) -> int:
    """What an order cost its buyer as it was placed; what a claim charges comes later."""
    return sum(paid_by_buyer(line) for line in lines if line.stream != return_shipping.STREAM)


def paid_by_buyer(line: OrderLine) -> int:
    """What a line cost the buyer when it was sold, before anything was undone."""
    discounts = line.seller_discount + line.platform_discount + line.partner_discount
    return line.list_amount - discounts


def _shipments(order: Order) -> list[Shipment]:
    shipments = list(
        order.shipments.select_related("seller", "shipped_by").order_by("shipped_at", "pk")[:MOST]
    )
    parts: dict[int, list[ShipmentLine]] = {shipment.pk: [] for shipment in shipments}
    rows = ShipmentLine.objects.filter(shipment__in=list(parts)).select_related("line")
    for part in rows.order_by("line__number"):
        parts[part.shipment_id].append(part)
    for shipment in shipments:
        shipment.parts = parts[shipment.pk]
    return shipments
