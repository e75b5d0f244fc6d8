"""Claims: somebody wants units of a line undone or anew, before or after it was confirmed.

A claim is asked for, decided, and completed when goods or money are where they belong. Only its
completion takes units back; an exchange takes none, and what it does on its way is told in
orders.exchanging. An open claim keeps its units from other claims, and its line from being
confirmed by itself. The status of the line is another axis: a claim that is rejected or
withdrawn leaves the line as it was.
"""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Sum

from marketplace import audit, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import (
    applying,
    claim_steps,
    folding,
    return_shipping,
    returning,
    shipping,
    verdicts,
)
from orders.models import Claim, Order, OrderLine
from orders.return_shipping import Terms

Type, Fault, State = Claim.Type, Claim.Fault, Claim.State
Status = OrderLine.Status
OPERATOR = "operator"  # the sender of what an operator was told

CLAIMABLE = {  # in which statuses of its line a claim may be made
    Type.CANCEL: {
        Status.PENDING_PAYMENT,
        Status.PAID,
        Status.PREPARING,
        Status.SHIPPED,
        Status.DELIVERED,
        Status.CONFIRMED,
    },
    Type.RETURN: {Status.SHIPPED, Status.DELIVERED, Status.CONFIRMED},
    Type.EXCHANGE: {Status.SHIPPED, Status.DELIVERED, Status.CONFIRMED},
}


class NotClaimable(Refused):
    code = "not_claimable"
    message = gettext_noop(
        "A claim of type “%(type)s” cannot be made on a line of the status “%(status)s”."
    )


class NoGoods(Refused):
    code = "no_goods"
    message = gettext_noop("Line %(line)s is a charge for shipping. Only goods are exchanged.")


class NoSuchLine(Refused):
    code = "no_such_line"
    message = gettext_noop("The order has no line %(number)s.")


class MoreThanClaimable(Refused):
    code = "more_than_claimable"
    message = gettext_noop("%(asked)s units were asked for, but only %(claimable)s can be claimed.")


class ReasonMissing(Refused):
    code = "reason_missing"
    message = gettext_noop("The reason is missing. The buyer is told it, so write it for them.")


class HasLeft(Refused):
    code = "has_left"
    message = gettext_noop(
        "Only %(left)s units of line %(line)s are still here. What has been shipped comes back"
        " by a return."
    )


class AlreadyAnswered(Refused):
    code = "already_answered"
    message = gettext_noop("This claim was answered already; what it came to is shown here.")


class OverruledWithoutReason(Refused):
    code = "overruled_without_reason"
    message = gettext_noop(
        "By the buyer's reason somebody else is at fault. Say why you find otherwise."
    )


class ClaimDiffers(Refused):
    code = "claim_differs"
    message = gettext_noop("Claim %(source_id)s was made before and said something else.")


@transaction.atomic
def request(
    line: OrderLine,
    *,
    type: str,  # noqa: A002 (the operators' word)
    quantity: int,
    by,
    at: datetime,
    fault: str | None = None,
    reason: str = "",
    shipping_terms: Terms = return_shipping.NONE,
    source: str = "",
    source_id: str | None = None,
) -> Claim:
    """Make a claim on units of a line. Repeated under one sender's id, it is the same claim.

    Without a fault it follows from the reason. Raises NotClaimable, NoGoods, MoreThanClaimable
    (open claims keep their units), ClaimDiffers, return_shipping.FaultMissing, and what
    returning.check() does about the shipping.
    """
    kind = Type(type)
    verdicts.check_between("quantity", quantity, 1, verdicts.LARGEST_QUANTITY)
    verdicts.check_text("reason", reason, 500)
    fault = Fault(return_shipping.fault(reason, fault))
    line = applying.lock_line(line)
    if made := _made_before(line, kind, quantity, source, source_id):
        return made
    is_exchange = kind == Type.EXCHANGE
    if is_exchange and line.stream in folding.NOT_GOODS:
        raise NoGoods(line=line.number, field="type")
    if line.status not in CLAIMABLE[kind]:
        raise NotClaimable(type=kind.label, status=Status(line.status).label)
    left = claimable(line)
    if quantity > left:
        raise MoreThanClaimable(asked=quantity, claimable=left)
    returning.check(line, quantity, fault, shipping_terms, is_exchange=is_exchange)
    claim = Claim.objects.create(
        line=line,
        seller_id=line.seller_id,
        type=kind,
        fault=fault,
        quantity=quantity,
        reason=reason,
        requested_at=at,
        source=source,
        source_id=source_id,
        **returning.columns(shipping_terms),
    )
    # Without the reason: those are a buyer's own words.
    data = {"line": line.pk, "type": str(kind), "quantity": quantity}
    audit.record("claim.requested", by=by, at=at, obj=claim, data=data)
    claim_steps.announce(claim, at=at)
    return claim


def request_for_buyer(
    order: Order,
    *,
    line: int,
    type: str,  # noqa: A002 (the operators' word)
    quantity: int,
    fault: str,
    reason: str,
    by,
    at: datetime,
) -> Claim:
    """Make a claim that a buyer told an operator, on a line of the order by its number.

    Raises NoSuchLine, and what request() raises.
    """
    found = OrderLine.objects.filter(order=order, number=line).first()
    if found is None:
        raise NoSuchLine(number=line, field="line")
    asked = {"type": type, "quantity": quantity, "fault": fault, "reason": reason}
    return request(found, **asked, source=OPERATOR, by=by, at=at)


def _made_before(line: OrderLine, kind: str, quantity: int, source: str, source_id: str | None):
    """The claim of this sender's id, if there is one; it must have asked for the same."""
    if source_id is None:
        return None
    made = Claim.objects.filter(source=source, source_id=source_id).first()
    if made and (made.line_id, made.asked_type, made.quantity) != (line.pk, kind, quantity):
        raise ClaimDiffers(source_id=source_id)
    return made


def claimable(line: OrderLine) -> int:
    """How many units of a line no open claim keeps."""
    kept = Claim.objects.filter(line=line, state__in=Claim.OPEN_STATES)
    return max(line.units_left - (kept.aggregate(units=Sum("quantity"))["units"] or 0), 0)


@transaction.atomic
def cancel_by_seller(line: OrderLine, *, quantity: int, reason: str, by, at: datetime) -> Claim:
    """Cancel units that the seller cannot deliver; a claim of the seller's fault, done at once.

    Raises ReasonMissing, NotClaimable, HasLeft for units in a parcel, and MoreThanClaimable.
    """
    if not reason.strip():
        raise ReasonMissing(field="reason")
    line = applying.lock_line(line)
    if line.status not in (Status.PENDING_PAYMENT, *shipping.OPEN):
        raise NotClaimable(type=Type.CANCEL.label, status=Status(line.status).label)
    here = line.units_left - shipping.sent_units([line.pk])[line.pk]
    if quantity > here:
        raise HasLeft(left=here, line=line.number, field="quantity")
    claim = request(
        line,
        type=Type.CANCEL,
        quantity=quantity,
        fault=Fault.SELLER,
        reason=reason,
        source=shipping.SOURCE,
        by=by,
        at=at,
    )
    claim = approve(claim, by=by, at=at)
    return complete(claim, by=by, at=at)


@transaction.atomic
def agree(claim: Claim, *, by, at: datetime) -> Claim:
    """The seller agrees. A cancellation of goods that never left is completed at once.

    Everything else waits until the goods are back. Raises AlreadyAnswered.
    """
    claim, line = claim_steps.locked(claim)
    if claim.state != State.REQUESTED:
        raise AlreadyAnswered()
    claim = approve(claim, by=by, at=at)
    if claim.type == Type.CANCEL and line.status in (Status.PENDING_PAYMENT, *shipping.OPEN):
        claim = complete(claim, by=by, at=at)
    return claim


@transaction.atomic
def refuse(claim: Claim, *, reason: str, by, at: datetime) -> Claim:
    """The seller turns a claim down and says why. Raises ReasonMissing, AlreadyAnswered."""
    if not reason.strip():
        raise ReasonMissing(field="reason")
    verdicts.check_text("reason", reason, 500)
    if claim_steps.locked(claim)[0].state not in Claim.OPEN_STATES:
        raise AlreadyAnswered()
    return _close(claim, State.REJECTED, by, at, "refused_by_seller", answer=reason)


@transaction.atomic
def take_back(claim: Claim, *, by, at: datetime) -> Claim:
    """The seller has the goods again; or, of an exchange, the buyer has the replacement.

    Raises AlreadyAnswered where nothing was agreed to, or all is done.
    """
    state = claim_steps.locked(claim)[0].state
    if state == State.REQUESTED or state not in Claim.OPEN_STATES:
        raise AlreadyAnswered()
    return complete(claim, by=by, at=at)


@transaction.atomic
def approve(
    claim: Claim,
    *,
    by,
    at: datetime,
    reason: str = "",
    fault: str | None = None,
    quantity: int | None = None,
    **shipping_found,
) -> Claim:
    """Agree to a claim; goods or money may now go back.

    Whoever decides may find another at fault than was said, agree to fewer of the units, or say
    otherwise how shipping is paid (the names of return_shipping.Terms). Raises states.IllegalMove,
    MoreThanClaimable for more units than were asked for, OverruledWithoutReason, and what
    returning.check() does.
    """
    if claim_steps.locked(claim)[0].state == State.REQUESTED:
        found = {"fault": fault, "quantity": quantity, **shipping_found}
        claim = correct(claim, by=by, at=at, reason=reason, **found)
    claim, _line = claim_steps.locked(claim)
    return claim_steps.move(claim, State.APPROVED, by=by, at=at, reason=reason, decided_at=at)


@transaction.atomic
def correct(
    claim: Claim,
    *,
    by,
    at: datetime,
    reason: str = "",
    fault: str | None = None,
    quantity: int | None = None,
    **shipping_found,
) -> Claim:
    """Keep what whoever decides has found otherwise than a claim says; its state stays.

    Raises what approve() does about it.
    """
    claim, line = claim_steps.locked(claim)
    changes = _found(claim, fault, quantity, reason)
    terms = returning.amended(claim, shipping_found)
    about = changes.get("quantity", claim.quantity), changes.get("fault", claim.fault)
    returning.check(line, *about, terms, is_exchange=claim.is_exchange)
    changes |= returning.changed(claim, terms)
    if changes:
        data = {name: {"from": getattr(claim, name), "to": new} for name, new in changes.items()}
        audit.record("claim.corrected", by=by, at=at, obj=claim, reason=reason, data=data)
        Claim.objects.filter(pk=claim.pk).update(**changes)
        claim.refresh_from_db(fields=list(changes))
    return claim


def _found(claim: Claim, fault: str | None, quantity: int | None, reason: str) -> dict:
    """What the decision changes about a claim's fault and units."""
    changes: dict = {}
    if fault and Fault(fault) != claim.fault:
        if return_shipping.fault_of(claim.reason) not in (None, fault) and not reason.strip():
            raise OverruledWithoutReason(field="reason")
        changes["fault"] = Fault(fault)
    if quantity is not None and quantity != claim.quantity:
        verdicts.check_between("quantity", quantity, 1, verdicts.LARGEST_QUANTITY)
        if quantity > claim.quantity:
            raise MoreThanClaimable(asked=quantity, claimable=claim.quantity)
        changes["quantity"] = quantity
    return changes


@transaction.atomic
def reject(claim: Claim, *, by, at: datetime, reason: str = "") -> Claim:
    """Turn a claim down; the reason is the answer. The line stays as it was, its clock runs on."""
    verdicts.check_text("reason", reason, 500)
    return _close(claim, State.REJECTED, by, at, reason, answer=reason)


@transaction.atomic
def withdraw(claim: Claim, *, by, at: datetime, reason: str = "") -> Claim:
    """The buyer takes the claim back, before it was decided. The line's clock runs on."""
    return _close(claim, State.WITHDRAWN, by, at, reason)


@transaction.atomic
def complete(claim: Claim, *, by, at: datetime, reason: str = "") -> Claim:
    """Take the units back: before confirmation they make no sale, afterwards a reversal.

    An exchange leaves the sale as it is. What the buyer pays of the shipping is sold, and what
    others bear of it is given back to the buyer. Raises states.IllegalMove when the claim is not
    approved, or the replacement of an exchange not sent, and MoreThanClaimable when the line has
    fewer units left by now than would be taken back.
    """
    claim, line = claim_steps.locked(claim)
    on = verdicts.business_date(at, tenancy.current().tz)
    done = {"by": by, "at": at, "reason": reason}
    claim_steps.move(claim, State.COMPLETED, **done, completed_on=on)
    if not claim.is_exchange and claim.quantity > line.units_left:
        raise MoreThanClaimable(asked=claim.quantity, claimable=line.units_left)
    if not claim.is_exchange:
        _take_units_back(claim, line, on=on, **done)
    applying.touch([(line.seller_id, on)])
    returning.charge(claim, line, at=at, on=on)
    claim_steps.let_clock_run(line.pk)
    shipping.complete(line.order, [OrderLine.objects.get(pk=line.pk)], at=at)
    return claim


def _take_units_back(claim: Claim, line: OrderLine, *, on: date, by, at: datetime, reason: str):
    event = folding.Event(
        kind=folding.RETURNED if claim.type == Type.RETURN else folding.CANCELLED,
        at=at,
        on=on,
        line=line.number,
        quantity=claim.quantity,
        by_seller=claim.fault == Fault.SELLER,
        cause=claim.type,
    )
    events = [event, *returning.outbound_back(claim, line, at=at, on=on)]
    applying.apply({line.order_id: events}, by=by, at=at, reason=reason)


def _close(claim: Claim, to: str, by, at: datetime, reason: str, **changes) -> Claim:
    claim, line = claim_steps.locked(claim)
    claim_steps.move(claim, to, by=by, at=at, reason=reason, decided_at=at, **changes)
    claim_steps.let_clock_run(line.pk)
    return claim
