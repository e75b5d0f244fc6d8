"""Play a made-up market into a marketplace, day by day, through the doors everybody uses.

What happens is made up in settlements.simulation; here orders are accepted, events told and
claims worked at the moments of the story. No night is run: that is the marketplace's own work.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction

from listings import catalogue
from listings.catalogue import ListingRow
from listings.models import Category
from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import claims, events, intake, shipping
from orders.models import Claim, Order, OrderLine
from orders.verdicts import Verdict
from sellers import registering
from sellers.models import Seller
from sellers.registering import ProfileRow, SellerRow
from settlements import rate_cards, simulated_people, simulation
from settlements.simulated_goods import Shop
from settlements.simulation import LONGEST_STORY, ClaimStep, Market, Parcel, Story

_DAY = timedelta(days=1)


class NothingToSimulate(Refused):
    code = "nothing_to_simulate"
    message = gettext_noop("There is no day to simulate: %(first)s lies behind %(last)s.")


class NoCategories(Refused):
    code = "no_categories"
    message = gettext_noop("The marketplace has no categories to sell in.")


class StoryRefused(Refused):
    code = "story_refused"
    message = gettext_noop("A simulated order or event was refused: %(order)s: %(why)s")


@dataclass(frozen=True, slots=True)
class Played:
    """What a day came to."""

    on: date
    orders: int
    events: int
    claims: int


def run(
    slug: str,
    *,
    days: int,
    seed: int,
    orders_a_day: int,
    shops: int,
    tracked_days: int = 0,
    at: datetime,
) -> Iterator[tuple[Played, int]]:
    """Make up the last `days` of a marketplace; yields what each came to, and how many there are.

    Each day is a transaction of its own, so that much history is no single one. In the last
    `tracked_days` of them goods leave in parcels with numbers, as shops send them one by one.
    """
    with tenancy.use(code=slug) as marketplace:
        wanted = days_to_play(marketplace, days, at=at)
        market = prepare(
            marketplace,
            seed=seed,
            shops=shops,
            orders_a_day=orders_a_day,
            opened_on=wanted[0],
            by=None,
            at=at - timedelta(days=days),
        )
    tracked_from = wanted[-1] - (tracked_days - 1) * _DAY
    story = play(market, wanted, tracked_from=tracked_from, by=None)
    for _ in wanted:
        with tenancy.use(code=slug):
            played = next(story)
        yield played, len(wanted)


def days_to_play(marketplace: Marketplace, days: int, *, at: datetime) -> list[date]:
    """The last `days` whole days before `at`, as far as the marketplace is open and not closed."""
    last = at.astimezone(marketplace.tz).date() - _DAY
    first = max(last - (days - 1) * _DAY, marketplace.first_open_on)
    if marketplace.last_closed_on is not None:
        first = max(first, marketplace.last_closed_on + _DAY)
    if first > last:
        raise NothingToSimulate(first=first, last=last)
    return [first + count * _DAY for count in range((last - first).days + 1)]


def prepare(
    marketplace: Marketplace,
    *,
    seed: int,
    shops: int,
    orders_a_day: int,
    opened_on: date,
    by,
    at: datetime,
) -> Market:
    """Make up a market in the marketplace's own categories, and register shops and listings."""
    parents = Category.objects.exclude(parent=None).values("parent_id")
    leaves = Category.objects.exclude(pk__in=parents).order_by("code")
    categories = {category.code: category for category in leaves}
    if not categories:
        raise NoCategories()
    rules = rate_cards.schedules().on(opened_on).rules
    market = simulation.market(
        seed=seed,
        zone=marketplace.tz,
        categories=[(code, category.name) for code, category in categories.items()],
        shops=shops,
        orders_a_day=orders_a_day,
        channels={rule.channel for rule in rules if rule.channel},
        streams={rule.stream for rule in rules if rule.stream},
    )
    shops = dict.fromkeys([*(good.shop for good in market.goods), *market.hosts])
    rows = [_seller_row(seed, shop, opened_on) for shop in shops]
    sellers = registering.ensure_sellers(rows, by=by, at=at)
    catalogue.ensure_listings(
        ListingRow(
            seller_id=sellers[good.shop.code].pk,
            code=good.code,
            title=good.title,
            unit_price=good.unit_price,
            category_id=categories[good.category_code].pk,
            kind=good.kind,
        )
        for good in market.goods
    )
    return market


def _seller_row(seed: int, shop: Shop, opened_on: date) -> SellerRow:
    said = asdict(simulated_people.business(seed, shop))
    return SellerRow(
        code=shop.code,
        name=shop.name,
        joined_on=opened_on,
        seller_type=shop.seller_type,
        business_number=said.pop("business_number"),
        profile=ProfileRow(**said),
    )


def play(
    market: Market, days: list[date], *, tracked_from: date | None = None, by
) -> Iterator[Played]:
    """Play days in order, each in one step of the iterator. Played again, a day changes nothing.

    Everything that is said of a day happens on it, at its own moment; what would come after the
    last day has not happened yet. From `tracked_from` on goods leave in parcels with numbers.
    """
    stories = _begun_before(market, days[0])
    for on in days:
        stories[on] = market.day(on)
        stories.pop(on - LONGEST_STORY, None)
        is_tracked = tracked_from is not None and on >= tracked_from
        yield _play_day(market, on, list(stories.values()), is_tracked, by)


def _begun_before(market: Market, first: date) -> dict[date, Story]:
    """The stories of orders that an earlier call accepted, so that they go on."""
    stories = {}
    for count in range(LONGEST_STORY.days, 0, -1):
        on = first - count * _DAY
        story = market.day(on)
        numbers = [order.number for order in story.orders]
        if Order.objects.filter(number__in=numbers[:1]).exists():
            stories[on] = story
    return stories


@transaction.atomic
def _play_day(market: Market, on: date, stories: list[Story], is_tracked: bool, by) -> Played:
    end = datetime.combine(on + _DAY, time(), market.zone)
    start = datetime.combine(on, time(), market.zone)

    def today(happened: list, moment: Callable) -> list:
        return sorted((h for h in happened if start <= moment(h) < end), key=moment)

    orders = stories[-1].orders
    _refuse(intake.accept_many(orders, at=end))
    told = today([e for s in stories for e in s.events], lambda event: event.occurred_at)
    parcels = today([p for s in stories for p in s.parcels], lambda p: p.event.occurred_at)
    if is_tracked:
        # What is paid can leave, and what has left can arrive.
        before = [event for event in told if event.kind in _BEFORE_SHIPPING]
        _refuse(events.accept_many(before, at=end))
        _send(parcels, by)
        rest = [event for event in told if event.kind not in _BEFORE_SHIPPING]
    else:
        rest = told + [parcel.event for parcel in parcels]
    _refuse(events.accept_many(rest, at=end))
    steps = today([c for s in stories for c in s.claims], lambda claim: claim.at)
    worked = sum(_work(step, by) for step in steps)
    return Played(on, len(orders), len(told) + len(parcels), worked)


_BEFORE_SHIPPING = frozenset({"paid", "acknowledged", "cancelled"})


def _send(parcels: Iterable[Parcel], by) -> None:
    """Send the goods that a shop still has of an order; those that have left stay as told."""
    parcels = list(parcels)
    numbers = [parcel.event.order_number for parcel in parcels]
    codes = {parcel.event.seller_code for parcel in parcels}
    orders = {order.number: order for order in Order.objects.filter(number__in=numbers)}
    shops = {shop.code: shop for shop in Seller.objects.filter(code__in=codes)}
    for parcel in parcels:
        order = orders[parcel.event.order_number]
        try:
            shipping.ship(
                order,
                shops[parcel.event.seller_code],
                carrier=parcel.carrier,
                tracking_number=parcel.tracking_number,
                by=by,
                at=parcel.event.occurred_at,
            )
        except shipping.NothingToShip:
            continue  # it was told before, without a number


def _work(step: ClaimStep, by) -> int:
    """Take a claim one step on; one that was taken there before stays. Returns steps taken."""
    made = Claim.objects.filter(source=simulation.SOURCE, source_id=step.key).first()
    if step.step == "request":
        line = OrderLine.objects.get(order__number=step.order_number, number=step.line_number)
        if made is not None or claims.claimable(line) < step.quantity:
            return 0
        claims.request(
            line,
            type=step.type,
            quantity=step.quantity,
            fault=step.fault,
            reason=step.reason,
            shipping_terms=step.shipping,
            source=simulation.SOURCE,
            source_id=step.key,
            by=by,
            at=step.at,
        )
        return 1
    state, take = _STEPS[step.step]
    if made is None or made.state == state or made.state not in Claim.OPEN_STATES:
        return 0
    take(made, by=by, at=step.at)
    return 1


_STEPS = {
    "approve": (Claim.State.APPROVED, claims.approve),
    "reject": (Claim.State.REJECTED, claims.reject),
    "withdraw": (Claim.State.WITHDRAWN, claims.withdraw),
    "complete": (Claim.State.COMPLETED, claims.complete),
}


def _refuse(given: list[Verdict]) -> None:
    for verdict in given:
        if verdict.is_refused:
            raise StoryRefused(order=verdict.order, why=verdict.message)
