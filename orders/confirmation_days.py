"""When lines of the marketplace in use are confirmed by themselves, and when they ship late.

Loads what orders.withdrawal decides upon: the policy in force on a day, and the closed days.
What happened before the first version of a rule, as imported history may have, goes by the first.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import date

from marketplace import calendar_days
from marketplace.calendars import Calendar
from marketplace.models import CalendarVersion
from orders import withdrawal
from orders.models import ConfirmationPolicy


class DueDays:
    """Answers for any number of lines; reads each version of a rule at most once."""

    def __init__(self) -> None:
        self._policies: list[ConfirmationPolicy] | None = None
        self._calendar_starts: list[date] | None = None
        self._calendars: dict[date, Calendar] = {}
        self._due: dict[tuple[date, int], date | None] = {}

    def due_on(self, delivered_on: date, paused_days: int = 0) -> date | None:
        """The day of automatic confirmation, or None as long as no rule says it."""
        key = (delivered_on, paused_days)
        if key not in self._due:
            policy = self._policy(delivered_on)
            values = policy and withdrawal.Policy(
                confirm_after_days=policy.confirm_after_days,
                withdrawal_rule=policy.withdrawal_rule,
                withdrawal_days=policy.withdrawal_days,
            )
            self._due[key] = values and self._ask(
                delivered_on,
                lambda days: withdrawal.confirm_due_on(delivered_on, values, days, paused_days),
            )
        return self._due[key]

    def ship_by(self, paid_on: date) -> date | None:
        """The last day on which shipping is not late, or None where no rule says it."""
        policy = self._policy(paid_on)
        return policy and self._ask(
            paid_on, lambda days: days.add_business_days(paid_on, policy.ship_within_days)
        )

    def answer_by(self, requested_on: date) -> date | None:
        """The last day on which the answer to a claim is in time, or None without a rule."""
        policy = self._policy(requested_on)
        return policy and self._ask(
            requested_on,
            lambda days: days.add_business_days(requested_on, policy.answer_within_days),
        )

    def _ask(self, on: date, question: Callable[[Calendar], date]) -> date | None:
        """Ask the calendar of a day. Days it does not cover are unknown, unless long past."""
        if self._calendar_starts is None:
            versions = CalendarVersion.objects.published().order_by("valid_from")
            self._calendar_starts = list(versions.values_list("valid_from", flat=True))
        starts = self._calendar_starts
        if not starts:
            return None
        start = starts[max(bisect_right(starts, on) - 1, 0)]
        if start not in self._calendars:
            self._calendars[start] = calendar_days.load(start)
        try:
            return question(self._calendars[start])
        except calendar_days.OutsideCalendar:
            # Nights begin with the first calendar, so what an older holiday would move is past.
            return question(Calendar()) if on < starts[0] else None

    def _policy(self, on: date) -> ConfirmationPolicy | None:
        if self._policies is None:
            self._policies = list(ConfirmationPolicy.objects.published().order_by("valid_from"))
        starts = [policy.valid_from for policy in self._policies]
        return self._policies[max(bisect_right(starts, on) - 1, 0)] if starts else None
