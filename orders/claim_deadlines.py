"""How long claims have waited, and until when their answer, or a replacement, is in time."""

from collections.abc import Iterable
from datetime import date, datetime

from marketplace import tenancy
from orders import confirmation_days, verdicts
from orders.models import Claim


def add_to(claims: Iterable[Claim], *, at: datetime) -> None:
    """Give each claim `waited_days`, `answer_by`, `resend_by` and `is_overdue`; a few queries.

    A claim that is closed waits no more, and none is due while it is in arbitration: afterwards its
    days begin anew. Overdue is one that was not answered, or an exchange
    whose goods are back and whose replacement was not sent.
    """
    zone, days = tenancy.current().tz, confirmation_days.DueDays()
    today = verdicts.business_date(at, zone)
    for claim in claims:
        asked_on = verdicts.business_date(claim.requested_at, zone)
        is_stopped = claim.state == Claim.State.ARBITRATION
        claim.answer_by = None if is_stopped else answer_by(claim, days, zone)
        claim.resend_by = resend_by(claim, days, zone)
        is_open = claim.state in Claim.OPEN_STATES
        claim.waited_days = (today - asked_on).days if is_open else None
        due = claim.answer_by if claim.state == Claim.State.REQUESTED else claim.resend_by
        claim.is_overdue = bool(is_open and due and due < today)


def answer_by(claim: Claim, days: confirmation_days.DueDays, zone) -> date | None:
    """The last day on which an answer is in time; None as long as no rule says it."""
    since = claim.resumed_at or claim.requested_at
    return days.answer_by(verdicts.business_date(since, zone))


def resend_by(claim: Claim, days: confirmation_days.DueDays, zone) -> date | None:
    """The last day on which a replacement is in time, while it waits: as for any parcel."""
    if claim.state != Claim.State.COLLECTED:
        return None
    since = max(filter(None, (claim.collected_at, claim.resumed_at)))
    return days.ship_by(verdicts.business_date(since, zone))
