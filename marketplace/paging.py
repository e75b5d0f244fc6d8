"""Pages of a list, newest first, each as quick as the first however long the list has grown.

A page is found by the key of a row at its edge, never by counting: an offset reads everything
before it, and a count reads everything.
"""

from dataclasses import dataclass

SIZE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; `newer` and `older` are the keys that the pages beside it are asked by."""

    rows: list
    newer: int | None
    older: int | None

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)


def page(parameters, queryset, *, size: int = SIZE) -> Page:
    """The page of `queryset` that the address asks for by ?before=KEY or ?after=KEY.

    Rows come by falling primary key, whatever order the queryset had; a key that is no number
    asks for the first page.
    """
    before, after = _key(parameters.get("before")), _key(parameters.get("after"))
    if after is not None:
        found = list(queryset.filter(pk__gt=after).order_by("pk")[: size + 1])
        rows = found[:size][::-1]
        return Page(rows, _edge(rows, 0, len(found) > size), rows[-1].pk if rows else None)
    if before is not None:
        queryset = queryset.filter(pk__lt=before)
    found = list(queryset.order_by("-pk")[: size + 1])
    rows = found[:size]
    return Page(rows, _edge(rows, 0, before is not None), _edge(rows, -1, len(found) > size))


def _edge(rows, at: int, is_more: bool) -> int | None:
    return rows[at].pk if rows and is_more else None


def _key(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
