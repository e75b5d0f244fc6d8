"""The second factors of somebody who has lost them: taken away by the installation's owner."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction

from marketplace import audit, reasons
from marketplace.models import User
from marketplace.refusals import Refused, gettext_noop


class NoSecondFactor(Refused):
    code = "no_second_factor"
    message = gettext_noop("This person has no second factor.")


@transaction.atomic
def take_away(user: User, *, by: User, at: datetime, reason: str) -> int:
    """Let a person log in by password alone, to set up another factor; return how many went.

    It is written into the audit trail of the marketplace in use. Raises NoSecondFactor,
    reasons.ReasonMissing and reasons.ReasonTooLong.
    """
    reason = reasons.given(reason)
    taken = Authenticator.objects.filter(user=user)
    kinds = sorted(taken.values_list("type", flat=True))
    if not kinds:
        raise NoSecondFactor()
    taken.delete()
    data = {"kinds": kinds}
    audit.record("user.second_factors_taken", by=by, at=at, obj=user, reason=reason, data=data)
    return len(kinds)
