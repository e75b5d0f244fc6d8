"""Pages of a list, newest first, each as quick as the first however long the list has grown.

A page is found by the key of a row at its edge, never by counting: an offset reads everything
before it, and a count reads everything. What has to be counted is counted up to a limit.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

SIZE = 50
MOST_COUNTED = 1_000  # of what waits; nobody needs to know how many more


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; `newer` and `older` are the keys that the pages beside it are asked by."""

    rows: list
    newer: Any
    older: Any

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)


def page(parameters, queryset, *, size: int = SIZE, by_day: str | None = None) -> Page:
    """The page of `queryset` that the address asks for by ?before=KEY or ?after=KEY.

    Rows come by falling primary key, or by a field of days of which each stands once in the
    queryset, whatever order it had; a key that is none asks for the first page.
    """
    field, read = (by_day, _day) if by_day else ("pk", _key)
    before, after = read(parameters.get("before")), read(parameters.get("after"))
    if after is not None:
        found = list(queryset.filter(**{f"{field}__gt": after}).order_by(field)[: size + 1])
        rows = found[:size][::-1]
        is_newer, is_older = len(found) > size, bool(rows)
    else:
        if before is not None:
            queryset = queryset.filter(**{f"{field}__lt": before})
        found = list(queryset.order_by(f"-{field}")[: size + 1])
        rows = found[:size]
        is_newer, is_older = before is not None, len(found) > size
    return Page(rows, _edge(rows, 0, field, is_newer), _edge(rows, -1, field, is_older))


def page_of_keys(parameters, queryset, column: str, *, size: int = SIZE) -> Page:
    """As `page`, of the different values of a key column, for rows that belong together.

    Cheap where an index holds the rows by that column.
    """
    before, after = _key(parameters.get("before")), _key(parameters.get("after"))
    keys = queryset.values_list(column, flat=True).distinct()
    if after is not None:
        found = list(keys.filter(**{f"{column}__gt": after}).order_by(column)[: size + 1])
        shown = found[:size][::-1]
        newer = shown[0] if shown and len(found) > size else None
        return Page(shown, newer, shown[-1] if shown else None)
    if before is not None:
        keys = keys.filter(**{f"{column}__lt": before})
    found = list(keys.order_by(f"-{column}")[: size + 1])
    shown = found[:size]
    newer = shown[0] if shown and before is not None else None
    return Page(shown, newer, shown[-1] if len(found) > size else None)


def up_to_the_limit(queryset):
    """The rows to count of a queryset: one more than MOST_COUNTED says that there are more."""
    return queryset[: MOST_COUNTED + 1]


def counted(count: int) -> str:
    """A number of `up_to_the_limit`, as it is shown."""
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def _edge(rows, at: int, field: str, is_more: bool):
    return getattr(rows[at], field) if rows and is_more else None


def _key(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
