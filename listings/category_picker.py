"""Categories to choose from: all of them where there are few, otherwise those that were typed.

A category is told by its way from the root, and found by its own name or by that of any above.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from listings.models import Category

SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Choice:
    code: str
    way: str


def search(text: str = "", *, chosen: str = "") -> tuple[list[Choice], bool]:
    """Choices in the order of the tree, the chosen one first, and whether there are more."""
    rows = Category.objects.order_by("path")
    if words := text.split():
        named = rows.filter(name__icontains=words[-1])
        for word in words[:-1]:
            named = named.filter(name__icontains=word)
        # Whatever lies under a name that fits.
        rows = rows.filter(path__overlap=list(named.values_list("pk", flat=True)))
    found = list(rows[: SHOWN + 1])
    is_more = len(found) > SHOWN
    found = [category for category in found[:SHOWN] if category.code != chosen]
    if chosen:
        found = [*Category.objects.filter(code=chosen), *found]
    return _choices(found), is_more


def ways(categories: Iterable[Category]) -> dict[int, str]:
    """The way from the root to each category, by its id."""
    categories = list(categories)
    ids = {pk for category in categories for pk in category.path}
    names = dict(Category.objects.filter(pk__in=ids).values_list("pk", "name"))
    return {
        category.pk: " › ".join(names[pk] for pk in category.path if pk in names)
        for category in categories
    }


def _choices(categories: list[Category]) -> list[Choice]:
    told = ways(categories)
    return [Choice(category.code, told[category.pk]) for category in categories]
