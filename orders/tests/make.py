"""The cast of the orders' tests: one marketplace, its people, its sellers, and what they sell.

Everybody is here four times: the operator, the seller, the seller's staff, and a stranger, who
runs another marketplace.
"""

from datetime import UTC, date, datetime, timedelta

from listings.models import Category, Listing
from marketplace import calendar_days, tenancy, versions
from marketplace.models import Marketplace
from marketplace.tests.make import marketplace, user
from orders import events, intake
from orders.intake import NewLine, NewOrder, NewPayment
from orders.models import ConfirmationPolicy, OrderLine
from sellers.models import Seller

__all__ = ["marketplace", "user"]

MONDAY = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # noon in Seoul
NIGHT = datetime(2026, 3, 31, 17, 0, tzinfo=UTC)


def day(number: int) -> datetime:
    """Noon in Seoul, so many days after that Monday."""
    return MONDAY + timedelta(days=number)


def on(number: int) -> date:
    return date(2026, 3, 2) + timedelta(days=number)


def seller(code="hanok", *, name="", seller_type="sole_proprietor", **fields) -> Seller:
    return Seller.objects.create(
        code=code,
        name=name or code.title(),
        seller_type=seller_type,
        state=Seller.State.ACTIVE,
        joined_on=date(2026, 1, 1),
        **fields,
    )


def opened() -> Marketplace:
    """A marketplace with a calendar, a rule for confirming, and a seller."""
    own = marketplace()
    with tenancy.use(own.pk):
        calendar()
        policy()
        seller()
    return own


def category(code="tea", **fields) -> Category:
    return Category.objects.create(code=code, name=code.title(), **fields)


def listing(seller: Seller, code="green-tea", **fields) -> Listing:
    return Listing.objects.create(seller=seller, code=code, **fields)


def calendar(first=date(2026, 1, 1), last=date(2026, 12, 31), **words):
    draft = calendar_days.draft("KR", first, last, valid_from=first, by=None, **words)
    return calendar_days.publish(draft, by=None, at=MONDAY)


def policy(*, valid_from=date(2026, 1, 1), **fields) -> ConfirmationPolicy:
    fields = {"confirm_after_days": 8, "withdrawal_days": 7, "ship_within_days": 3, **fields}
    draft = versions.draft(ConfirmationPolicy, valid_from=valid_from, by=None, **fields)
    return versions.publish(draft, by=None, at=MONDAY)


def line(number=1, seller_code="hanok", unit_price=10_000, quantity=1, **fields) -> NewLine:
    return NewLine(
        number=number,
        seller_code=seller_code,
        unit_price=unit_price,
        quantity=quantity,
        **fields,
    )


def shipping(number=9, seller_code="hanok", unit_price=3_000, **fields) -> NewLine:
    return line(number, seller_code, unit_price, stream="shipping", **fields)


def order(number="A-1", lines=None, *, paid=None, placed_at=MONDAY, **fields) -> NewOrder:
    """An order whose payment matches unless `paid` says otherwise."""
    lines = [line()] if lines is None else lines
    if paid is None:
        paid = sum(
            line.unit_price * line.quantity
            - line.seller_discount
            - line.platform_discount
            - line.partner_discount
            for line in lines
        ) - sum(discount.amount for discount in fields.get("cart_discounts", ()))
    fields.setdefault("payments", (NewPayment(1, "card", paid),))
    return NewOrder(number=number, source="shop", placed_at=placed_at, lines=tuple(lines), **fields)


def accepted(*orders: NewOrder, at=NIGHT) -> list[OrderLine]:
    """Accept orders; their lines, by order as given and line number."""
    verdicts = intake.accept_many(orders or [order()], at=at)
    assert {verdict.result for verdict in verdicts} == {"accepted"}, verdicts
    keys = {verdict.order: n for n, verdict in enumerate(verdicts)}
    lines = OrderLine.objects.filter(order__number__in=list(keys)).select_related("order")
    return sorted(lines, key=lambda line: (keys[line.order.number], line.number))


def event(kind, number=0, line=None, *, order="A-1", source_id=None, **fields) -> events.NewEvent:
    """Something that happened on a day, told by the shop."""
    return events.NewEvent(
        source="shop",
        source_id=source_id or f"{order}/{line}/{kind}/{number}",
        kind=kind,
        order_number=order,
        occurred_at=fields.pop("occurred_at", day(number)),
        line_number=line,
        **fields,
    )


def told(*given: events.NewEvent, at=NIGHT):
    """Let events be accepted; returns the verdicts."""
    return events.accept_many(given, at=at)


def delivered(*lines, number="A-1", at=NIGHT) -> list[OrderLine]:
    """An order that was paid on day 0, shipped on day 1 and delivered on day 2."""
    found = accepted(order(number, list(lines) or None), at=at)
    told(
        event("paid", 0, order=number),
        event("shipped", 1, order=number),
        event("delivered", 2, order=number),
        at=at,
    )
    for line in found:
        line.refresh_from_db()
    return found
