"""When a delivered line counts as confirmed by itself, and until when a buyer may withdraw.

Values in, values out. Korea: the day of delivery is not counted (Civil Act 157), and a period
whose last day is a Saturday or a holiday ends with the next working day (Civil Act 161).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from marketplace.calendars import Calendar

KOREA: Final = "kr"
NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Policy:
    """The values of a confirmation policy that decide about days."""

    confirm_after_days: int
    withdrawal_rule: str = KOREA
    withdrawal_days: int = 7


def ends_on(delivered_on: date, policy: Policy, calendar: Calendar) -> date:
    """Return the last day on which the buyer may withdraw; the day of delivery if never."""
    if policy.withdrawal_rule == NONE:
        return delivered_on
    return calendar.on_or_after(delivered_on + timedelta(days=policy.withdrawal_days))


def confirm_due_on(
    delivered_on: date, policy: Policy, calendar: Calendar, paused_days: int = 0
) -> date:
    """Return the day in whose night the line is confirmed by itself.

    The night of a day begins after the day has ended, so the last day to withdraw is over by
    then. `paused_days` is for how long claims have stopped the clock.
    """
    waited = delivered_on + timedelta(days=policy.confirm_after_days + paused_days)
    return max(waited, ends_on(delivered_on, policy, calendar))


def paused_days(claims: Iterable[tuple[date, date]], delivered_on: date) -> int:
    """Return on how many days after delivery at least one claim was open.

    A claim is given as the day it was made and the day it was closed; overlaps count once.
    """
    total, counted_to = 0, delivered_on
    for made_on, closed_on in sorted(claims):
        start = max(made_on, counted_to)
        if closed_on > start:
            total += (closed_on - start).days
            counted_to = closed_on
    return total
