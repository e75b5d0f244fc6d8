"""What an import needs to be there before its orders: sellers, categories, listings.

What exists stays as it is, whoever made it. Rows come sorted by their code; of several with one
code the first is taken and the others are told.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final

from listings import catalogue
from listings.catalogue import CategoryRow, ListingRow
from listings.models import Category
from marketplace import tenancy
from orders.gathering import REJECTED, At, NumberRepeated, Told
from orders.sorting import Row
from sellers import registering
from sellers.models import Seller
from sellers.registering import SellerRow

BATCH: Final = 2_000
PRODUCT: Final = 0
LINE: Final = 1  # after the product of the same code

Tell = Callable[[Told], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class For:
    """Whom something is brought in for, by whom, when, and where that is told and counted."""

    marketplace_id: int
    by: Any
    at: datetime
    tell: Tell
    counts: Counter[str]


def bring_sellers(rows: Iterable[Row], whom: For) -> None:
    """Make the sellers that are missing, from rows of code, file, row and values."""
    for batch in _batches(_first_of_each(rows, whom.tell)):
        with tenancy.use(whom.marketplace_id, durable=True) as marketplace:
            registering.ensure_sellers(
                [
                    SellerRow(
                        code=code,
                        name=values["name"],
                        business_number=values.get("business_number", ""),
                        joined_on=marketplace.first_open_on,
                    )
                    for code, _, _, values in batch
                ],
                by=whom.by,
                at=whom.at,
            )
        whom.counts["sellers"] += len(batch)


def bring_categories(rows: Iterable[Row], whom: For) -> None:
    """Make the categories that are missing, from rows of code, file, row and values."""
    for batch in _batches(_first_of_each(rows, whom.tell)):
        with tenancy.use(whom.marketplace_id, durable=True):
            catalogue.ensure_categories(
                CategoryRow(code, values["name"]) for code, _, _, values in batch
            )
        whom.counts["categories"] += len(batch)


def bring_listings(rows: Iterable[Row], whom: For) -> None:
    """Make a listing for each product that a seller sold.

    From rows of code, PRODUCT or LINE, file, row and values. The product's row, where there is
    one, gives title and category; a category that nobody named is made with its code for a name.
    Products that nobody sold have no seller to be listed by, and are left out.
    """
    for batch in _batches(_wanted(rows, whom.tell)):
        with tenancy.use(whom.marketplace_id, durable=True):
            _ensure_listings(batch)
        whom.counts["listings"] += len(batch)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A listing wanted, of a seller who may not exist."""

    seller: str
    code: str
    title: str
    category: str
    unit_price: int


def _wanted(rows: Iterable[Row], tell: Tell) -> Iterator[_Wanted]:
    for code, group in groupby(rows, key=itemgetter(0)):
        product: dict[str, Any] | None = None
        sellers: set[str] = set()
        for _, kind, file, number, values in group:
            if kind == PRODUCT and product is None:
                product = values
            elif kind == PRODUCT:
                tell(_repeated(code, At(file, number)))
            elif values["seller"] not in sellers:
                sellers.add(values["seller"])
                told = product or {}
                yield _Wanted(
                    seller=values["seller"],
                    code=code,
                    title=told.get("title") or values.get("title") or code,
                    category=told.get("category") or values.get("category") or "",
                    unit_price=values["unit_price"],
                )


def _ensure_listings(batch: Iterable[_Wanted]) -> None:
    batch = list(batch)
    sellers = dict(
        Seller.objects.filter(code__in={wanted.seller for wanted in batch}).values_list(
            "code", "pk"
        )
    )
    codes = {wanted.category for wanted in batch if wanted.category}
    known = set(Category.objects.filter(code__in=codes).values_list("code", flat=True))
    categories = {}
    if missing := sorted(codes - known):
        categories = catalogue.ensure_categories(CategoryRow(code, code) for code in missing)
    elif codes:
        categories = {found.code: found for found in Category.objects.filter(code__in=codes)}
    catalogue.ensure_listings(
        ListingRow(
            seller_id=sellers[wanted.seller],
            code=wanted.code,
            title=wanted.title,
            unit_price=wanted.unit_price,
            category_id=categories[wanted.category].pk if wanted.category else None,
        )
        for wanted in batch
        if wanted.seller in sellers
    )


def _first_of_each(rows: Iterable[Row], tell: Tell) -> Iterator[Row]:
    last = None
    for row in rows:
        code, file, number, _ = row
        if code == last:
            tell(_repeated(code, At(file, number)))
        else:
            yield row
        last = code


def _repeated(code: str, at: At) -> Told:
    return Told(REJECTED, at, code, "", NumberRepeated(value=code))


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch
