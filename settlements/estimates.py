"""What a seller would be charged for an item, and what is on its way to a seller.

Both go through the functions that settle: rating.RateBook chooses the terms, fees.figures
computes. So an estimate differs from the settlement line only where something changes until then:
units are cancelled, the seller sells in a month by whose sales a rate goes, a rule is published.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.db.models import Sum

from marketplace import tenancy
from orders import pricing, remainders, verdicts
from orders.models import OrderLine
from orders.remainders import Remainder
from sellers.models import Seller
from settlements import fees, reversals, runs
from settlements.fees import Explanation, Terms
from settlements.models import FeeScheduleVersion, Statement
from settlements.rating import RateBook

PAID: Final = "paid"
SHIPPED: Final = "shipped"
DELIVERED: Final = "delivered"
CONFIRMED: Final = "confirmed"
IN_STATEMENTS: Final = "in_statements"
HELD: Final = "held"
STAGES: Final = (PAID, SHIPPED, DELIVERED, CONFIRMED, IN_STATEMENTS)

# Lines that differ in nothing that a fee may depend on are counted, not read one by one: a seller
# has far fewer kinds of them than lines, and rounding is the same for each.
_OPEN = """
WITH claimed AS (
    SELECT DISTINCT line_id FROM orders_claim
    WHERE marketplace_id = %(marketplace)s AND seller_id = %(seller)s
      AND state IN ('requested', 'approved', 'collected', 'redelivering', 'arbitration')
), line AS (
    SELECT id, status, paid_on AS rate_on, stream, category_id, listing_kind, channel, seller_type,
           tax_kind = 'taxable' AS is_taxed, unit_price, quantity, seller_discount,
           platform_discount, partner_discount, units_left
    FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND seller_id = %(seller)s AND stream <> 'shipping'
      AND status IN ('paid', 'preparing', 'shipped', 'delivered')
      AND paid_on IS NOT NULL AND units_left > 0
    UNION ALL  -- apart, as each half has a small index of its own
    SELECT id, status, paid_on, stream, category_id, listing_kind, channel, seller_type,
           tax_kind = 'taxable' AS is_taxed, unit_price, quantity, seller_discount,
           platform_discount, partner_discount, units_left
    FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND seller_id = %(seller)s AND stream = 'shipping'
      AND status IN ('paid', 'preparing', 'shipped', 'delivered')
      AND paid_on IS NOT NULL AND units_left > 0
    UNION ALL
    SELECT NULL, 'confirmed', o.rate_on, l.stream, l.category_id, l.listing_kind, l.channel,
           l.seller_type, l.tax_kind = 'taxable', l.unit_price, o.quantity, o.seller_discount,
           o.platform_discount, o.partner_discount, o.quantity
    FROM orders_outcometosettle q
    JOIN orders_outcome o ON o.marketplace_id = %(marketplace)s AND o.id = q.outcome_id
    JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
    WHERE q.marketplace_id = %(marketplace)s AND q.seller_id = %(seller)s AND o.sequence = 0
)
SELECT CASE WHEN claimed.line_id IS NOT NULL THEN 'held' WHEN status = 'preparing' THEN 'paid'
            ELSE status END,
       rate_on, stream, category_id, listing_kind, channel, seller_type, is_taxed, unit_price,
       quantity, seller_discount, platform_discount, partner_discount, units_left, count(*)
FROM line LEFT JOIN claimed ON claimed.line_id = line.id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
"""

# As the night reads them (settlements.runs), but the sale may be waiting itself.
_REVERSALS = """
SELECT o.rate_on, l.stream, l.category_id, l.listing_kind, l.channel, l.seller_type,
       l.tax_kind = 'taxable', l.unit_price,
       o.quantity, o.list_amount, o.seller_discount, o.platform_discount, o.partner_discount,
       b.quantity, b.list_amount, b.seller_discount, b.platform_discount, b.partner_discount,
       f.quantity, f.list_amount, f.seller_discount, f.platform_discount, f.partner_discount,
       s.terms_id
FROM orders_outcometosettle q
JOIN orders_outcome o ON o.marketplace_id = %(marketplace)s AND o.id = q.outcome_id
JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
JOIN orders_outcome b ON b.marketplace_id = %(marketplace)s AND b.line_id = o.line_id
     AND b.sequence = o.sequence - 1
JOIN orders_outcome f ON f.marketplace_id = %(marketplace)s AND f.line_id = o.line_id
     AND f.sequence = 0
LEFT JOIN LATERAL (
    SELECT terms_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = o.line_id AND sequence = 0
      AND basis_on = f.basis_on
    LIMIT 1
) s ON true
WHERE q.marketplace_id = %(marketplace)s AND q.seller_id = %(seller)s AND o.sequence > 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that might be sold, or a charge of another stream. Amounts in minor units."""

    unit_price: int
    quantity: int = 1
    category_id: int | None = None
    stream: str = "goods"
    listing_kind: str = "goods"
    channel: str = ""
    tax_kind: str = pricing.TAXABLE
    seller_discount: int = 0
    platform_discount: int = 0
    partner_discount: int = 0

    @property
    def remainder(self) -> Remainder:
        return Remainder(
            self.quantity,
            self.unit_price * self.quantity,
            self.seller_discount,
            self.platform_discount,
            self.partner_discount,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an item would be charged, and why. `components` are in the schedule's order."""

    item: Item
    on: date
    schedule: str
    version: int
    contract: int | None  # the version of the seller's contract, where there is one
    grade: str | None
    fee: int
    vat: int
    net: int
    components: tuple[Explanation, ...]


@dataclass(slots=True)
class Part:
    """What some lines come to: `sales` is the price less the seller's own discount."""

    lines: int = 0
    sales: int = 0
    fee: int = 0
    vat: int = 0
    net: int = 0

    def add(self, lines: int, sales: int, fee: int, vat: int, net: int) -> None:
        self.lines += lines
        self.sales += sales
        self.fee += fee
        self.vat += vat
        self.net += net


@dataclass(frozen=True, slots=True)
class Expected:
    """What is sold but not settled, by stage, and apart from it what open claims hold back."""

    stages: dict[str, Part] = field(default_factory=lambda: {stage: Part() for stage in STAGES})
    held: Part = field(default_factory=Part)

    @property
    def net(self) -> int:
        return sum(stage.net for stage in self.stages.values())

    @property
    def lines(self) -> int:
        return sum(stage.lines for stage in self.stages.values())


def of_item(seller: Seller, item: Item, *, on: date) -> Estimate:
    """What the seller would be charged for an item paid on a day; see `of_items`."""
    [estimate] = of_items(seller, [item], on=on)
    return estimate


def of_items(
    seller: Seller, items: Iterable[Item], *, on: date, book: RateBook | None = None
) -> list[Estimate]:
    """Estimate the charges on items that a buyer pays on a day, by the rules known today.

    By a `book` of one's own where something is supposed. Refuses prices and discounts that no
    order could have, and a day on which no rules or no calendar are in force.
    """
    items = list(items)
    for item in items:
        check(item)
    book = book or book_of(seller, on)
    contract = book.contract(seller.pk, on)
    numbers: dict[int, tuple[str, int]] = {}
    estimates = []
    for item in items:
        day = book.seller_day(seller.pk, on)
        terms = terms_of(book, seller.pk, on, kind_of(item, seller), item.unit_price)
        if terms.version_id not in numbers:
            numbers[terms.version_id] = _version(terms.version_id)
        schedule, version = numbers[terms.version_id]
        amounts = amounts_of(item.remainder)
        _, fee, vat, net = fees.figures(terms, *amounts)
        estimates.append(
            Estimate(
                item=item,
                on=on,
                schedule=schedule,
                version=version,
                contract=contract.number if contract else None,
                grade=day.grade,
                fee=fee,
                vat=vat,
                net=net,
                components=fees.explain(terms, *amounts),
            )
        )
    return estimates


def expected(seller: Seller, *, on: date) -> Expected:
    """What is sold and not yet on a closed statement, as if nothing more happened to it.

    Paid, shipped, delivered, and confirmed lines are computed by the terms of their day of
    payment; lines of open statements are settled already. A line with an open claim is not
    confirmed before the claim is decided: all of it is held. Memory does not grow with the number
    of lines. The caller has entered the marketplace; its business day is `on`.
    """
    result = Expected()
    book = book_of(seller, on)
    parameters = {"marketplace": tenancy.current_id(), "seller": seller.pk}
    for stage, terms, remainder, count in _kinds_of_open_lines(book, seller, parameters):
        _, fee, vat, net = fees.figures(terms, *amounts_of(remainder))
        into = result.held if stage == HELD else result.stages[stage]
        sales = remainder.after_seller_discount
        into.add(count, count * sales, count * fee, count * vat, count * net)
    confirmed = result.stages[CONFIRMED]
    for terms, back in _waiting_reversals(book, seller, parameters):
        fee, vat = terms.sums(back.charged)
        confirmed.add(1, -(back.list_amount - back.seller_discount), -fee, -vat, -back.net)
    result.stages[IN_STATEMENTS].add(*_in_statements(seller))
    return result


def book_of(seller: Seller, on: date) -> RateBook:
    """The rules and grades that hold for a seller, as known on a day."""
    return RateBook(on=on, first_seller=seller.pk, end_seller=seller.pk + 1)


def terms_of(book: RateBook, seller_id: int, rate_on: date, kind: tuple, unit_price: int) -> Terms:
    """The terms of a line of a kind (see rating.SellerDay.plan), paid on a day."""
    day = book.seller_day(seller_id, rate_on)
    return (day.plans.get(kind) or day.plan(kind, rate_on)).terms(unit_price)


def kind_of(item: Item, seller: Seller) -> tuple:
    """What of an item and its seller decides which plan holds (see rating.SellerDay.plan)."""
    about = (item.stream, item.category_id, item.listing_kind, item.channel)
    return (*about, seller.seller_type, item.tax_kind == pricing.TAXABLE)


def kind_of_line(line: OrderLine) -> tuple:
    """What of an order line decides which plan holds (see rating.SellerDay.plan)."""
    about = (line.stream, line.category_id, line.listing_kind, line.channel)
    return (*about, line.seller_type, line.tax_kind == pricing.TAXABLE)


def _kinds_of_open_lines(
    book: RateBook, seller: Seller, parameters: dict
) -> Iterator[tuple[str, Terms, Remainder, int]]:
    for row in runs.stream("expected", _OPEN, parameters):
        stage, rate_on, *kind, unit_price = row[:9]
        terms = terms_of(book, seller.pk, rate_on, tuple(kind), unit_price)
        yield stage, terms, remainders.remaining(unit_price, *row[9:14]), row[14]


def _waiting_reversals(
    book: RateBook, seller: Seller, parameters: dict
) -> Iterator[tuple[Terms, reversals.Value]]:
    stored = runs.StoredTerms(book)
    for rate_on, *row in runs.stream("expected_back", _REVERSALS, parameters):
        after, before, sold = (Remainder(*row[at : at + 5]) for at in (7, 12, 17))
        if (terms_id := row[22]) is None:
            terms = terms_of(book, seller.pk, rate_on, tuple(row[:6]), row[6])
        else:
            terms = stored[terms_id]
        yield terms, reversals.reversed_between(terms, sold, before, after)


def _in_statements(seller: Seller) -> tuple[int, int, int, int, int]:
    sums = (
        Statement.objects.open()
        .filter(seller=seller)
        .aggregate(*(Sum(name) for name in _STATEMENT_SUMS))
    )
    lines, listed, discount, fee, vat, net = (sums[f"{name}__sum"] or 0 for name in _STATEMENT_SUMS)
    return lines, listed - discount, fee, vat, net


_STATEMENT_SUMS = ("lines", "list_amount", "seller_discount", "fee", "vat", "net")


def _version(version_id: int) -> tuple[str, int]:
    version = FeeScheduleVersion.objects.select_related("schedule").get(pk=version_id)
    return version.schedule.code, version.number


def amounts_of(remainder: Remainder) -> tuple[int, int, int, int, int]:
    """A remainder as fees.figures takes it."""
    return (
        remainder.quantity,
        remainder.list_amount,
        remainder.seller_discount,
        remainder.platform_discount,
        remainder.partner_discount,
    )


def check(item: Item) -> None:
    """Refuse an item that no order could have."""
    verdicts.check_between("unit_price", item.unit_price, 0, verdicts.LARGEST_AMOUNT)
    verdicts.check_between("quantity", item.quantity, 1, verdicts.LARGEST_QUANTITY)
    for name in ("seller_discount", "platform_discount", "partner_discount"):
        verdicts.check_between(name, getattr(item, name), 0, item.unit_price * item.quantity)
