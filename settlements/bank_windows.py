"""When a bank takes no transfers: hours that come back on weekdays, and single announced ones.

Windows are half-open. Values in, values out: no query, no clock. Windows that come back are told in
the wall-clock time of their zone; moments are aware.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

DAY: Final = timedelta(days=1)
WEEK: Final = 7 * DAY
# Nothing is sent this shortly before a window: a call may last a minute until it is given up.
LEAD: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One closing of the bank, from a moment until another."""

    begins: datetime
    ends: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """Hours on weekdays (0 is Monday). A `to` that is not after `since` is of the next day."""

    weekdays: frozenset[int]
    since: time
    to: time
    zone: tzinfo
    note: str = ""

    def on(self, day: date) -> Window | None:
        """The window that begins on a day; None where none does."""
        if day.weekday() not in self.weekdays:
            return None
        until = day if self.to > self.since else day + DAY
        return Window(
            begins=datetime.combine(day, self.since, self.zone).astimezone(UTC),
            ends=datetime.combine(until, self.to, self.zone).astimezone(UTC),
            note=self.note,
        )


Windows = Collection[Window | Recurring]


def window_at(moment: datetime, windows: Windows) -> Window | None:
    """The window that keeps a transfer from being sent at a moment; of several, the longest.

    A window counts from LEAD before it begins.
    """
    found = [
        window
        for window in _around(moment, windows, days=1)
        if window.begins - LEAD <= moment < window.ends
    ]
    return max(found, key=lambda window: window.ends, default=None)


def next_free(moment: datetime, windows: Windows) -> datetime:
    """The first moment, from `moment` on, at which transfers can be sent.

    Windows that come back must leave some moment of a week free: leaves_none_free() says so.
    """
    while window := window_at(moment, windows):
        moment = window.ends
    return moment


def coming(moment: datetime, windows: Windows) -> Window | None:
    """The next window that begins after a moment, within a week where it comes back."""
    found = [w for w in _around(moment, windows, days=8) if w.begins - LEAD > moment]
    return min(found, key=lambda window: window.begins, default=None)


def leaves_none_free(windows: Collection[Recurring], *, since: datetime) -> bool:
    """Whether windows that come back follow each other without an end."""
    moment = since
    while window := window_at(moment, windows):
        moment = window.ends
        if moment - since > WEEK + DAY:
            return True
    return False


def _around(moment: datetime, windows: Windows, *, days: int) -> Iterator[Window]:
    """Single windows, and those that come back from the day before until some days later."""
    for window in windows:
        if isinstance(window, Window):
            yield window
            continue
        first = moment.astimezone(window.zone).date() - DAY
        for n in range(days + 2):
            if found := window.on(first + n * DAY):
                yield found
