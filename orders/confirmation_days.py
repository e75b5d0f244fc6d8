"""When lines of the marketplace in use are confirmed by themselves, and when they ship late.

Loads what orders.withdrawal decides upon: the policy in force on a day, and the closed days.
What happened before the first version of a rule, as imported history may have, goes by the first.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date

from marketplace import calendar_days, tenancy
from marketplace.calendars import Calendar
from marketplace.models import CalendarVersion
from orders import bulk, verdicts, withdrawal
from orders.models import Claim, ConfirmationPolicy


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

    def of_lines(self, delivered_on: Mapping[int, date]) -> dict[int, date | None]:
        """The days of delivered lines, by id, later by the days on which a claim was open.

        With a replacement the time begins anew on the day on which it arrived: what a buyer may
        withdraw from is counted from the goods they have (e-commerce consumer law, art. 17 (1)).
        """
        zone, spans, has_goods_since = tenancy.current().tz, defaultdict(list), dict(delivered_on)
        of_lines = Claim.objects.filter(bulk.among("line_id", delivered_on))
        for claim in of_lines.exclude(state__in=Claim.OPEN_STATES):
            made_on = verdicts.business_date(claim.requested_at, zone)
            closed_on = claim.completed_on or verdicts.business_date(claim.decided_at, zone)
            spans[claim.line_id].append((made_on, closed_on))
            if claim.is_exchange and claim.completed_on:
                arrived_on = max(has_goods_since[claim.line_id], claim.completed_on)
                has_goods_since[claim.line_id] = arrived_on
        return {
            line_id: self.due_on(since, withdrawal.paused_days(spans[line_id], since))
            for line_id, since in has_goods_since.items()
        }

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
