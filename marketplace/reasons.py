"""The reason of a decision that harms somebody: always given, and short enough to be read."""

from typing import Final

from marketplace.refusals import Refused, gettext_noop

LONGEST: Final = 500


class ReasonMissing(Refused):
    code = "reason_missing"
    message = gettext_noop("Say why: the seller reads the reason, and it stays in the audit trail.")


class ReasonTooLong(Refused):
    code = "reason_too_long"
    message = gettext_noop("The reason is longer than %(limit)s characters.")


def given(reason: str) -> str:
    """Return the reason without what surrounds it. Raises ReasonMissing, ReasonTooLong."""
    reason = reason.strip()
    if not reason:
        raise ReasonMissing()
    if len(reason) > LONGEST:
        raise ReasonTooLong(limit=LONGEST)
    return reason
