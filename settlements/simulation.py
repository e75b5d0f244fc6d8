"""A believable market, made up: what is ordered on a day, and what becomes of it.

Values in, values out: nothing is stored, and no clock is read. Everything follows from the seed:
a day's orders depend on seed, shops and goods only, and never on the days before it, so the same
call always tells the same story. Chance decides nothing outside of simulations.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from orders import return_shipping
from orders.events import NewEvent
from orders.pricing import CartDiscount
from orders.return_shipping import Terms
from orders.submissions import NewLine, NewOrder, NewPayment, NewReferral
from settlements import simulated_goods, simulated_people
from settlements.simulated_goods import GOODS, IN_APP, Good, Shop

SOURCE: Final = "simulation"
SHIPPING: Final = "shipping"
SHIPPING_COST: Final = 3_000
ADS: Final = "ads"
LIVE: Final = "live"
REPLAY: Final = "replay"
HOST: Final = "host"

FREE_SHIPPING_FROM: Final = 30_000
LONGEST_STORY: Final = timedelta(days=32)  # after that nothing happens to an order any more

# Orders per hour of the day, and per weekday from Monday: evenings and Sundays are busy.
_HOURS: Final = (3, 2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 10, 9, 9, 9, 8, 8, 9, 10, 13, 15, 13, 8)
_WEEKDAYS: Final = (1.05, 1.0, 1.0, 0.95, 0.85, 0.95, 1.2)
_TENDERS: Final = (("card", "easy_pay", "bank_transfer", "virtual_account"), (70, 18, 8, 4))
# Carriers, and how many of a hundred parcels each carries.
_CARRIERS: Final = (("cj", "hanjin", "lotte", "epost"), (55, 20, 15, 10))
_DIGITS: Final = {"cj": 12, "hanjin": 12, "lotte": 12, "epost": 13}


@dataclass(frozen=True, slots=True)
class ClaimStep:
    """A step of a claim on units of a line, in the life of the claim named by `key`."""

    at: datetime
    key: str
    step: str  # request, approve, reject, withdraw, complete
    order_number: str
    line_number: int
    quantity: int
    type: str
    fault: str
    reason: str
    shipping: Terms


@dataclass(frozen=True, slots=True)
class Parcel:
    """How the goods of a shop leave: the event that tells it, and who carries them."""

    event: NewEvent
    carrier: str
    tracking_number: str


@dataclass(slots=True)
class Story:
    """Orders of a day and everything that will happen to them."""

    orders: list[NewOrder] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    claims: list[ClaimStep] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Market:
    """A market with its shops and goods. `streams` and `channels` are those its fees know.

    `hosts` bring sales of shops in live shows, where fees say what they have of it.
    """

    seed: int
    zone: tzinfo
    goods: tuple[Good, ...]
    orders_a_day: int
    channels: frozenset[str]
    streams: frozenset[str]
    hosts: tuple[Shop, ...] = ()

    def day(self, on: date) -> Story:
        """Return the orders of a business day and what becomes of them."""
        chance = random.Random(f"{self.seed}/{on.isoformat()}")  # noqa: S311 (a simulation)
        story = Story()
        busy = self.orders_a_day * _WEEKDAYS[on.weekday()] * chance.uniform(0.85, 1.15)
        moments = sorted(self._moment(on, chance) for _ in range(round(busy)))
        weights = [good.shop.popularity for good in self.goods]
        for number, placed_at in enumerate(moments, 1):
            chosen = _basket(self.goods, weights, chance)
            code = f"S{self.seed}-{on:%y%m%d}-{number:05}"
            _Order(self, code, placed_at, chosen, chance).tell(story)
        if ADS in self.streams:
            self._tell_ads(on, chance, story)
        return story

    def _moment(self, on: date, chance: random.Random) -> datetime:
        [hour] = chance.choices(range(24), _HOURS)
        clock = time(hour, chance.randrange(60), chance.randrange(60))
        return datetime.combine(on, clock, self.zone)

    def _tell_ads(self, on: date, chance: random.Random, story: Story) -> None:
        """Each shop's advertising revenue of the day, as one line that is final at once."""
        at = datetime.combine(on, time(23, 50), self.zone)
        for shop in dict.fromkeys(good.shop for good in self.goods):
            amount = shop.popularity * chance.randint(80, 240) * 10
            number = f"S{self.seed}-{on:%y%m%d}-ADS-{shop.code}"
            line = NewLine(1, shop.code, amount, 1, stream=ADS, title="광고 수익")
            payment = NewPayment(1, "ad_network", amount, approved_at=at)
            story.orders.append(NewOrder(number, SOURCE, at, (line,), (payment,)))
            for kind in ("paid", "delivered", "confirmed"):
                story.events.append(NewEvent(SOURCE, f"{number}/{kind}", kind, number, at))


def market(
    *,
    seed: int,
    zone: tzinfo,
    categories: Sequence[tuple[str, str]],
    shops: int,
    orders_a_day: int,
    channels: Iterable[str] = (),
    streams: Iterable[str] = (),
) -> Market:
    """Make up a market in the given categories (codes and names of the leaves)."""
    streams = frozenset(streams)
    goods = simulated_goods.stock(seed, categories, shops=shops, sells_digital=IN_APP in streams)
    hosts = simulated_people.hosts(seed) if HOST in streams else ()
    return Market(seed, zone, goods, orders_a_day, frozenset(channels), streams, hosts)


def _basket(goods: Sequence[Good], weights: Sequence[int], chance: random.Random) -> list[Good]:
    """One to three goods, mostly of one shop."""
    first = chance.choices(goods, weights)[0]
    chosen = [first]
    for _ in range(chance.choices((0, 1, 2), (70, 21, 9))[0]):
        same = [good for good in goods if good.shop == first.shop and good.stream == first.stream]
        others = goods if chance.random() < 0.25 else same
        good = chance.choice(others)
        if good not in chosen and good.stream == first.stream:
            chosen.append(good)
    return chosen


def _way_back(key: str, line: NewLine, fault: str) -> Terms:
    """How shipping is paid of what comes back; small amounts are not deducted from."""
    chance = random.Random(key)  # noqa: S311 (a simulation)
    if fault == return_shipping.SELLER:
        is_advanced = chance.random() < 0.4
        return Terms(SHIPPING_COST, 0, return_shipping.CHARGED, is_advanced)
    ways = return_shipping.PAID_BY_BUYER
    [way] = chance.choices(ways, (70, 15, 15))
    if way == return_shipping.DEDUCTED and line.unit_price < 4 * SHIPPING_COST:
        way = return_shipping.ENCLOSED
    return Terms(SHIPPING_COST, 0, way)


class _Order:
    """One order being made up, and its life."""

    def __init__(
        self,
        market: Market,
        number: str,
        placed_at: datetime,
        goods: Sequence[Good],
        chance: random.Random,
    ) -> None:
        self.market = market
        self.number = number
        self.placed_at = placed_at
        self.goods = goods
        self.chance = chance
        self.told = 0

    def tell(self, story: Story) -> None:
        chance = self.chance
        lines = [self._line(at, good) for at, good in enumerate(self.goods, 1)]
        discounts = self._cart_discounts(lines)
        shipping = list(self._shipping(lines))
        charged = sum(line.unit_price * line.quantity for line in (*lines, *shipping))
        charged -= sum(line.seller_discount for line in lines)
        charged -= sum(discount.amount for discount in discounts)
        channel = self._channel()
        story.orders.append(
            NewOrder(
                number=self.number,
                source=SOURCE,
                placed_at=self.placed_at,
                lines=(*self._brought(lines, channel), *shipping),
                payments=tuple(self._payments(charged)),
                buyer_reference=f"B{chance.randrange(100_000):05}",
                channel=channel,
                cart_discounts=tuple(discounts),
            )
        )
        if chance.random() < 0.015:  # never paid, and cancelled by the shop two days later
            self._happen(story, "cancelled", self.placed_at + timedelta(days=2))
            return
        paid_at = self.placed_at + timedelta(seconds=chance.randint(5, 600))
        self._happen(story, "paid", paid_at)
        for code in dict.fromkeys(line.seller_code for line in lines):
            self._fulfil(story, [line for line in lines if line.seller_code == code], paid_at)

    def _channel(self) -> str:
        """Where it was ordered: some during a show and some from its recording, if fees know."""
        roll = self.chance.random()
        if roll < 0.3 and LIVE in self.market.channels:
            return LIVE
        if roll >= 0.92 and REPLAY in self.market.channels:
            return REPLAY
        return "app"

    def _brought(self, lines: Sequence[NewLine], channel: str) -> Sequence[NewLine]:
        """The lines of an order; most shows have a host, and some shops show their goods alone."""
        chance = random.Random(f"{self.number}/host")  # noqa: S311 (a simulation)
        if channel != LIVE or not self.market.hosts or chance.random() < 0.3:
            return lines
        referral = NewReferral(chance.choice(self.market.hosts).code, HOST)
        return [replace(line, referral=referral) for line in lines]

    def _line(self, number: int, good: Good) -> NewLine:
        chance = self.chance
        quantity = chance.choices((1, 2, 3, 5), (80, 13, 5, 2))[0] if good.stream == GOODS else 1
        amount = good.unit_price * quantity
        return NewLine(
            number=number,
            seller_code=good.shop.code,
            unit_price=good.unit_price,
            quantity=quantity,
            stream=good.stream,
            sku=good.code,
            title=good.title,
            category_code=good.category_code,
            listing_code=good.code,
            delivery_group=good.shop.code,
            tax_kind=good.tax_kind,
            seller_discount=amount // 100 * 10 if chance.random() < 0.18 else 0,
        )

    def _cart_discounts(self, lines: Sequence[NewLine]) -> list[CartDiscount]:
        """Coupons over the cart: the platform's, a card company's, or a seller's own."""
        left = sum(line.unit_price * line.quantity - line.seller_discount for line in lines)
        roll = self.chance.random()
        if lines[0].stream != GOODS or left < 10_000 or roll >= 0.3:
            return []
        if roll < 0.2:
            return [CartDiscount("platform", min(left // 20 // 100 * 100, 10_000))]
        if roll < 0.25:
            return [CartDiscount("partner", min(left // 10 // 100 * 100, 20_000))]
        own = [line for line in lines if line.seller_code == lines[0].seller_code]
        most = sum(line.unit_price * line.quantity - line.seller_discount for line in own)
        return [CartDiscount("seller", min(1_000, most), lines[0].seller_code)]

    def _shipping(self, lines: Sequence[NewLine]) -> Iterator[NewLine]:
        number = len(lines)
        for code in dict.fromkeys(line.seller_code for line in lines if line.stream == GOODS):
            own = [line for line in lines if line.seller_code == code]
            amount = sum(line.unit_price * line.quantity - line.seller_discount for line in own)
            if amount < FREE_SHIPPING_FROM:
                number += 1
                yield NewLine(
                    number,
                    code,
                    SHIPPING_COST,
                    1,
                    stream=SHIPPING,
                    title="배송비",
                    delivery_group=code,
                )

    def _payments(self, charged: int) -> Iterator[NewPayment]:
        chance = self.chance
        kinds, weights = _TENDERS
        points = 0
        if chance.random() < 0.22:
            points = min(charged, chance.randint(1, 50) * 100)
        kind = chance.choices(kinds, weights)[0]
        tenders = [("points", points), (kind, charged - points)]
        for sequence, (name, amount) in enumerate((t for t in tenders if t[1] or t[0] == kind), 1):
            provider_id = f"{self.number}-{sequence}"
            yield NewPayment(
                sequence, name, amount, provider_id=provider_id, approved_at=self.placed_at
            )

    def _fulfil(self, story: Story, lines: Sequence[NewLine], paid_at: datetime) -> None:
        """What becomes of one seller's lines once they are paid."""
        chance = self.chance
        shop = next(good.shop for good in self.goods if good.shop.code == lines[0].seller_code)
        if lines[0].stream != GOODS:
            at = paid_at + timedelta(seconds=30)
            self._happen(story, "delivered", at, seller=shop.code)
            return
        is_careless = chance.randrange(1_000_000) >= shop.care_ppm
        left = [line for line in lines if not self._cancel(story, line, paid_at, is_careless)]
        if not left:
            return
        acknowledged_at = paid_at + timedelta(hours=chance.uniform(3, 20))
        shipped_at = acknowledged_at + timedelta(hours=chance.uniform(2, 40))
        if is_careless:
            shipped_at += timedelta(days=chance.randint(3, 6))
        delivered_at = shipped_at + timedelta(hours=chance.uniform(18, 60))
        self._happen(story, "acknowledged", acknowledged_at, seller=shop.code)
        self._send(story, shipped_at, shop.code)
        self._happen(story, "delivered", delivered_at, seller=shop.code)
        for line in left:
            confirmed_at = None
            if chance.random() < 0.4:
                confirmed_at = delivered_at + timedelta(hours=chance.uniform(2, 110))
                self._happen(story, "confirmed", confirmed_at, line=line.number)
            if chance.random() < 0.045:
                self._give_back(story, line, max(delivered_at, confirmed_at or delivered_at))

    def _cancel(self, story: Story, line: NewLine, paid_at: datetime, is_careless: bool) -> bool:
        """Cancel a line, or a unit of it, before it is shipped; say whether nothing is left."""
        chance = self.chance
        if is_careless and chance.random() < 0.25:  # sold out
            at = paid_at + timedelta(hours=chance.uniform(20, 40))
            self._happen(story, "cancelled", at, line=line.number, by_seller=True)
            return True
        if chance.random() >= 0.03:
            return False
        at = paid_at + timedelta(hours=chance.uniform(0.2, 2.5))
        is_partial = line.quantity > 1 and chance.random() < 0.6
        quantity = 1 if is_partial else None
        self._happen(story, "cancelled", at, line=line.number, quantity=quantity)
        return not is_partial

    def _give_back(self, story: Story, line: NewLine, after: datetime) -> None:
        """A return: asked for within days, mostly approved, and done when the goods are back."""
        chance = self.chance
        fault = "seller" if chance.random() < 0.3 else "buyer"
        reason = chance.choice(simulated_people.words()["reasons"][fault])
        # One unit: part of the line may have been cancelled.
        key = f"{self.number}/{line.number}/return"
        at = after + timedelta(hours=chance.uniform(5, 60))
        steps = [("request", at)]
        roll = chance.random()
        if roll < 0.06:
            steps.append(("withdraw", at + timedelta(hours=chance.uniform(2, 20))))
        elif roll < 0.14:
            steps.append(("reject", at + timedelta(hours=chance.uniform(10, 40))))
        else:
            # Some shops let their buyers wait.
            waited = chance.uniform(50, 190) if chance.random() < 0.2 else chance.uniform(4, 30)
            approved_at = at + timedelta(hours=waited)
            back_at = approved_at + timedelta(hours=chance.uniform(24, 90))
            steps += [("approve", approved_at), ("complete", back_at)]
        about = (self.number, line.number, 1, "return", fault, reason, _way_back(key, line, fault))
        story.claims += [ClaimStep(when, key, step, *about) for step, when in steps]

    def _send(self, story: Story, at: datetime, shop: str) -> None:
        carriers, weights = _CARRIERS
        [carrier] = self.chance.choices(carriers, weights)
        number = self.chance.randrange(10 ** (_DIGITS[carrier] - 1), 10 ** _DIGITS[carrier])
        story.parcels.append(Parcel(self._event("shipped", at, seller=shop), carrier, str(number)))

    def _happen(self, story: Story, kind: str, at: datetime, **about: Any) -> None:
        story.events.append(self._event(kind, at, **about))

    def _event(
        self,
        kind: str,
        at: datetime,
        *,
        seller: str | None = None,
        line: int | None = None,
        quantity: int | None = None,
        by_seller: bool = False,
    ) -> NewEvent:
        self.told += 1
        return NewEvent(
            source=SOURCE,
            source_id=f"{self.number}/{self.told}",
            kind=kind,
            order_number=self.number,
            occurred_at=at,
            line_number=line,
            seller_code=seller,
            quantity=quantity,
            by_seller=by_seller,
        )
