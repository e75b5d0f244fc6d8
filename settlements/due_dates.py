"""On which day a settlement line falls due, by its contract's terms.

Days are dates in the marketplace's own zone; business days are those of its calendar. Which day a
line starts from (`basis_on`) is decided elsewhere. Source: the settlement arithmetic, section 8.
"""

import calendar as months
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from marketplace.calendars import Calendar
from marketplace.refusals import Refused, gettext_noop

CALENDAR_DAYS: Final = "calendar"
BUSINESS_DAYS: Final = "business"

DAILY: Final = "daily"
WEEKLY: Final = "weekly"
MONTHLY: Final = "monthly"
MANUAL: Final = "manual"

PREVIOUS: Final = "previous"
NEXT: Final = "next"
NONE: Final = "none"

_DAY: Final = timedelta(days=1)
_CLOSED_IN_A_ROW: Final = 1000  # more than any calendar of closed statements has


class BadDueTerms(Refused):
    code = "bad_due_terms"
    message = gettext_noop("The terms of payment are not usable: %(why)s.")


class NoDueDateLeft(Refused):
    code = "no_due_date_left"
    message = gettext_noop("No listed payment date is left on or after %(start)s.")


@dataclass(frozen=True, slots=True)
class DueTerms:
    """When a contract pays: a lag in days, then a cycle, then what a holiday does.

    `cycle_arg` is nothing for a daily cycle, a weekday (0 = Monday) for a weekly one, a day of the
    month (1 to 31) for a monthly one, and the listed dates, in any order, for a manual one.
    Several weekdays or days of the month may be given as a tuple; the first to come counts.
    """

    lag_days: int
    lag_kind: str = CALENDAR_DAYS
    cycle: str = DAILY
    cycle_arg: int | tuple[int, ...] | tuple[date, ...] | None = None
    holiday: str = NEXT

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise BadDueTerms(why=problem)


def due_on(basis_on: date, terms: DueTerms, calendar: Calendar) -> date:
    """Return the day a line that counts from `basis_on` falls due. Refuses an ended manual list."""
    if terms.lag_kind == BUSINESS_DAYS:
        start = calendar.add_business_days(basis_on, terms.lag_days)
    else:
        start = basis_on + timedelta(days=terms.lag_days)
    return _in_cycle(start, terms, calendar)


def due_for_run(
    basis_on: date,
    run_on: date,
    terms: DueTerms,
    calendar: Calendar,
    is_closed: Callable[[date], bool],
) -> date:
    """Return the day a line seen by the run of `run_on` is put on; never one that is closed.

    `is_closed` says whether the statement of a day is closed. A line whose due date has passed, or
    whose statement is closed, starts its cycle again without a lag from the run's day, or from the
    day after where the run's own statement is closed too. Where that statement is closed as well,
    the cycle goes on from the day after it until an open one is found.
    """
    due = due_on(basis_on, terms, calendar)
    if due >= run_on and not is_closed(due):
        return due
    due = _in_cycle(run_on + _DAY if is_closed(run_on) else run_on, terms, calendar)
    for _ in range(_CLOSED_IN_A_ROW):
        if not is_closed(due):
            return due
        due = _in_cycle(due + _DAY, terms, calendar)
    raise NoDueDateLeft(start=run_on)


def _in_cycle(start: date, terms: DueTerms, calendar: Calendar) -> date:
    """Return the first payment day of the cycle from `start`, moved off a holiday; ≥ start."""
    due = _cycle_day(start, terms)
    if terms.holiday == NEXT:
        return calendar.on_or_after(due)
    if terms.holiday == PREVIOUS:
        moved = calendar.on_or_before(due)
        return moved if moved >= start else calendar.on_or_after(start + _DAY)
    return due


def _cycle_day(start: date, terms: DueTerms) -> date:
    if terms.cycle == WEEKLY:
        weekday = start.weekday()
        return start + min(timedelta(days=(day - weekday) % 7) for day in _days(terms))
    if terms.cycle == MONTHLY:
        following = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
        candidates = (_day_of(month, day) for month in (start, following) for day in _days(terms))
        return min(day for day in candidates if day >= start)
    if terms.cycle == MANUAL:
        listed = (day for day in _dates(terms) if day >= start)
        if (first := min(listed, default=None)) is None:
            raise NoDueDateLeft(start=start)
        return first
    return start


def _day_of(month: date, day: int) -> date:
    """The given day of a month; beyond the month's end its last day is meant."""
    return month.replace(day=min(day, months.monthrange(month.year, month.month)[1]))


def _days(terms: DueTerms) -> tuple[int, ...]:
    if isinstance(terms.cycle_arg, int):
        return (terms.cycle_arg,)
    return tuple(day for day in terms.cycle_arg or () if isinstance(day, int))


def _dates(terms: DueTerms) -> Iterable[date]:
    if isinstance(terms.cycle_arg, tuple):
        yield from (day for day in terms.cycle_arg if isinstance(day, date))


def _problem(terms: DueTerms) -> str | None:
    """Say what is wrong with the terms, if anything."""
    if terms.lag_days < 0:
        return "the lag is negative"
    if terms.lag_kind not in (CALENDAR_DAYS, BUSINESS_DAYS):
        return f"unknown kind of lag {terms.lag_kind!r}"
    if terms.holiday not in (PREVIOUS, NEXT, NONE):
        return f"unknown holiday rule {terms.holiday!r}"
    if terms.cycle in (WEEKLY, MONTHLY):
        low, high = (0, 6) if terms.cycle == WEEKLY else (1, 31)
        days = _days(terms)
        if not days or not all(low <= day <= high for day in days):
            return f"a {terms.cycle} cycle names days from {low} to {high}"
    elif terms.cycle == MANUAL:
        if not isinstance(terms.cycle_arg, tuple) or list(_dates(terms)) != list(terms.cycle_arg):
            return "a manual cycle lists dates"
    elif terms.cycle != DAILY:
        return f"unknown cycle {terms.cycle!r}"
    return None
