"""A synthetic marketplace: its rules, its sellers, and order lines by the million.

Everything follows from a seed. Volumes are skewed as in a real market, lines lie in the tables in
the order of time, and every twentieth is taken back, wholly or in part: some in the night they are
settled, some of lines that were settled before.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg

from listings import catalogue
from marketplace import calendar_days, tenancy, versions
from marketplace.models import Marketplace
from orders import remainders
from sellers.models import GradePolicy, OfficialGrade, Seller
from settlements import chart, ledger, nights
from settlements.models import Account, FeeRule, FeeSchedule, FeeScheduleVersion, SettlementTerms
from tests.benchmarks import databases

MARKETPLACE = 1
AT = datetime(2026, 7, 31, 3, 0, tzinfo=UTC)
RULES_FROM = date(2026, 1, 1)
NEW_FEES_FROM = date(2026, 7, 16)
NEW_GRADES_FROM = date(2026, 7, 1)
NIGHT_BEFORE = date(2026, 7, 29)  # settles the history
NIGHT = date(2026, 7, 30)  # the one that is measured; a Thursday
NIGHT_AFTER = date(2026, 7, 31)  # an increment over the settled history

COMPONENTS = ("sales", "payment", "service")
GRADES = ("new", "bronze", "silver", "gold", "diamond")
POINTS_OFF = (0, 2_000, 5_000, 10_000, 15_000)
ROOTS, LEAVES = 8, 5  # 40 categories that lines are sold in
SELLERS = 2_000
LINES_AN_ORDER = 4
BLOCK = 10_000
_ACCOUNTS = (
    chart.CLEARING,
    chart.PLATFORM_FUNDING,
    chart.PARTNER_FUNDING,
    chart.SELLER_PAYABLE,
    chart.SELLER_RESERVE,
    chart.PAYOUT_PAYABLE,
    chart.VAT_PAYABLE,
)
REMEMBERED = 50_000  # lines that a later night may take back


def fill(database: str, lines: int):
    """A settled history of a twenty-fifth of the lines, then the lines, a twentieth reversed.

    Opens the marketplace. Returns how to load more: `Market.load`.
    """
    open_marketplace(min(SELLERS, max(20, lines // 25)))
    load = Market().load
    history = {"first": date(2026, 6, 1), "last": date(2026, 6, 30)}
    load(database, lines // 25, **history, reversals=lines // 1000)
    nights.close_day(MARKETPLACE, NIGHT_BEFORE, at=AT)
    load(database, lines, first=date(2026, 7, 1), last=NIGHT, reversals=lines // 20)
    return load


def open_marketplace(sellers: int) -> None:
    """Write and publish every rule, and the sellers with their grades."""
    with tenancy.use_new(MARKETPLACE):
        Marketplace.objects.create(
            pk=MARKETPLACE,
            slug="benchmark",
            name="Benchmark",
            currency="KRW",
            currency_exponent=0,
            zone="Asia/Seoul",
            first_open_on=NIGHT_BEFORE,
        )
        year = (date(2026, 1, 1), date(2026, 12, 31))
        _publish(calendar_days.draft("KR", *year, valid_from=RULES_FROM, by=None))
        _publish_fees()
        _publish(
            versions.draft(
                SettlementTerms,
                valid_from=RULES_FROM,
                by=None,
                lag_days=3,
                lag_kind="business",
                cycle="daily",
                holiday="next",
                minimum_payout=10_000,
                reserve_ppm=20_000,
            )
        )
        codes = [*_ACCOUNTS, *(chart.FEE_REVENUE + component for component in COMPONENTS)]
        Account.objects.bulk_create(ledger.account(code) for code in codes)
        policy = versions.draft(GradePolicy, valid_from=RULES_FROM, by=None, body=_grade_policy())
        _add_sellers(sellers, _publish(policy))


def _publish(version):
    return versions.publish(version, by=None, at=AT)


def _publish_fees() -> None:
    """A commission by category, a payment fee, and a service fee with a minimum; two versions."""
    rows = [catalogue.CategoryRow(f"r{root}", f"Root {root}") for root in range(ROOTS)]
    rows += [
        catalogue.CategoryRow(f"r{root}l{leaf}", f"Leaf {root}.{leaf}", f"r{root}")
        for root in range(ROOTS)
        for leaf in range(LEAVES)
    ]
    categories = catalogue.ensure_categories(rows)
    schedule = FeeSchedule.objects.create(code="standard", name="Standard")
    for number, valid_from in enumerate((RULES_FROM, NEW_FEES_FROM)):
        version = versions.draft(
            FeeScheduleVersion,
            valid_from=valid_from,
            by=None,
            schedule=schedule,
            components=list(COMPONENTS),
        )
        FeeRule.objects.bulk_create(_rules(version, categories, number))
        _publish(version)


def _rules(version: FeeScheduleVersion, categories: dict, number: int) -> Iterator[FeeRule]:
    def rule(rank: int, component: str, base: str, rate_ppm: int, **more) -> FeeRule:
        return FeeRule(
            version=version,
            rank=rank,
            component=component,
            base=base,
            rate_ppm=rate_ppm,
            vat_kind="exclusive",
            vat_mode="half_up",
            **more,
        )

    # Every second leaf has a rate of its own; the others fall back on that of their root.
    ranked = sorted(categories.items(), key=lambda item: (-len(item[1].path), item[0]))
    for rank, (code, category) in enumerate(ranked, 1):
        if len(code) == 2 or category.pk % 2:
            rate_ppm = 30_000 + (category.pk * (3_700 + 400 * number)) % 90_000
            yield rule(rank, "sales", "after_seller_discount", rate_ppm, category=category)
    yield rule(1, "payment", "buyer_paid", 33_000 - 1_000 * number)
    minimum = {"mode": "half_up", "min_amount": 100}
    yield rule(1, "service", "list_amount", 20_000, channel="live", **minimum)
    yield rule(2, "service", "list_amount", 5_000 + 500 * number, **minimum)


def _grade_policy() -> dict:
    metric = {"name": "Sales", "unit": "money", "window": {"months": 1}, "sum": ["sales_confirmed"]}
    return {
        "metrics": {"sales": metric},
        "grades": [
            {
                "code": code,
                "name": code,
                "benefits": [{"components": ["sales"], "points_off_ppm": points_off}],
            }
            | ({"requires": {"metric": "sales", "at_least": rank * 1_000_000}} if rank else {})
            for rank, (code, points_off) in enumerate(zip(GRADES, POINTS_OFF, strict=True))
        ],
        "effective": {"every": "month", "day": 1},
        "starting": {"grade": GRADES[0]},
    }


def _add_sellers(count: int, policy: GradePolicy) -> None:
    Seller.objects.bulk_create(
        [
            Seller(code=f"s{n}", name=f"Seller {n}", state="active", joined_on=RULES_FROM)
            for n in range(count)
        ],
        batch_size=1_000,
    )
    OfficialGrade.objects.bulk_create(
        [
            OfficialGrade(
                seller_id=seller_id,
                policy=policy,
                effective_from=day,
                evaluated_on=day,
                grade=GRADES[(seller_id * step) % len(GRADES)],
                explanation={},
            )
            for seller_id in Seller.objects.values_list("pk", flat=True)
            for step, day in ((1, RULES_FROM), (2, NEW_GRADES_FROM))
        ],
        batch_size=1_000,
    )


@dataclass(frozen=True, slots=True)
class _Sold:
    """A line as it was sold: what it takes to take some of it back."""

    line_id: int
    seller_id: int
    rate_on: date
    basis_on: date
    unit_price: int
    quantity: int
    discounts: tuple[int, int, int]


class Market:
    """Writes order lines and what became of them; knows enough of the past to take it back."""

    def __init__(self, seed: int = 7):
        self._random = random.Random(seed)
        self._line_id = self._outcome_id = 0
        self._past: list[_Sold] = []
        with tenancy.use(MARKETPLACE):
            self._sellers = list(Seller.objects.order_by("pk").values_list("pk", flat=True))
            leaves = catalogue.ensure_categories([]).values()
            self._categories = sorted(leaf.pk for leaf in leaves if len(leaf.path) == 2)
        self._random.shuffle(self._sellers)  # so that ids say nothing about volume
        weight, self._weights = 0.0, []
        for rank in range(1, len(self._sellers) + 1):
            weight += rank**-0.8
            self._weights.append(weight)

    def load(self, database: str, lines: int, *, first: date, last: date, reversals: int) -> None:
        """Write `lines` confirmed from `first` to `last`, and `reversals` to `last`, all waiting.

        A third of the reversals is of lines of earlier calls, where there are any.
        """
        with databases.as_owner(database) as owner:
            foreign_keys = _dropped_foreign_keys(owner)
            with _Copies(database) as copies:
                self._write(copies, lines, first, last, reversals)
            owner.execute("VACUUM (ANALYZE)")  # before the keys, whose joins are planned by it
            for statement in foreign_keys:
                owner.execute(statement)

    def _write(self, copies: "_Copies", lines: int, first: date, last: date, reversals: int):
        earlier = self._past[: reversals // 3]
        del self._past[: len(earlier)]
        for sold in earlier:
            self._take_back(copies, sold, max(first, sold.basis_on), last)
        left = reversals - len(earlier)
        days = (last - first).days + 1
        for start in range(0, lines, BLOCK):
            count = min(BLOCK, lines - start)
            block = list(self._sell(copies, count, first, days, start, lines))
            # As many of this block as keeps the reversals in step with the lines.
            share = left * (start + count) // lines - left * start // lines
            self._random.shuffle(block)
            for sold in block[:share]:
                self._take_back(copies, sold, sold.basis_on, last)
            if len(self._past) < REMEMBERED:
                self._past.extend(block[share:])
            copies.flush()

    def _sell(
        self, copies: "_Copies", count: int, first: date, days: int, start: int, of: int
    ) -> Iterator[_Sold]:
        pick = self._random.choices
        sellers = pick(self._sellers, cum_weights=self._weights, k=count)
        categories = pick(self._categories, k=count)
        quantities = pick((1, 1, 1, 1, 2, 2, 3, 5), k=count)
        channels = pick(("app", "web", "web", "live"), k=count)
        waits = pick(range(2, 13), k=count)
        seller_cuts = pick((0, 0, 0, 0, 1, 5, 12), k=count)
        platform_cuts = pick((0, 0, 0, 0, 0, 3, 10), k=count)
        partner_cuts = pick((0,) * 19 + (7,), k=count)
        for at in range(count):
            self._line_id += 1
            line_id, seller_id, quantity = self._line_id, sellers[at], quantities[at]
            basis_on = first + timedelta(days=(start + at) * days // of)
            rate_on = basis_on - timedelta(days=waits[at])
            unit_price = min(int(self._random.lognormvariate(9.9, 0.9)), 3_000_000) // 10 * 10 + 100
            list_amount = unit_price * quantity
            by_seller = list_amount * seller_cuts[at] // 100
            by_platform = (list_amount - by_seller) * platform_cuts[at] // 100
            by_partner = (list_amount - by_seller) * partner_cuts[at] // 100
            order_id = (line_id - 1) // LINES_AN_ORDER + 1
            if line_id % LINES_AN_ORDER == 1:
                copies.orders.append(
                    f"{order_id}\t{MARKETPLACE}\tord_{order_id}\tn{order_id}\tshop\t{rate_on}\t\t0\n"
                )
            copies.lines.append(
                f"{line_id}\t{MARKETPLACE}\t{order_id}\t{line_id % LINES_AN_ORDER}\t{seller_id}\t"
                f"goods\t{categories[at]}\tgoods\t{channels[at]}\tsole_proprietor\tsku-{line_id}\t"
                f"A thing worth selling\t\ttaxable\t{unit_price}\t{quantity}\t{list_amount}\t"
                f"{by_seller}\t{by_platform}\t{by_partner}\tconfirmed\t{quantity}\t{rate_on}\t"
                f"{basis_on}\tf\n"
            )
            discounts = (by_seller, by_platform, by_partner)
            sold = _Sold(line_id, seller_id, rate_on, basis_on, unit_price, quantity, discounts)
            self._come_out(copies, sold, 0, basis_on, (quantity, list_amount, *discounts))
            yield sold

    def _take_back(self, copies: "_Copies", sold: _Sold, first: date, last: date) -> None:
        """Some units, then perhaps the rest; or all at once; or a part of the price."""
        on = min(first + timedelta(days=self._random.randrange(6)), last)
        units = remainders.units_of(sold.unit_price, sold.quantity, *sold.discounts)
        paid = sum(units.paid())
        if paid > 10 and self._random.random() < 0.1:
            funder = self._random.choice(remainders.FUNDERS)
            steps = [remainders.reduce_price(units, self._random.randrange(1, paid), funder)]
        else:
            taken = self._random.randint(1, sold.quantity)
            steps = [remainders.take_back(units, taken)]
            if taken < sold.quantity and self._random.random() < 0.2:
                steps.append(remainders.take_back(units, sold.quantity))
        for sequence, units in enumerate(steps, 1):
            left = units.remainder()
            amounts = (left.seller_discount, left.platform_discount, left.partner_discount)
            figures = (left.quantity, left.list_amount, *amounts)
            self._come_out(copies, sold, sequence, on, figures)

    def _come_out(
        self, copies: "_Copies", sold: _Sold, sequence: int, on: date, figures: Iterable[int]
    ) -> None:
        self._outcome_id += 1
        kind = "reversal\tclaim" if sequence else "sale\tconfirmed"
        copies.outcomes.append(
            f"{self._outcome_id}\t{MARKETPLACE}\t{sold.line_id}\t{sold.seller_id}\t{sequence}\t"
            f"{kind}\t{sold.rate_on}\t{on}\t" + "\t".join(map(str, figures)) + "\n"
        )
        copies.queue.append(
            f"{self._outcome_id}\t{MARKETPLACE}\t{self._outcome_id}\t{sold.seller_id}\t{on}\n"
        )


class _Copies:
    """One COPY into each of the four tables, all open at once."""

    TABLES = {
        "orders": (
            "orders_order (id, marketplace_id, public_id, number, source, placed_at, "
            "buyer_reference, tender_difference)"
        ),
        "lines": (
            "orders_orderline (id, marketplace_id, order_id, number, seller_id, stream, "
            "category_id, listing_kind, channel, seller_type, sku, title, delivery_group, "
            "tax_kind, unit_price, quantity, list_amount, seller_discount, platform_discount, "
            "partner_discount, status, units_left, paid_on, confirmed_on, cancelled_by_seller)"
        ),
        "outcomes": (
            "orders_outcome (id, marketplace_id, line_id, seller_id, sequence, kind, cause, "
            "rate_on, basis_on, quantity, list_amount, seller_discount, platform_discount, "
            "partner_discount)"
        ),
        "queue": "orders_outcometosettle (id, marketplace_id, outcome_id, seller_id, basis_on)",
    }

    def __init__(self, database: str):
        self.orders: list[str] = []
        self.lines: list[str] = []
        self.outcomes: list[str] = []
        self.queue: list[str] = []
        self._database = database

    def __enter__(self) -> "_Copies":
        self._stack = ExitStack()
        self._open = {}
        for table, columns in self.TABLES.items():
            connection = self._stack.enter_context(databases.as_owner(self._database))
            copy = connection.cursor().copy(f"COPY {columns} FROM STDIN")
            self._open[table] = self._stack.enter_context(copy)
        return self

    def flush(self) -> None:
        for table, copy in self._open.items():
            rows = getattr(self, table)
            copy.write("".join(rows))
            rows.clear()

    def __exit__(self, *error) -> None:
        if error[0] is None:
            self.flush()
        self._stack.__exit__(*error)


def _dropped_foreign_keys(owner: psycopg.Connection) -> list[str]:
    """Drop the foreign keys of the tables to be filled; returns how to add them again.

    Added to a full table, a key is checked by one join instead of once a row.
    """
    keys = owner.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
        [[columns.split()[0] for columns in _Copies.TABLES.values()]],
    ).fetchall()
    for table, name, _ in keys:
        owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    return [f"ALTER TABLE {table} ADD CONSTRAINT {name} {what}" for table, name, what in keys]
