"""Why a payment day comes to another amount than was forecast, item by item.

Both sides name what each sold line, and each return of one, is expected or settled to come to and
on which day. Each item's difference has one reason, and they add up to the difference of the day.
Values in, values out; amounts are minor units.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

NEW: Final = "new_sale"
RETURNED: Final = "returned"
CANCELLED: Final = "cancelled"
REDUCED: Final = "reduced"  # some of its units, or of its price
HELD: Final = "held"
RELEASED: Final = "released"
LATER: Final = "later"  # it is paid on a later day than was forecast
EARLIER: Final = "earlier"
CAME_LATER: Final = "came_later"  # it was forecast for an earlier day
CAME_EARLIER: Final = "came_earlier"
FEES: Final = "fees"
ADJUSTED: Final = "adjusted"  # an amount beside sales
REASONS: Final = (
    NEW,
    ADJUSTED,
    CAME_LATER,
    CAME_EARLIER,
    RELEASED,
    FEES,
    REDUCED,
    CANCELLED,
    RETURNED,
    HELD,
    LATER,
    EARLIER,
)

Key: TypeAlias = tuple[int, int]
"""An order line, and the number of its outcome: 0 is the sale, others give back. An amount beside
sales has a number below zero in place of an order line; with −1 it is what was paid ahead on it."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a line is expected or settled to come to; without a day it is held."""

    due_on: date | None
    sales: int  # the price less the seller's own discount
    net: int


@dataclass(frozen=True, slots=True)
class Change:
    """One item that makes a day differ from its forecast, and by how much."""

    key: Key
    reason: str
    amount: int
    was_due_on: date | None
    is_due_on: date | None


def explain(day: date, before: Mapping[Key, Item], after: Mapping[Key, Item]) -> list[Change]:
    """Return what makes the day differ, in the order of REASONS, the largest amounts first."""
    changes = []
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        was = old.net if old and old.due_on == day else 0
        now = new.net if new and new.due_on == day else 0
        if was != now:
            changes.append(
                Change(
                    key,
                    _reason(day, key, old, new),
                    now - was,
                    old.due_on if old else None,
                    new.due_on if new else None,
                )
            )
    changes.sort(key=lambda each: (REASONS.index(each.reason), -abs(each.amount), each.key))
    return changes


def total(day: date, items: Iterable[Item]) -> int:
    """Return what the items come to on a day."""
    return sum(item.net for item in items if item.due_on == day)


def sums(changes: Iterable[Change]) -> dict[str, tuple[int, int]]:
    """Return how many items each reason has, and what they come to together."""
    found: dict[str, tuple[int, int]] = {}
    for change in changes:
        count, amount = found.get(change.reason, (0, 0))
        found[change.reason] = (count + 1, amount + change.amount)
    return found


def _reason(day: date, key: Key, old: Item | None, new: Item | None) -> str:
    if old is None:
        return ADJUSTED if key[0] < 0 else RETURNED if key[1] else NEW
    if new is None:
        return CANCELLED
    if old.due_on == new.due_on:
        return FEES if old.sales == new.sales else REDUCED
    if old.due_on is None:
        return RELEASED
    if new.due_on is None:
        return HELD
    if old.due_on == day:
        return LATER if new.due_on > day else EARLIER
    return CAME_LATER if old.due_on < day else CAME_EARLIER
