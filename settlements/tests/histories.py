"""Random histories of a marketplace, lived through its own processes, night by night.

A history is drawn by hypothesis: what is ordered, and what people do on which day. Senders' orders
and events arrive first on a day, then people act, then the night closes. Whatever a moment does
not allow is refused and undone. The same history can be lived again with another order of arrival,
in other shards, with nights that are repeated.
"""

import dataclasses
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Final

from django.db import transaction
from hypothesis import strategies as st

from marketplace import calendar_days, identifiers, tenancy, versions
from marketplace.models import AuditEntry, Marketplace
from marketplace.refusals import Refused
from orders import claims, events, exchanging, intake, reductions, return_shipping
from orders.events import NewEvent
from orders.models import Claim, ConfirmationPolicy, OrderLine
from orders.pricing import EXEMPT, TAXABLE, CartDiscount
from orders.submissions import NewLine, NewOrder, NewPayment
from sellers import bank_accounts, grades
from sellers.models import GradePolicy, Seller
from settlements import (
    adjusting,
    attaching,
    collecting,
    contracting,
    deadlines,
    debts,
    fee_publishing,
    funding,
    holding,
    nights,
    payout_sending,
    payouts,
)
from settlements.gateways import sandbox
from settlements.models import (
    FeeRule,
    FeeScheduleVersion,
    Hold,
    MonthlyFee,
    Payout,
    PayoutBatch,
    SellerBalance,
    SellerContract,
    SettlementTerms,
    Statement,
)
from settlements.tests import make

FIRST_ON: Final = date(2026, 9, 23)  # public holidays and a month's end lie right ahead
DAYS: Final = 10
SELLERS: Final = "ABCD"
FUNDERS: Final = ("seller", "platform", "partner")
CATEGORIES: Final = ("beauty", "gold", None)
ENDINGS: Final = (
    *("1111", sandbox.FAILS, sandbox.DELAYS, sandbox.LOSES_ITS_ANSWER, sandbox.FAILS_LATER),
    *(sandbox.TAKES_ITS_WORD_BACK, "2222", sandbox.LOSES_THE_TRANSFER, sandbox.HAS_ANOTHER_HOLDER),
)
ONE_RANGE: Final = 10**6
REPEATED: Final = (  # steps of a night that do nothing a second time
    *("confirm", "performance", "grades", "monthly_fees", "return_costs", "fast_settlement"),
    *("settle", "month_end", "statements", "payouts", "reconcile", "tax_invoices"),
)


@dataclass(frozen=True)
class Item:
    """A line of an order; funders give hundredths of its price."""

    seller: int
    category: int
    unit_price: int
    quantity: int
    by_seller: int
    by_platform: int
    by_partner: int
    tax_kind: str


@dataclass(frozen=True)
class Bought:
    """An order of a day, confirmed by its buyer some days later, or by itself where not."""

    day: int
    items: tuple[Item, ...]
    shipping: int
    cart: int
    funder: str
    pace: int
    points: int

    @property
    def confirmed_on(self) -> int | None:
        return self.day + self.pace if self.pace <= 4 else None


@dataclass(frozen=True)
class Deed:
    """What somebody does on a day; which row, and how much, is up to the deed."""

    day: int
    name: str
    row: int
    amount: int


@dataclass(frozen=True)
class Terms:
    """What the marketplace says from its first day on."""

    lag_days: int
    lag_kind: str
    weekdays: tuple[int, ...]
    minimum_payout: int
    reserve_ppm: int
    debt_policy: str
    funding_as: str


@dataclass(frozen=True)
class History:
    terms: Terms
    bought: tuple[Bought, ...]
    deeds: tuple[Deed, ...]


@dataclass(frozen=True)
class Life:
    """How a history is lived: what must not change a single byte of what comes of it."""

    arrival: int | None = None  # the seed of another order of arrival, with repetitions
    shard_weight: int = ONE_RANGE
    repeats_nights: bool = False


AS_TOLD: Final = Life()


def _items():
    part = st.integers(0, 33)
    return st.builds(
        Item,
        seller=st.integers(0, len(SELLERS) - 1),
        category=st.integers(0, len(CATEGORIES) - 1),
        unit_price=st.one_of(st.integers(0, 30), st.integers(1, 300_000)),
        quantity=st.integers(1, 5),
        by_seller=part,
        by_platform=part,
        by_partner=part,
        tax_kind=st.sampled_from([TAXABLE, TAXABLE, EXEMPT]),
    )


def drawn() -> st.SearchStrategy[History]:
    """All histories, each with a good deal in it."""
    bought = st.builds(
        Bought,
        day=st.integers(0, DAYS - 5),
        items=st.lists(_items(), min_size=1, max_size=3).map(tuple),
        shipping=st.sampled_from([0, 2_500, 3_000]),
        cart=st.sampled_from([0, 0, 7, 5_000]),
        funder=st.sampled_from(FUNDERS),
        pace=st.integers(0, 6),
        points=st.integers(0, 3),
    )
    deed = st.builds(
        Deed,
        day=st.integers(0, DAYS - 2),
        name=st.sampled_from(sorted({*DEEDS, *_TOLD, *_BANK})),
        row=st.integers(0, 7),
        amount=st.integers(1, 200_000),
    )
    terms = st.builds(
        Terms,
        lag_days=st.integers(0, 2),
        lag_kind=st.sampled_from(["calendar", "business"]),
        weekdays=st.sampled_from([(), (), (0, 3)]),
        minimum_payout=st.sampled_from([0, 0, 20_000]),
        reserve_ppm=st.sampled_from([0, 150_000]),
        debt_policy=st.sampled_from(debts.POLICIES),
        funding_as=st.sampled_from([funding.PAYMENT, funding.FEE_CUT]),
    )
    return st.builds(
        History,
        terms=terms,
        bought=st.lists(bought, min_size=3, max_size=8).map(tuple),
        deeds=st.lists(deed, min_size=8, max_size=25).map(
            lambda deeds: tuple(sorted(deeds, key=lambda deed: deed.day))
        ),
    )


def everything() -> History:
    """One long history, always the same, in which everything there is happens."""
    chance = random.Random(1)
    names = [*_TOLD, *DEEDS, "ask the bank"] * 2
    chance.shuffle(names)
    deeds = [
        Deed(n * (DAYS - 1) // len(names), name, chance.randrange(8), chance.randint(1, 200_000))
        for n, name in enumerate(names)
    ]
    sure = (  # what needs something else to have happened
        *((2, "attach", row, 5_000) for row in range(4)),
        *((number, "adjust", 0, 5_000_000) for number in (2, 4, 6)),  # penalties, and so debts
        *((number, "cancel a batch", number, 1) for number in (2, 4, 6, 8)),
        *((number, "pay", 0, 1) for number in (3, 5, 7)),
        *((number, "return a payout", number, 1) for number in range(5, DAYS - 1)),
        *((number, "pay what is attached", number, 1_000) for number in range(5, DAYS - 1)),
        *((number, "settle a debt", number, 1_000 + number) for number in range(3, DAYS - 1)),
        *((number, "claim", number, 8 + number) for number in range(3, 7)),
    )
    deeds = sorted([Deed(*each) for each in sure] + deeds, key=lambda deed: deed.day)
    parts = [0, 3, 10, 33]
    bought = [
        Bought(
            day=n * (DAYS - 4) // 16,
            items=tuple(
                Item(
                    seller=(n + place) % len(SELLERS),
                    category=chance.randrange(len(CATEGORIES)),
                    unit_price=chance.randint(1, 90_000),
                    quantity=chance.randint(1, 5),
                    by_seller=chance.choice(parts),
                    by_platform=chance.choice(parts),
                    by_partner=chance.choice(parts),
                    tax_kind=chance.choice([TAXABLE, EXEMPT]),
                )
                for place in range(1 + n % 3)
            ),
            shipping=chance.choice([0, 3_000]),
            cart=chance.choice([0, 777]),
            funder=chance.choice(FUNDERS),
            pace=chance.randint(0, 5),
            points=chance.randint(0, 3),
        )
        for n in range(16)
    ]
    terms = Terms(0, "calendar", (), 0, 150_000, debts.CARRY_FORWARD, funding.FEE_CUT)
    return History(terms, tuple(bought), tuple(deeds))


def day(number: int) -> date:
    return FIRST_ON + timedelta(days=number)


def noon(number: int) -> datetime:
    """Noon in Seoul."""
    return datetime.combine(day(number), time(3), UTC)


LAST_ON: Final = day(DAYS - 1)


@dataclass(frozen=True)
class Lived:
    """A marketplace after its last night, and what was done in it."""

    market: Marketplace
    done: Counter


def live(history: History, slug: str, operator, monkeypatch, life: Life = AS_TOLD) -> Lived:
    """Live a history in a marketplace of its own, up to its last night."""
    numbers = defaultdict(count)
    with monkeypatch.context() as patch:
        # Of what people and nights make in the same order, public ids have to be the same.
        patch.setattr(identifiers, "public_id", lambda prefix: f"{prefix}_{next(numbers[prefix])}")
        _cut(patch, life.shard_weight)
        market = _open(history.terms, slug)
        world = _World(market, history, operator)
        for number in range(DAYS):
            with tenancy.use(market.pk):
                world.arrive(number, life.arrival)
            for deed in history.deeds:
                if deed.day == number:
                    world.do(deed)
            _close(market, number, life)
    market.refresh_from_db()
    return Lived(market, world.done)


def _close(market: Marketplace, number: int, life: Life) -> None:
    on, at = day(number), noon(number) + timedelta(hours=16)
    nights.close_day(market.pk, on, at=at)
    if life.repeats_nights:
        with tenancy.use(market.pk):
            for step in nights.STEPS:
                if step.name in REPEATED:
                    nights._done_at_once(step, on, at)
        assert nights.advance(market.pk, on, at=at).is_closed


def _cut(patch, weight: int) -> None:
    steps = tuple(
        dataclasses.replace(step, shard_weight=weight) if step.cut else step
        for step in nights.STEPS
    )
    patch.setattr(nights, "STEPS", steps)
    patch.setattr(nights, "_BY_KIND", {step.kind: step for step in steps})


def _open(terms: Terms, slug: str) -> Marketplace:
    """A marketplace with four sellers, no two of whom have the same terms."""
    market = make.market(slug, first_open_on=FIRST_ON)
    at = noon(-1)
    with tenancy.use(market.pk):
        Marketplace.objects.filter(pk=market.pk).update(needs_second_person=False)
        _publish_terms(FIRST_ON, at, dataclasses.asdict(terms))
        policy = versions.draft(
            ConfirmationPolicy, valid_from=FIRST_ON, by=None, confirm_after_days=3
        )
        versions.publish(policy, by=None, at=at)
        fee = versions.draft(
            MonthlyFee, valid_from=FIRST_ON, by=None, threshold=100_000, amount=9_900
        )
        versions.publish(fee, by=None, at=at)
        people = [make.seller(code, seller_type=_TYPES[code]) for code in SELLERS]
        for number, seller in enumerate(people):
            _register(seller, ENDINGS[number % 2 * 2], at)
        for seller, said in zip(people[1:], _CONTRACTS, strict=True):
            rules = said.get("rules", ())
            more = {name: value for name, value in said.items() if name != "rules"}
            make.contract(seller, valid_from=FIRST_ON, rules=rules, at=at, **more)
    return market


_TYPES: Final = {"A": "corporation", "B": "individual", "C": "sole_proprietor", "D": "corporation"}
_CONTRACTS: Final = (
    {  # an individual who is taxed, and whose fees have a least and a unit price
        "income_kind": "service",
        "reserve_ppm": 300_000,
        "rules": [
            {"rate_ppm": 77_700, "min_amount": 300, "vat_kind": "exclusive", "vat_mode": "floor"}
        ],
    },
    {  # paid once or twice a week, VAT by the month's invoice, and paid ahead
        "lag_days": 1,
        "lag_kind": "calendar",
        "cycle": "weekly",
        "cycle_arg": [1, 4],
        "holiday": "previous",
        "minimum_payout": 50_000,
        "vat_level": "invoice",
        "fast_ppm": 400_000,
        "rules": [
            {"rate_ppm": 132_000, "vat_kind": "inclusive"},
            {
                "component": "live",
                "base": "buyer_paid",
                "rate_ppm": 23_400,
                "fixed_amount": 10,
                "per_unit": True,
                "keep_on_refund": True,
            },
        ],
    },
    {"sale_issuer": "platform", "reserve_ppm": 50_000, "rules": [{"rate_ppm": 101_010}]},
)


def _publish_terms(valid_from: date, at: datetime, said: dict) -> None:
    now = SettlementTerms.objects.published().order_by("valid_from").last()
    kept = ("lag_days", "lag_kind", "cycle", "cycle_arg", "holiday", "minimum_payout")
    kept += ("reserve_ppm", "reserve_days", "debt_policy", "funding_as")
    values = {name: getattr(now, name) for name in kept} | {"reserve_days": 2}
    weekdays = said.pop("weekdays", None)
    if weekdays is not None:
        weekly = ("weekly", list(weekdays)) if weekdays else ("daily", None)
        values |= dict(zip(("cycle", "cycle_arg"), weekly, strict=True))
    draft = versions.draft(SettlementTerms, valid_from=valid_from, by=None, **(values | said))
    deadlines.publish_terms(draft, by=None, at=at)


def _register(seller: Seller, ending: str, at: datetime) -> None:
    account = bank_accounts.Account(bank="088", holder=seller.name, number=f"11012345{ending}")
    bank_accounts.register(seller, account, by=None, at=at)


@dataclass
class _World:
    """A marketplace while a history is lived in it."""

    market: Marketplace
    history: History
    operator: object
    arrivals: dict[int, list] = field(default_factory=lambda: defaultdict(list))
    done: Counter = field(default_factory=Counter)  # deeds that left a trace

    def __post_init__(self):
        for number, bought in enumerate(self.history.bought):
            self._tell_of(f"N{number}", bought)
        known = set()
        for deed in self.history.deeds:
            if deed.name in _TOLD:
                self._tell_of_cancel(deed, known)

    def _tell_of(self, number: str, bought: Bought) -> None:
        """An order, and what its sender tells of it, on the days on which it happens."""
        order = _order(number, bought)
        self.arrivals[bought.day].append((number, order))
        happened = [("paid", bought.day, 1), ("shipped", bought.day, 2)]
        arrived_on = bought.day + min(bought.pace, 1)
        happened.append(("delivered", arrived_on, 3))
        if (confirmed_on := bought.confirmed_on) is not None:
            happened.append(("confirmed", confirmed_on, 4))
        for kind, on, hour in happened:
            self.arrivals[on].append((number, _event(number, kind, on, hour)))

    def _tell_of_cancel(self, deed: Deed, known: set) -> None:
        placed = [n for n, bought in enumerate(self.history.bought) if bought.day <= deed.day]
        if not placed:
            return
        number = placed[deed.row % len(placed)]
        items = self.history.bought[number].items
        line = deed.amount % len(items) + 1
        if (number, line, deed.day) in known:
            return  # which of two comes first is no matter of arrival
        known.add((number, line, deed.day))
        quantity = deed.amount % items[line - 1].quantity + 1
        said = {"line_number": line, "quantity": quantity, "by_seller": deed.row % 2 == 0}
        event = _event(f"N{number}", "cancelled", deed.day, 5, f"{line}/{deed.day}", **said)
        self.arrivals[deed.day].append((f"N{number}", event))

    def arrive(self, number: int, seed: int | None) -> None:
        """What senders tell on a day: all at once, or in another order, one by one and twice.

        Of one order things come as they happened, but for the order itself, which may come last.
        """
        at = noon(number) + timedelta(hours=3)
        told = self.arrivals[number]
        if seed is None:
            orders = [each for _, each in told if isinstance(each, NewOrder)]
            happened = [each for _, each in told if isinstance(each, NewEvent)]
            verdicts = intake.accept_many(orders, at=at)
            assert not [verdict for verdict in verdicts if verdict.is_refused]
            events.accept_many(happened, at=at)
            return
        chance = random.Random(f"{seed}/{number}")
        waiting = defaultdict(list)
        for name, each in told:
            waiting[name].append(each)
        for each in waiting.values():
            if isinstance(each[0], NewOrder) and chance.random() < 0.5:
                each.append(each.pop(0))
        while waiting:
            name = chance.choice(sorted(waiting))
            each = waiting[name].pop(0)
            for _ in range(chance.choice([1, 2])):
                accept = intake if isinstance(each, NewOrder) else events
                accept.accept_many([each], at=at)
            if not waiting[name]:
                del waiting[name]

    def do(self, deed: Deed) -> None:
        """Let somebody do something, if this moment allows it."""
        before = self._traces()
        self._do(deed)
        self.done[deed.name] += self._traces() > before

    def _traces(self) -> int:
        with tenancy.use(self.market.pk):
            return AuditEntry.objects.count()

    def _do(self, deed: Deed) -> None:
        at = noon(deed.day) + timedelta(hours=4)
        if deed.name in _BANK:
            _BANK[deed.name](self.market.pk, deed, at)
        elif deed.name in DEEDS:
            try:
                with tenancy.use(self.market.pk), transaction.atomic():
                    DEEDS[deed.name](self, deed, at)
            except Refused:
                pass

    def seller(self, deed: Deed) -> Seller:
        return Seller.objects.get(code=SELLERS[deed.row % len(SELLERS)])

    def line(self, deed: Deed) -> OrderLine | None:
        lines = OrderLine.objects.order_by("order__number", "number")
        return _picked(lines, deed)


def _order(number: str, bought: Bought) -> NewOrder:
    lines, left = [], 0
    for place, item in enumerate(bought.items, 1):
        listed = item.unit_price * item.quantity
        given = [listed * part // 100 for part in (item.by_seller, item.by_platform)]
        given.append(listed * item.by_partner // 100)
        left += listed - sum(given)
        lines.append(
            NewLine(
                number=place,
                seller_code=SELLERS[item.seller],
                unit_price=item.unit_price,
                quantity=item.quantity,
                category_code=CATEGORIES[item.category],
                tax_kind=item.tax_kind,
                **dict(zip((f"{funder}_discount" for funder in FUNDERS), given, strict=True)),
            )
        )
    cart = ()
    if bought.cart:
        seller = lines[0].seller_code if bought.funder == "seller" else None
        base = sum(
            line.unit_price * line.quantity
            - line.seller_discount
            - line.platform_discount
            - line.partner_discount
            for line in lines
            if seller in (None, line.seller_code)
        )
        cart = (CartDiscount(bought.funder, min(bought.cart, base), seller),)
        left -= cart[0].amount
    if bought.shipping:
        lines.append(
            NewLine(
                number=9,
                seller_code=lines[0].seller_code,
                unit_price=bought.shipping,
                quantity=1,
                stream="shipping",
                platform_discount=bought.cart and 1_000,
            )
        )
        left += bought.shipping - lines[-1].platform_discount
    points = left * bought.points // 10
    return NewOrder(
        number=number,
        source="shop",
        placed_at=noon(bought.day),
        lines=tuple(lines),
        payments=(NewPayment(1, "points", points), NewPayment(2, "card", left - points)),
        cart_discounts=cart,
    )


def _event(number: str, kind: str, on: int, hour: int, name: str = "", **said) -> NewEvent:
    at = noon(on) + timedelta(minutes=hour)
    return NewEvent("shop", f"{number}/{kind}/{name}", kind, number, at, **said)


def _picked(rows, deed: Deed):
    """The row that a deed is about, or None where there is none."""
    found = list(rows)
    return found[deed.row % len(found)] if found else None


def _claim(world: _World, deed: Deed, at: datetime) -> None:
    line = world.line(deed)
    if line is None:
        return
    kind = ("return", "exchange", "cancel", "return")[deed.amount % 4]
    fault = ("buyer", "seller", "platform")[deed.amount // 4 % 3]
    cost = (0, 2_500)[deed.amount // 12 % 2]
    paid = "" if not cost else return_shipping.CHARGED
    if cost and fault == "buyer":
        paid = return_shipping.DIRECT if kind == "exchange" else return_shipping.DEDUCTED
        paid = return_shipping.DIRECT if deed.amount // 24 % 2 else paid
    terms = return_shipping.Terms(cost, 0, paid, is_advanced=bool(cost and deed.amount % 5))
    asked = {"type": kind, "quantity": deed.amount % 3 + 1, "fault": fault}
    claims.request(line, **asked, shipping_terms=terms, by=None, at=at)


def _decide(world: _World, deed: Deed, at: datetime) -> None:
    claim = _picked(Claim.objects.filter(state__in=Claim.OPEN_STATES).order_by("pk"), deed)
    if claim is None:
        return
    by_whom = {"by": None, "at": at}
    if deed.amount % 4 == 0:
        claims.reject(claim, reason="아님", **by_whom)
        return
    claim = claims.approve(claim, **by_whom) if claim.state == Claim.State.REQUESTED else claim
    if claim.is_exchange:
        claim = exchanging.collect(claim, **by_whom)
        if deed.amount % 4 == 1:
            claim = exchanging.convert(claim, reason="품절", **by_whom)
        else:
            parcel = {"carrier": "cj", "tracking_number": f"6812{deed.amount:06}{deed.row}"}
            claim = exchanging.resend(claim, **parcel, **by_whom)
    if deed.amount % 4 != 2:
        claims.complete(claim, **by_whom)


def _reduce(world: _World, deed: Deed, at: datetime) -> None:
    sold = OrderLine.objects.filter(status=OrderLine.Status.CONFIRMED)
    if line := _picked(sold.order_by("order__number", "number"), deed):
        funder = FUNDERS[deed.amount % 3]
        reductions.reduce_price(line, deed.amount // 40 + 1, funder, by=None, at=at)


def _hold_terms(deed: Deed, **said) -> holding.Terms:
    until = day(deed.day + deed.amount % 3 + 1) if deed.amount % 2 else None
    usual = {"reason": "manual", "note": "확인 중", "condition": "확인 후", "release_on": until}
    return holding.Terms(**(usual | said))


def _hold_amount(world: _World, deed: Deed, at: datetime) -> None:
    seller, terms = world.seller(deed), _hold_terms(deed)
    holding.hold_amount(seller, deed.amount, terms, by=None, at=at)


def _hold_line(world: _World, deed: Deed, at: datetime) -> None:
    line = world.line(deed)
    if line is not None:
        amount = deed.amount if deed.amount % 3 else None
        holding.hold_line(line, _hold_terms(deed), amount=amount, by=None, at=at)


def _hold_payment(world: _World, deed: Deed, at: datetime) -> None:
    holding.hold_payment(world.seller(deed), _hold_terms(deed), by=None, at=at)


def _statement(deed: Deed) -> Statement | None:
    return _picked(Statement.objects.order_by("seller__code", "due_on"), deed)


def _hold_statement(world: _World, deed: Deed, at: datetime) -> None:
    if statement := _statement(deed):
        terms = _hold_terms(deed)
        holding.hold_payment(statement.seller, terms, statement=statement, by=None, at=at)


def _exclude(world: _World, deed: Deed, at: datetime) -> None:
    if statement := _statement(deed):
        holding.exclude(statement, reason="legal", note="판결", by=None, at=at)


def _release(world: _World, deed: Deed, at: datetime) -> None:
    if hold := _picked(Hold.objects.placed().order_by("pk"), deed):
        let_go = holding.reverse if hold.kind == Hold.Kind.EXCLUSION else holding.release
        let_go(hold, reason="끝", by=None, at=at)


def _attach(world: _World, deed: Deed, at: datetime) -> None:
    terms = _hold_terms(deed, reason="attachment", creditor="채권자", release_on=None)
    holding.hold_amount(world.seller(deed), deed.amount, terms, by=None, at=at)


def _pay_attachment(world: _World, deed: Deed, at: datetime) -> None:
    attached = Hold.objects.placed().filter(reason="attachment", taken__gt=0).order_by("pk")
    if hold := _picked(attached, deed):
        said = {"kind": "collected", "payee": "채권자", "evidence": "타채 1", "reason": "추심"}
        amount = min(hold.taken, deed.amount)
        attaching.pay(hold, amount=amount, **said, by=None, at=at)


def _adjust(world: _World, deed: Deed, at: datetime) -> None:
    about = (
        ("penalty", "outside_scope", -1),
        ("compensation", "exempt", 1),
        ("service", "taxable", -1),
        ("correction", "taxable", 1),
        ("host_commission", "taxable", 1),
    )
    reason_code, tax_kind, sign = about[deed.amount % 5]
    adjusting.request(
        world.seller(deed),
        amount=sign * (deed.amount if sign < 0 else deed.amount // 10 + 1),
        tax_kind=tax_kind,
        reason_code=reason_code,
        reason="조정",
        basis_on=day(deed.day - deed.row % 2 if deed.day else 0),
        by=world.operator,
        at=at,
    )


def _change_fees(world: _World, deed: Deed, at: datetime) -> None:
    now = FeeScheduleVersion.objects.published().order_by("valid_from").last()
    draft = versions.revise(now, valid_from=day(deed.day + 1), by=None, at=at)
    rule = _picked(FeeRule.objects.filter(version=draft).order_by("rank"), deed)
    FeeRule.objects.filter(pk=rule.pk).update(rate_ppm=deed.amount)
    fee_publishing.publish(draft, by=None, at=at, waive_notice=True)


def _change_contract(world: _World, deed: Deed, at: datetime) -> None:
    draft = contracting.draft(world.seller(deed), valid_from=day(deed.day + 1), by=None, at=at)
    changed = {"reserve_ppm": deed.amount, "minimum_payout": deed.amount // 10}
    SellerContract.objects.filter(pk=draft.pk).update(**changed)
    draft.refresh_from_db()
    contracting.publish(draft, by=None, at=at)


def _change_terms(world: _World, deed: Deed, at: datetime) -> None:
    said = {
        "lag_days": deed.amount % 3,
        "reserve_ppm": deed.amount if deed.row % 2 else 0,
        "minimum_payout": deed.amount // 10,
        "debt_policy": debts.POLICIES[deed.amount % len(debts.POLICIES)],
        "weekdays": ((), (2,))[deed.row % 2],
    }
    _publish_terms(day(deed.day + 1), at, said)


def _change_grades(world: _World, deed: Deed, at: datetime) -> None:
    """A policy by which whoever sold anything gets points off, from an effective day on."""
    now = GradePolicy.objects.published().order_by("valid_from").last()
    body = dict(now.body)
    own = {"requires": {"all": [{"metric": "orders", "at_least": 1}]}}
    benefit = {"components": ["sales"], "points_off_ppm": deed.amount // 4}
    seed = body["grades"][0]
    body["grades"] = [seed, {"code": "sprout", "name": "새싹", **own, "benefits": [benefit]}]
    body["effective"] = {"every": "day"}
    draft = versions.draft(GradePolicy, valid_from=day(deed.day + 1), by=None, body=body)
    grades.publish_policy(draft, by=None, at=at)


def _change_calendar(world: _World, deed: Deed, at: datetime) -> None:
    first, last = date(2026, 1, 1), date(2028, 12, 31)
    word = {day(deed.day + 1 + deed.amount % 4): "임시 공휴일"}
    said = {"add": word} if deed.row % 3 else {"remove": word}
    draft = calendar_days.draft(
        "KR", first, last, valid_from=day(deed.day + 1), by=None, at=at, **said
    )
    calendar_days.publish(draft, by=None, at=at)


def _deposit(world: _World, deed: Deed, at: datetime) -> None:
    if owing := _picked(_owing(), deed):
        amount = min(collecting.owed(owing), deed.amount)
        if deed.amount % 2:
            collecting.write_off(owing, amount=amount, reason="회수 불능", by=world.operator, at=at)
        else:
            said = {"evidence": f"통장 {deed.day}/{deed.row}", "on": day(deed.day)}
            collecting.record_deposit(owing, amount=amount, **said, by=world.operator, at=at)


def _owing():
    rows = SellerBalance.objects.order_by("seller__code")
    return [row for row in rows if collecting.owed(row)]


def _change_account(world: _World, deed: Deed, at: datetime) -> None:
    _register(world.seller(deed), ENDINGS[deed.amount % len(ENDINGS)], at)


def _return_payout(world: _World, deed: Deed, at: datetime) -> None:
    if paid := _picked(Payout.objects.filter(state="paid").order_by("pk"), deed):
        said = {"outcome": "returned", "said": "반환"}
        payout_sending.record_by_hand(paid, by=world.operator, at=at, **said)


def _cancel_batch(world: _World, deed: Deed, at: datetime) -> None:
    if batch := _picked(PayoutBatch.objects.filter(state="prepared").order_by("pk"), deed):
        payouts.cancel(batch, by=world.operator, at=at, reason="다시")


def _pay(market_id: int, deed: Deed, at: datetime) -> None:
    """Send every batch that is prepared, one after the other."""
    with tenancy.use(market_id):
        keys = list(PayoutBatch.objects.to_approve().order_by("pk").values_list("pk", flat=True))
    for key in keys:
        with tenancy.use(market_id):
            batch = PayoutBatch.objects.get(pk=key)
            payouts.approve(batch, by=None, at=at, payouts=batch.payouts, amount=batch.amount)
            payouts.execute(PayoutBatch.objects.get(pk=key), by=None, at=at)
            sent = list(Payout.objects.filter(batch=key).values_list("pk", flat=True))
        for payout_id in sorted(sent):
            payout_sending.serve(market_id, payout_id, now=lambda: at)


def _ask(market_id: int, deed: Deed, at: datetime) -> None:
    """Ask the bank about every payout, whatever is known of it."""
    with tenancy.use(market_id):
        asked = Payout.objects.exclude(state__in=["prepared", "stopped", "paid", "returned"])
        keys = list(asked.order_by("pk").values_list("pk", flat=True))
    for payout_id in keys:
        payout_sending.ask(market_id, payout_id, now=lambda: at)


_TOLD: Final = ("cancel", "cancel later")  # what senders tell, so it arrives
_BANK: Final = {"pay": _pay, "pay again": _pay, "ask the bank": _ask}
DEEDS: Final = {
    "claim": _claim,
    "claim again": _claim,
    "decide": _decide,
    "decide again": _decide,
    "reduce a price": _reduce,
    "hold an amount": _hold_amount,
    "hold a line": _hold_line,
    "hold payments": _hold_payment,
    "hold a statement": _hold_statement,
    "exclude a statement": _exclude,
    "release a hold": _release,
    "attach": _attach,
    "pay what is attached": _pay_attachment,
    "adjust": _adjust,
    "change fees": _change_fees,
    "change a contract": _change_contract,
    "change terms": _change_terms,
    "change grades": _change_grades,
    "change the calendar": _change_calendar,
    "settle a debt": _deposit,
    "change an account": _change_account,
    "return a payout": _return_payout,
    "cancel a batch": _cancel_batch,
}
