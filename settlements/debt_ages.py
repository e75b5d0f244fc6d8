"""How old a debt is, in the classes by which operators look after debts. Amounts in minor units."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

AGES: Final = (30, 60, 90)  # days: up to the first, the second, the third, and more


def age_class(since: date, on: date) -> int:
    """Which class a debt belongs to: 0 for the youngest, len(AGES) for the oldest."""
    days = (on - since).days
    return sum(days > limit for limit in AGES)


def current_run(carries: Iterable[tuple[date, int]]) -> date | None:
    """Since when a seller owes without a break, from what each statement carried on, by day.

    None where the last statement carried no debt.
    """
    since = None
    for on, carry in carries:
        if carry >= 0:
            since = None
        elif since is None:
            since = on
    return since


def shares(amount: int, debts: Mapping[str, tuple[date, int]]) -> dict[str, int]:
    """How much of an amount settles each of several debts, the oldest first.

    `debts` are days and amounts by name; of one day the one that is named first is settled first.
    What the amount does not reach, or what owes nothing, is not in the answer.
    """
    found: dict[str, int] = {}
    for name, (_, owed) in sorted(debts.items(), key=lambda debt: debt[1][0]):
        if settled := min(owed, amount):
            found[name] = settled
            amount -= settled
    return found
