"""Business days of a marketplace. Which days are closed is told; nothing here looks them up.

A business day is neither Saturday nor Sunday nor a closed day of the marketplace's calendar.
Source: the settlement arithmetic, section 8.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """The closed days of one calendar version, beside Saturdays and Sundays.

    Answers are remembered, as a settlement run asks the same few days a million times.
    """

    closed: frozenset[date] = frozenset()
    _later: dict[tuple[date, int], date] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < _SATURDAY and day not in self.closed

    def add_business_days(self, day: date, count: int) -> date:
        """Return the `count`-th business day strictly after `day`; 0 is `day` itself.

        `day` need not be a business day. A negative count is a bug of the caller.
        """
        if count < 0:
            raise ValueError("business days are counted forwards")
        known = self._later.get((day, count))
        if known is None:
            known = day
            for _ in range(count):
                known = self.on_or_after(known + _DAY)
            self._later[day, count] = known
        return known

    def on_or_before(self, day: date) -> date:
        """Return `day`, or the last business day before it."""
        while not self.is_business_day(day):
            day -= _DAY
        return day

    def on_or_after(self, day: date) -> date:
        """Return `day`, or the first business day after it."""
        while not self.is_business_day(day):
            day += _DAY
        return day
