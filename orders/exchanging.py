"""The way of an exchange: goods come back, a replacement leaves, or it becomes a return after all.

An exchange is asked for, agreed to, turned down and completed like any claim (orders.claims). The
sale stays as it is: the same goods at the same price. Until the replacement has arrived the claim
is open, so the line is not confirmed by itself and its money is held.
"""

from datetime import datetime

from django.db import transaction

from marketplace import audit, reasons
from marketplace.refusals import Refused, gettext_noop
from orders import carriers, claim_steps, returning, shipping
from orders.models import Claim, OrderLine, Shipment

State = Claim.State
CONVERTIBLE = (State.REQUESTED, State.APPROVED, State.COLLECTED)


class NotConvertible(Refused):
    code = "not_convertible"
    message = gettext_noop(
        "Only an exchange becomes a return, and only before its replacement was sent. Afterwards"
        " complete it; the buyer may then ask for a return."
    )


@transaction.atomic
def collect(claim: Claim, *, by, at: datetime, reason: str = "") -> Claim:
    """The goods of an exchange are back. The days for sending the replacement begin.

    Raises states.IllegalMove where they were not agreed to come back.
    """
    claim, _line = claim_steps.locked(claim)
    return claim_steps.move(claim, State.COLLECTED, by=by, at=at, reason=reason, collected_at=at)


@transaction.atomic
def resend(claim: Claim, *, carrier: str, tracking_number: str, by, at: datetime) -> Claim:
    """The replacement is on its way. Told again, the parcel's number is corrected.

    Raises states.IllegalMove before the goods are back, what orders.carriers refuses, and
    shipping.TrackingNumberUsed for the number of another parcel of the order.
    """
    by_carrier = carriers.find(carrier)
    number = carriers.tracking_number(by_carrier, tracking_number)
    claim, line = claim_steps.locked(claim)
    if number and _is_used(claim, line, by_carrier.code, number):
        raise shipping.TrackingNumberUsed(value=number, field="tracking_number")
    parcel = {"resent_carrier": by_carrier.code, "resent_number": number}
    if claim.state != State.REDELIVERING:
        told = {"by": by, "at": at, "reason": ""}
        return claim_steps.move(claim, State.REDELIVERING, **told, resent_at=at, **parcel)
    data = {name: {"from": getattr(claim, name), "to": new} for name, new in parcel.items()}
    if all(change["from"] == change["to"] for change in data.values()):
        return claim
    _write(claim, parcel)
    audit.record("claim.parcel_corrected", by=by, at=at, obj=claim, data=data)
    claim_steps.announce(claim, at=at)
    return claim


@transaction.atomic
def convert(claim: Claim, *, reason: str, by, at: datetime, **shipping_found) -> Claim:
    """Make a return of an exchange: the buyer gets the money back instead of a replacement.

    It keeps who is at fault, units, reason, and what the way back costs; there is no way to the
    buyer to be paid any more, unless it is said anew (the names of return_shipping.Terms). Goods
    that are back stay so: the return waits to be completed. Raises NotConvertible,
    reasons.ReasonMissing, and what returning.check() does.
    """
    reason = reasons.given(reason)
    claim, line = claim_steps.locked(claim)
    if not claim.is_exchange or claim.state not in CONVERTIBLE:
        raise NotConvertible()
    terms = returning.amended(claim, {"outbound_cost": 0} | shipping_found)
    returning.check(line, claim.quantity, claim.fault, terms)
    values = returning.changed(claim, terms)
    data = {name: {"from": getattr(claim, name), "to": new} for name, new in values.items()}
    audit.record("claim.converted", by=by, at=at, obj=claim, reason=reason, data=data)
    values |= {"type": Claim.Type.RETURN, "converted_at": at}
    if claim.state == State.COLLECTED:
        claim.type = Claim.Type.RETURN
        told = {"by": by, "at": at, "reason": reason, "deed": "converted"}
        return claim_steps.move(claim, State.APPROVED, **told, **values)
    _write(claim, values)
    claim_steps.announce(claim, "converted", at=at)
    return claim


def _is_used(claim: Claim, line: OrderLine, carrier: str, number: str) -> bool:
    """Whether another parcel of the order has this number: one of goods, or another replacement."""
    sent = Shipment.objects.filter(order=line.order_id, carrier=carrier, tracking_number=number)
    resent = Claim.objects.filter(
        line__order=line.order_id, resent_carrier=carrier, resent_number=number
    ).exclude(pk=claim.pk)
    return sent.exists() or resent.exists()


def _write(claim: Claim, values: dict) -> None:
    """Set columns of a locked claim that stays in its state."""
    for name, value in values.items():
        setattr(claim, name, value)
    claim.save(update_fields=list(values))
