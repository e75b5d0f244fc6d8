"""The market of a rehearsal: one that is the same on every machine and on every day.

Shops, orders and events are made up by settlements.simulation and come in through the doors that
everybody uses; on top of them, units of lines that buyers had confirmed are taken back.
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from marketplace import api_keys, tenancy
from marketplace.models import Marketplace
from orders import events, intake
from orders.events import NewEvent
from orders.models import OrderEvent
from orders.submissions import NewOrder
from settlements import opening, simulating
from settlements.crashes import payday
from settlements.simulation import Story

SLUG = "rehearsal"
SEED = 4
SHOPS = 40
ORDERS_A_DAY = 80
FIRST_ON = date(2026, 3, 31)  # a month begins with the second night, and grades with the third
DAYS_BEFORE = 14
LATER_DAYS = 2  # of orders that a checkout posts while the nights are closed
A_REQUEST = 5
TAKEN_BACK = 0.15  # of the lines that a buyer confirmed
_AT = datetime(2026, 3, 1, tzinfo=UTC)


class StoryRefused(RuntimeError):
    """What was made up is not what the doors accept any more."""


def nights(count: int) -> list[date]:
    """The business days to close."""
    return [FIRST_ON + timedelta(days=n) for n in range(count)]


def clock(count: int) -> datetime:
    """A moment at which just so many nights are due: five in the morning in Seoul."""
    return datetime.combine(nights(count)[-1], time(20), UTC)


def open_market(count: int) -> Marketplace:
    """Open the marketplace, and tell it all that happens before `clock(count)`."""
    market = opening.open_marketplace("open-market", SLUG, first_open_on=FIRST_ON, at=_AT)
    days = [FIRST_ON + timedelta(days=n) for n in range(-DAYS_BEFORE, count)]
    at = clock(count)
    with tenancy.use(market.pk):
        shops = simulating.prepare(
            market,
            seed=SEED,
            shops=SHOPS,
            orders_a_day=ORDERS_A_DAY,
            opened_on=days[0],
            by=None,
            at=_AT,
        )
        payday.name_accounts(_AT)
        stories = [shops.day(on) for on in days]
        told = [event for story in stories for event in story.events]
        told += _taken_back(stories)
        told = [event for event in told if event.occurred_at < at]
        orders = [order for story in stories for order in story.orders]
        for verdict in intake.accept_many(orders, at=at) + events.accept_many(told, at=at):
            if verdict.is_refused:
                raise StoryRefused(f"{verdict.order}: {verdict.code}")
    return market


def key(market: Marketplace, *, at: datetime) -> str:
    """The secret of an API key with which a checkout may post orders, for a day from `at`.

    The web server goes by the real time, which no rehearsal sets.
    """
    with tenancy.use(market.pk):
        made = api_keys.create(
            market,
            name="checkout",
            scopes=["orders:write"],
            expires_at=at + timedelta(days=1),
            by=None,
            at=at,
        )
    return made.secret


def later_orders(market: Marketplace, count: int) -> list[list[dict]]:
    """Orders of the days after the nights, as a checkout posts them: a list for each request."""
    days = [nights(count)[-1] + timedelta(days=n + 1) for n in range(LATER_DAYS)]
    with tenancy.use(market.pk):
        shops = simulating.prepare(
            market,
            seed=SEED,
            shops=SHOPS,
            orders_a_day=ORDERS_A_DAY,
            opened_on=FIRST_ON,
            by=None,
            at=_AT,
        )
    orders = [_posted(order) for on in days for order in shops.day(on).orders]
    return [orders[start : start + A_REQUEST] for start in range(0, len(orders), A_REQUEST)]


def _posted(order: NewOrder) -> dict:
    """An order as the API takes it."""

    def won(amount: int) -> dict:
        return {"amount": amount, "currency": "KRW"}

    return {
        "number": order.number,
        "placed_at": order.placed_at.isoformat(),
        "lines": [
            {
                "number": line.number,
                "seller_code": line.seller_code,
                "category_code": line.category_code,
                "stream": line.stream,
                "delivery_group": line.delivery_group,
                "title": line.title,
                "tax_kind": line.tax_kind,
                "unit_price": won(line.unit_price),
                "quantity": line.quantity,
                "seller_discount": won(line.seller_discount),
                "platform_discount": won(line.platform_discount),
                "partner_discount": won(line.partner_discount),
            }
            for line in order.lines
        ],
        "payments": [
            {
                "sequence": payment.sequence,
                "kind": payment.kind,
                "amount": won(payment.amount),
                "approved_at": payment.approved_at and payment.approved_at.isoformat(),
            }
            for payment in order.payments
        ],
        "cart_discounts": [
            {"funder": each.funder, "amount": won(each.amount), "seller": each.seller}
            for each in order.cart_discounts
        ],
    }


def _taken_back(stories: list[Story]) -> Iterator[NewEvent]:
    """Cancellations of one unit or of all, one to three days after the buyer had confirmed."""
    chance = random.Random(SEED)  # noqa: S311 (a simulation)
    lines = {order.number: order.lines for story in stories for order in story.orders}
    confirmed = (event for story in stories for event in story.events if event.kind == "confirmed")
    for event in confirmed:
        for line in lines[event.order_number]:
            if event.line_number not in (None, line.number) or chance.random() > TAKEN_BACK:
                continue
            yield NewEvent(
                source=event.source,
                source_id=f"{event.source_id}/{line.number}/back",
                kind=OrderEvent.Kind.CANCELLED,
                order_number=event.order_number,
                occurred_at=event.occurred_at + timedelta(days=chance.randint(1, 3)),
                line_number=line.number,
                quantity=chance.choice([1, None]),
            )
