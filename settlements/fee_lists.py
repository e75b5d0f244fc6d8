"""What a seller is charged by category, now and from the days on which it changes.

Asked of the rate book that settles, for each category and price at which the answer could differ;
a category that is charged as the one above it is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product

from listings.models import Category
from sellers.models import Seller
from settlements.fees import Charge
from settlements.models import FeeScheduleVersion
from settlements.rating import RateBook

_DEFAULT = ("goods", "", "goods")  # stream, channel, kind of listing
_Prices = tuple[tuple[int, Charge | None], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A charge on a category (None: all others) from a unit price up to, but not with, another.

    `path` names the categories from the root down to it.
    """

    category: Category | None
    path: tuple[str, ...]
    price_from: int
    price_to: int | None
    charge: Charge | None  # nothing is charged


@dataclass(frozen=True, slots=True)
class Section:
    """The charges of one component on lines of one stream, channel and kind of listing."""

    component: str
    stream: str
    channel: str
    listing_kind: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class FeeList:
    """Everything a seller is charged on lines that are paid on a day."""

    on: date
    version_id: int
    number: int
    valid_from: date
    contract: int | None  # the version of the seller's contract, where there is one
    vat_rate_ppm: int
    takes_sale_vat: bool  # beside all fees, where the marketplace issues the sales
    grade: str | None
    sections: tuple[Section, ...]


def of_seller(seller: Seller, *, on: date) -> tuple[FeeList, list[FeeList]]:
    """The seller's fees on a day, and those of each later day from which on they differ.

    By the grade that he has now. Raises rate_cards.NoVersionInForce where no fees are in force.
    """
    book = RateBook(on=on, first_seller=seller.pk, end_seller=seller.pk + 1)
    categories = _in_tree_order()
    versions = {
        row.pk: row
        for row in FeeScheduleVersion.objects.published().filter(
            schedule__code__in=book.contracts.schedules_of(seller.pk)
        )
    }
    today = _on(on, book, seller, categories, versions)
    announced = []
    last = today
    for day in sorted(_change_days(book, seller, on, versions)):
        following = _on(day, book, seller, categories, versions)
        if _told(following) != _told(last):
            announced.append(following)
            last = following
    return today, announced


def changed(before: FeeList, after: FeeList) -> tuple[Section, ...]:
    """The sections of `after` that `before` does not have so, each with its new rows alone."""
    known = _told(before)
    found = []
    for section in after.sections:
        about = _about(section)
        rows = tuple(row for row in section.rows if (about, _key(row)) not in known)
        if rows:
            found.append(Section(*about, rows))
    return tuple(found)


def _on(day: date, book: RateBook, seller: Seller, categories, versions) -> FeeList:
    of_day = book.seller_day(seller.pk, day)
    schedule = of_day.schedule
    version = versions[schedule.version_id]
    contract = book.contract(seller.pk, day)
    return FeeList(
        on=day,
        version_id=version.pk,
        number=version.number,
        valid_from=version.valid_from,
        contract=contract.number if contract else None,
        vat_rate_ppm=schedule.vat_rate_ppm,
        takes_sale_vat=schedule.takes_sale_vat,
        grade=of_day.grade,
        sections=tuple(_sections(of_day, day, seller, categories)),
    )


def _change_days(book: RateBook, seller: Seller, on: date, versions) -> set[date]:
    """Days after `on` that a published version names: its own beginning, or that of a rule."""
    starts = {version.valid_from for version in versions.values()}
    starts |= book.contracts.starts_of(seller.pk)
    known = {day for day in starts if day > on}
    for start in [on, *known]:
        known.update(day for day in book.seller_day(seller.pk, start).schedule.change_days)
    return {day for day in known if day > on}


def _sections(of_day, day: date, seller: Seller, categories) -> Iterator[Section]:
    """Per component, the default kind of line first; other kinds only where they differ."""
    schedule = of_day.schedule
    kinds = sorted(
        product(
            {_DEFAULT[0], *schedule.named("stream")},
            {_DEFAULT[1], *schedule.named("channel")},
            {_DEFAULT[2], *schedule.named("listing_kind")},
        ),
        key=lambda kind: (kind != _DEFAULT, kind),
    )
    answers = {
        kind: [
            (category, _by_component(of_day, day, seller, category, kind))
            for category in (None, *categories)
        ]
        for kind in kinds
    }
    for component in schedule.components:
        told: list[tuple[str, tuple[Row, ...]]] = []
        for kind in kinds:
            rows = _rows(component, answers[kind])
            stream = kind[0]
            if rows and (stream, rows) not in told:
                told.append((stream, rows))
                yield Section(component, *kind, rows)


def _by_component(of_day, day: date, seller: Seller, category, kind) -> dict[str, _Prices]:
    """The charge of each component at each price from which on another may apply."""
    stream, channel, listing_kind = kind
    key = (
        stream,
        category.pk if category else None,
        listing_kind,
        channel,
        seller.seller_type,
        False,
    )
    plan = of_day.plans.get(key) or of_day.plan(key, day)
    charges = {
        price: {charge.rule.component: charge for charge in plan.terms(price).charges}
        for price in plan.prices
    }
    return {
        component: tuple(_merged((price, charges[price].get(component)) for price in charges))
        for component in of_day.schedule.components
    }


def _merged(prices) -> Iterator[tuple[int, Charge | None]]:
    """Leave out a price that changes nothing for this component."""
    before: tuple = ()
    for price, charge in prices:
        if not before or _terms(charge) != _terms(before[0]):
            yield price, charge
        before = (charge,)


def _rows(component: str, answers) -> tuple[Row, ...]:
    """The rows of the categories that are not charged as the one above them."""
    by_category: dict[int | None, _Prices] = {}
    names = {category.pk: category.name for category, _ in answers if category}
    rows: list[Row] = []
    for category, components in answers:
        prices = components[component]
        parent = by_category[category.parent_id] if category else ((0, None),)
        by_category[category.pk if category else None] = prices
        if [(start, _terms(charge)) for start, charge in prices] == [
            (start, _terms(charge)) for start, charge in parent
        ]:
            continue
        ends = [start for start, _ in prices[1:]] + [None]
        path = tuple(names[key] for key in category.path) if category else ()
        rows.extend(
            Row(category, path, start, end, charge)
            for (start, charge), end in zip(prices, ends, strict=True)
        )
    return tuple(rows)


def _terms(charge: Charge | None) -> tuple | None:
    """What is charged, whichever rule says so."""
    if charge is None:
        return None
    rule = charge.rule
    return (
        rule.base,
        charge.bands(),
        charge.percents_off_ppm,
        rule.fixed_amount,
        rule.per_unit,
        rule.min_amount,
        rule.max_amount,
        rule.mode,
        rule.vat_kind,
    )


def _told(fees: FeeList) -> set[tuple]:
    """What a list says, whichever version and rules say it."""
    return {(_about(section), _key(row)) for section in fees.sections for row in section.rows}


def _key(row: Row) -> tuple:
    category_id = row.category.pk if row.category else None
    return (category_id, row.price_from, row.price_to, _terms(row.charge))


def _about(section: Section) -> tuple[str, str, str, str]:
    return (section.component, section.stream, section.channel, section.listing_kind)


def _in_tree_order() -> list[Category]:
    """Every category after the one above it."""
    return sorted(Category.objects.all(), key=lambda category: category.path)
