"""What a seller would keep of an item: with another grade, category or channel, and elsewhere.

Every figure is an estimate of settlements.estimates, so by the functions that settle; what other
marketplaces charge is data (settlements.published_rates).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from listings.models import Category
from marketplace import money, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from sellers import grades
from sellers.grading import Grade
from sellers.models import GradePolicy, Seller
from settlements import estimates, price_search, published_rates
from settlements.estimates import Estimate, Item
from settlements.published_rates import Published
from settlements.rating import RateBook


class UnknownGrade(Refused):
    code = "unknown_grade"
    message = gettext_noop("There is no grade “%(grade)s”. There are: %(grades)s.")


class NoSuchPrice(Refused):
    code = "no_such_price"
    message = gettext_noop("No price up to the largest possible one leaves %(wanted)s.")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is left of the price at what another marketplace is known to charge, without VAT."""

    rate: Published
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """An item as it is, and what it would leave were one thing different."""

    own: Estimate
    grades: tuple[tuple[Grade, Estimate], ...]
    channels: tuple[tuple[str, Estimate], ...]
    categories: tuple[tuple[Category, Estimate], ...]  # those that differ, the best first
    elsewhere: tuple[Elsewhere, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a seller may suppose: channels that fees differ by, and grades; whether VAT of the item
    is taken off, so that it has to be told."""

    channels: tuple[str, ...]
    grades: tuple[Grade, ...]
    takes_sale_vat: bool


def choices(seller: Seller, *, on: date) -> Choices:
    """What can be supposed on a day. Raises what settlements.rate_cards raises without fees."""
    schedule = estimates.book_of(seller, on).seller_day(seller.pk, on).schedule
    channels = tuple(sorted(schedule.named("channel")))
    return Choices(channels, _grades(on), schedule.takes_sale_vat)


def estimate(seller: Seller, item: Item, *, on: date, grade: str = "") -> Estimate:
    """What the item would leave, with the seller's own grade or a supposed one."""
    [found] = estimates.of_items(seller, [item], on=on, book=_book(seller, on, grade))
    return found


def compare(seller: Seller, item: Item, *, on: date, grade: str = "") -> Comparison:
    """Compare an item across grades, channels, categories and other marketplaces.

    Raises what settlements.estimates raises, and UnknownGrade.
    """
    book = _book(seller, on, grade)
    own = _one(seller, item, on, book)
    schedule = book.seller_day(seller.pk, on).schedule
    channels = sorted({"", *schedule.named("channel"), item.channel})
    return Comparison(
        own=own,
        grades=tuple(_by_grade(seller, item, on)),
        channels=tuple(
            (channel, _one(seller, replace(item, channel=channel), on, book))
            for channel in channels
        ),
        categories=_categories(seller, item, own, on, book),
        elsewhere=tuple(_elsewhere(item, on)),
    )


def price_for(seller: Seller, item: Item, wanted: int, *, on: date, grade: str = "") -> Estimate:
    """The item at the smallest unit price that leaves the seller at least `wanted`.

    The item's own price counts for nothing. Raises NoSuchPrice, price_search.NotSearchable, and
    what `compare` raises.
    """
    verdicts.check_between("wanted", wanted, 0, verdicts.LARGEST_AMOUNT)
    estimates.check(replace(item, unit_price=verdicts.LARGEST_AMOUNT))
    book = _book(seller, on, grade)
    day = book.seller_day(seller.pk, on)
    kind = estimates.kind_of(item, seller)
    plan = day.plans.get(kind) or day.plan(kind, on)
    price = price_search.smallest(
        wanted,
        [(start, plan.terms(start)) for start in plan.prices],
        quantity=item.quantity,
        seller_discount=item.seller_discount,
        other_discount=item.platform_discount + item.partner_discount,
        highest=verdicts.LARGEST_AMOUNT // item.quantity,
    )
    if price is None:
        raise NoSuchPrice(wanted=money.plain(wanted, tenancy.current().currency_exponent))
    return _one(seller, replace(item, unit_price=price), on, book)


def _book(seller: Seller, on: date, grade: str) -> RateBook:
    book = estimates.book_of(seller, on)
    if grade:
        policy = GradePolicy.objects.on(on)
        known = [each.code for each in _grades(on)]
        if grade not in known:
            raise UnknownGrade(grade=grade, grades=", ".join(known))
        book.suppose(policy.pk, grade)
    return book


def _one(seller: Seller, item: Item, on: date, book: RateBook) -> Estimate:
    [found] = estimates.of_items(seller, [item], on=on, book=book)
    return found


def _by_grade(seller: Seller, item: Item, on: date) -> Iterator[tuple[Grade, Estimate]]:
    policy = GradePolicy.objects.on(on)
    book = estimates.book_of(seller, on)
    for grade in _grades(on):
        book.suppose(policy.pk, grade.code)
        yield grade, _one(seller, item, on, book)


def _grades(on: date) -> tuple[Grade, ...]:
    """The grades of the policy in force, from the lowest one on."""
    policy = GradePolicy.objects.on(on)
    return tuple(grades.load(policy).grades) if policy else ()


def _categories(
    seller: Seller, item: Item, own: Estimate, on: date, book: RateBook
) -> tuple[tuple[Category, Estimate], ...]:
    """Categories that leave something else than the one above them, and than the item's own."""
    rows = sorted(Category.objects.all(), key=lambda category: category.path)
    items = [replace(item, category_id=row.pk) for row in rows]
    found = dict(zip(rows, estimates.of_items(seller, items, on=on, book=book), strict=True))
    nets = {row.pk: estimate.net for row, estimate in found.items()}
    differing = [
        (row, estimate)
        for row, estimate in found.items()
        if estimate.net != own.net and nets.get(row.parent_id) != estimate.net
    ]
    return tuple(sorted(differing, key=lambda each: -each[1].net))


def _elsewhere(item: Item, on: date) -> Iterator[Elsewhere]:
    price = item.remainder.after_seller_discount
    what = published_rates.LIVE if item.channel == "live" else published_rates.CATEGORY
    for rate in published_rates.known(on, what=what):
        yield Elsewhere(rate, *rate.left_of(price))
