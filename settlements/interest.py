"""Interest on what was invoiced to a seller and is overdue (지연손해금): simple, by the day.

Values in, values out. Amounts are minor units, rates parts per million a year of 365 days, also in
a leap year. A day counts what is owed at its beginning: the day of a payment still bears interest.
Payments settle interest that was charged before what was invoiced, and the oldest of each first
(민법 479조); interest bears no interest.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from marketplace import money

YEAR: Final = 365  # days
_DAY: Final = timedelta(days=1)

Dated = tuple[date, int]
"""A day and an amount."""


class Terms(NamedTuple):
    """What holds from a day on: a yearly rate, and the days after an invoice that bear none."""

    valid_from: date
    rate_ppm: int
    grace_days: int


@dataclass(frozen=True, slots=True)
class Account:
    """What was invoiced to a seller, what interest was charged, and what was paid or given up."""

    invoiced: Sequence[Dated] = ()
    charged: Sequence[Dated] = ()
    paid: Sequence[Dated] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """What of an account is not paid, the oldest first."""

    principal: tuple[Dated, ...]
    interest: tuple[Dated, ...]

    @property
    def since(self) -> date | None:
        """Since when the oldest of it stands; None where all is paid."""
        return min((day for day, _ in (*self.principal, *self.interest)), default=None)


@dataclass(frozen=True, slots=True)
class Period:
    """Days, the first and the last included, with one overdue principal and one rate."""

    first: date
    last: date
    principal: int
    rate_ppm: int

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def write(period: Period) -> list[Any]:
    """A period as it is kept with the charge that it explains; read() reads it."""
    return [period.first.isoformat(), period.last.isoformat(), period.principal, period.rate_ppm]


def read(kept: Sequence[Any]) -> Period:
    """What write() wrote."""
    first, last, principal, rate_ppm = kept
    return Period(date.fromisoformat(first), date.fromisoformat(last), principal, rate_ppm)


def left(account: Account, *, before: date = date.max) -> Left:
    """What of an account is not paid by what happened before a day."""
    events = sorted(
        (day, kind, amount)
        for kind, rows in enumerate((account.invoiced, account.charged, account.paid))
        for day, amount in rows
        if day < before
    )
    principal: list[Dated] = []
    interest: list[Dated] = []
    ahead = 0  # paid of what was invoiced on a later day
    for day, kind, amount in events:
        if kind == 2:
            ahead += amount
        else:
            (interest if kind else principal).append((day, amount))
        ahead = _settled(principal, _settled(interest, ahead))
    return Left(tuple(principal), tuple(interest))


def periods(
    account: Account, terms: Sequence[Terms], *, after: date | None, until: date
) -> list[Period]:
    """The days that bear interest, after one day and until another; `terms` by their first day.

    None stands for the beginning.
    """
    starts = [version.valid_from for version in terms]
    if not account.invoiced or not starts:
        return []
    first = max(min(starts), after + _DAY if after else date.min)
    turns = {first, until + _DAY, *starts}
    turns |= {day + _DAY for day, _ in account.paid}
    turns |= {
        day + timedelta(days=version.grace_days + 1)
        for day, _ in account.invoiced
        for version in terms
    }
    days = sorted(turn for turn in turns if first <= turn <= until + _DAY)
    found: list[Period] = []
    for begins, ends in pairwise(days):
        version = terms[bisect_right(starts, begins) - 1]
        due = begins - timedelta(days=version.grace_days)
        principal = sum(
            amount for day, amount in left(account, before=begins).principal if day < due
        )
        if principal and version.rate_ppm:
            _add(found, Period(begins, ends - _DAY, principal, version.rate_ppm))
    return found


def amount(found: Iterable[Period]) -> int:
    """The interest of periods together; what is less than a minor unit is cut."""
    total = sum(each.principal * each.days * each.rate_ppm for each in found)
    return money.rounder(money.FLOOR)(total, YEAR * money.MILLION)


def _settled(debts: list[Dated], paid: int) -> int:
    """Take a payment off debts, the oldest first; what of it is left over."""
    while debts and paid:
        day, owed = debts[0]
        part = min(owed, paid)
        paid -= part
        if part == owed:
            del debts[0]
        else:
            debts[0] = (day, owed - part)
    return paid


def _add(found: list[Period], new: Period) -> None:
    """Append a period, as one with the last where nothing changed between them."""
    if found:
        last = found[-1]
        same = (last.principal, last.rate_ppm) == (new.principal, new.rate_ppm)
        if same and last.last + _DAY == new.first:
            new = Period(last.first, new.last, new.principal, new.rate_ppm)
            found.pop()
    found.append(new)
