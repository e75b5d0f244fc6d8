"""On which statement a line of a past night belongs: what that night saw, once more.

The calendar is the one of the night, the terms are those of the line's rate date.
"""

from bisect import bisect_right
from datetime import date

from marketplace import calendar_days
from marketplace.calendars import Calendar
from marketplace.models import CalendarVersion
from settlements import due_dates
from settlements.contracts import Contracts
from settlements.models import Statement

_DAYS_KEPT = 20_000


class DueDays:
    """Due dates of settled lines, recomputed; remembered, as many lines share them."""

    def __init__(self, contracts: Contracts):
        self._contracts = contracts
        versions = CalendarVersion.objects.published().order_by("valid_from")
        self._starts = list(versions.values_list("valid_from", flat=True))
        self._calendars: dict[date, Calendar] = {}
        self._known: dict[tuple, date] = {}

    def of(self, seller_id: int, basis_on: date, rate_on: date, run_on: date) -> date:
        """Where the night of `run_on` put a line of these dates while no statement was closed."""
        key = (seller_id if seller_id in self._contracts.sellers else 0, basis_on, rate_on, run_on)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _DAYS_KEPT:
                self._known.clear()
            found = self._due_on(seller_id, basis_on, rate_on, run_on, frozenset())
            self._known[key] = found
        return found

    def paid_ahead(self, run_on: date) -> date:
        """Where the night of `run_on` put what it paid ahead."""
        return self._calendar(run_on).add_business_days(run_on, 1)

    def is_right(
        self, seller_id: int, basis_on: date, rate_on: date, run_on: date, found: date
    ) -> bool:
        """Whether a line belongs to the statement of `found` beside those closed that very night.

        A night that settles once more, after it has closed statements, puts lines on later ones.
        """
        closed = Statement.objects.filter(seller=seller_id, due_on__gte=run_on)
        days = frozenset(closed.filter(closed_on__lte=run_on).values_list("due_on", flat=True))
        return bool(days) and found == self._due_on(seller_id, basis_on, rate_on, run_on, days)

    def _due_on(
        self, seller_id: int, basis_on: date, rate_on: date, run_on: date, closed: frozenset[date]
    ) -> date:
        return due_dates.due_for_run(
            basis_on,
            run_on,
            self._contracts.payout_terms(seller_id, rate_on).due,
            self._calendar(run_on),
            closed.__contains__,
        )

    def _calendar(self, day: date) -> Calendar:
        at = bisect_right(self._starts, day)
        if not at:
            raise calendar_days.NoCalendar(on=day)
        start = self._starts[at - 1]
        if start not in self._calendars:
            self._calendars[start] = calendar_days.load(start)
        return self._calendars[start]
