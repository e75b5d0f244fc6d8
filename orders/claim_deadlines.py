"""How long claims have waited, and until when their answer is in time."""

from collections.abc import Iterable
from datetime import datetime

from marketplace import tenancy
from orders import confirmation_days, verdicts
from orders.models import Claim


def add_to(claims: Iterable[Claim], *, at: datetime) -> None:
    """Give each claim `waited_days`, `answer_by` and `is_overdue`; a few queries for all of them.

    A claim that is closed waits no more, and one that was answered is not overdue.
    """
    zone, days = tenancy.current().tz, confirmation_days.DueDays()
    today = verdicts.business_date(at, zone)
    for claim in claims:
        asked_on = verdicts.business_date(claim.requested_at, zone)
        claim.answer_by = days.answer_by(asked_on)
        is_open = claim.state in Claim.OPEN_STATES
        claim.waited_days = (today - asked_on).days if is_open else None
        is_asked = claim.state == Claim.State.REQUESTED
        claim.is_overdue = bool(is_asked and claim.answer_by and claim.answer_by < today)
