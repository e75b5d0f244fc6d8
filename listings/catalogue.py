"""Categories and listings in bulk, for presets, fee schedules and imports.

"Ensure" means: what is missing is made, what exists stays as it is, whoever made it. A few
statements for any number of rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

from listings.models import Category, Listing, Revision
from marketplace import tenancy
from marketplace.refusals import Refused, gettext_noop

_BATCH = 5_000


class ParentUnknown(Refused):
    code = "category_parent_unknown"
    message = gettext_noop("Category “%(code)s” names a parent “%(parent)s” that does not exist.")


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category wanted; its parent stands before it or exists."""

    code: str
    name: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class ListingRow:
    """A listing wanted, with the words of its first revision."""

    seller_id: int
    code: str
    title: str
    unit_price: int
    category_id: int | None = None
    kind: str = "goods"
    description: str = ""


@transaction.atomic
def ensure_categories(rows: Iterable[CategoryRow]) -> dict[str, Category]:
    """Make the categories that are missing; return all of the marketplace's by code.

    Refuses a row whose parent neither exists nor stands before it.
    """
    # Paths hold ids, so two imports must not invent the same branch at once.
    _lock("listings.categories")
    known = {category.code: category for category in Category.objects.all()}
    wanted = {row.code: row for row in rows if row.code not in known}
    made = []
    for pk, row in zip(_ids(Category, len(wanted)), wanted.values(), strict=True):
        path = [pk]
        if row.parent is not None:
            if row.parent not in known:
                raise ParentUnknown(code=row.code, parent=row.parent)
            path = [*known[row.parent].path, pk]
        parent_id = path[-2] if len(path) > 1 else None
        category = Category(pk=pk, code=row.code, name=row.name, parent_id=parent_id, path=path)
        known[row.code] = category
        made.append(category)
    Category.objects.bulk_create(made, batch_size=_BATCH)
    return known


@transaction.atomic
def ensure_listings(rows: Iterable[ListingRow]) -> dict[tuple[int, str], Listing]:
    """Make the listings that are missing, on sale with one approved revision.

    Returns those asked for by seller id and code. History that is imported was on sale already,
    so no policy is asked. A listing that exists keeps its words and its state.
    """
    wanted = {(row.seller_id, row.code): row for row in rows}
    known = _listings(wanted)
    # In the order of their keys, so that two imports wait for each other instead of deadlocking.
    missing = [wanted[key] for key in sorted(wanted.keys() - known.keys())]
    if not missing:
        return known
    listing_ids, revision_ids = _ids(Listing, len(missing)), _ids(Revision, len(missing))
    # The reference to the live revision is checked at the end of the transaction, so that a
    # listing can be born on sale: there is no earlier state that it moved from.
    Listing.objects.bulk_create(
        [
            Listing(
                pk=pk,
                seller_id=row.seller_id,
                code=row.code,
                kind=row.kind,
                state=Listing.State.ON_SALE,
                live_revision_id=revision_id,
            )
            for pk, revision_id, row in zip(listing_ids, revision_ids, missing, strict=True)
        ],
        ignore_conflicts=True,
        batch_size=_BATCH,
    )
    known = _listings(wanted)
    made = set(listing_ids) & {listing.pk for listing in known.values()}
    Revision.objects.bulk_create(
        [
            Revision(
                pk=revision_id,
                listing_id=pk,
                number=1,
                category_id=row.category_id,
                title=row.title[:300],
                description=row.description,
                unit_price=row.unit_price,
                state=Revision.State.APPROVED,
            )
            for pk, revision_id, row in zip(listing_ids, revision_ids, missing, strict=True)
            if pk in made
        ],
        batch_size=_BATCH,
    )
    return known


def _listings(keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Listing]:
    pairs = list(keys)
    found = Listing.objects.extra(
        where=["(seller_id, code) IN (SELECT * FROM unnest(%s::bigint[], %s::text[]))"],
        params=[[seller for seller, _ in pairs], [code for _, code in pairs]],
    )
    return {(listing.seller_id, listing.code): listing for listing in found}


def _ids(model, count: int) -> list[int]:
    """Take `count` ids from a table's sequence, for rows that refer to each other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [name, tenancy.current_id()]
        )
