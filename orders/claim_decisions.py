"""What a program may decide about a claim, and who may decide it: the API's way in."""

from datetime import datetime
from typing import Final

from marketplace.refusals import Refused, gettext_noop
from orders import claims, exchanging
from orders.models import Claim

DECISIONS: Final = (
    "approve",
    "reject",
    "withdraw",
    "complete",
    "collect",
    "resend",
    "convert",
)
_FINDING: Final = ("approve", "convert")  # which say how shipping is paid
_NOT_FOR_SELLERS: Final = ("withdraw",)


class NotForSellers(Refused):
    code = "not_for_sellers"
    message = gettext_noop("A seller cannot decide “%(decision)s”; the marketplace does.")


class FoundOnApproval(Refused):
    code = "found_on_approval"
    message = gettext_noop(
        "Who is at fault is said with the decision “approve”, how shipping is paid with “approve”"
        " or “convert”."
    )


class ParcelMissing(Refused):
    code = "parcel_missing"
    message = gettext_noop("Name the carrier and the tracking number of the replacement.")


class ParcelOnResend(Refused):
    code = "parcel_on_resend"
    message = gettext_noop("A parcel is told with the decision “resend”.")


def decide(
    claim: Claim,
    *,
    decision: str,
    reason: str,
    is_seller: bool,
    by,
    at: datetime,
    parcel: dict | None = None,
    **found,
) -> Claim:
    """Take one of the DECISIONS. `parcel` is the replacement's: carrier and tracking number.

    Only the marketplace may withdraw, or say with its decision who is `found` to be at fault and
    how shipping is paid. Raises NotForSellers, FoundOnApproval, ParcelMissing, ParcelOnResend and
    what the decision itself does.
    """
    found = {name: value for name, value in found.items() if value is not None}
    if found and is_seller:
        raise NotForSellers(decision=next(iter(found)), field=next(iter(found)))
    if found and (decision not in _FINDING or (decision == "convert" and "fault" in found)):
        raise FoundOnApproval(field=next(iter(found)))
    if is_seller and decision in _NOT_FOR_SELLERS:
        raise NotForSellers(decision=decision, field="decision")
    if decision == "resend":
        if parcel is None:
            raise ParcelMissing(field="parcel")
        return exchanging.resend(claim, **parcel, by=by, at=at)
    if parcel is not None:
        raise ParcelOnResend(field="parcel")
    told = {"by": by, "at": at}
    if is_seller:
        if decision == "approve":
            return claims.agree(claim, **told)
        if decision == "reject":
            return claims.refuse(claim, reason=reason, **told)
        if decision == "complete":
            return claims.take_back(claim, **told)
    process = {
        "approve": claims.approve,
        "reject": claims.reject,
        "withdraw": claims.withdraw,
        "complete": claims.complete,
        "collect": exchanging.collect,
        "convert": exchanging.convert,
    }
    return process[decision](claim, reason=reason, **told, **found)
