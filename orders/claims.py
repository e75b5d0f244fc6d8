"""Claims: somebody wants units of a line undone, before or after it was confirmed.

A claim is asked for, decided, and completed when goods or money are where they belong. Only its
completion takes units back. An open claim keeps its units from other claims, and its line from
being confirmed by itself. The status of the line is another axis: a claim that is rejected or
withdrawn leaves the line as it was.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from marketplace import audit, changes, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import (
    applying,
    confirmation_days,
    folding,
    return_shipping,
    returning,
    shipping,
    verdicts,
    withdrawal,
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
}


class NotClaimable(Refused):
    code = "not_claimable"
    message = gettext_noop(
        "A claim of type “%(type)s” cannot be made on a line of the status “%(status)s”."
    )


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


class NotForSellers(Refused):
    code = "not_for_sellers"
    message = gettext_noop("A seller cannot decide “%(decision)s”; the marketplace does.")


class FoundOnApproval(Refused):
    code = "found_on_approval"
    message = gettext_noop(
        "Who is at fault, and how shipping is paid, is said with the decision “approve”."
    )


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

    Without a fault it follows from the reason. Raises NotClaimable, MoreThanClaimable (open
    claims keep their units), ClaimDiffers, return_shipping.FaultMissing, and what
    returning.check() does about the shipping.
    """
    kind = Type(type)
    verdicts.check_between("quantity", quantity, 1, verdicts.LARGEST_QUANTITY)
    verdicts.check_text("reason", reason, 500)
    fault = Fault(return_shipping.fault(reason, fault))
    line = applying.lock_line(line)
    if made := _made_before(line, kind, quantity, source, source_id):
        return made
    if line.status not in CLAIMABLE[kind]:
        raise NotClaimable(type=kind.label, status=Status(line.status).label)
    left = claimable(line)
    if quantity > left:
        raise MoreThanClaimable(asked=quantity, claimable=left)
    returning.check(line, quantity, fault, shipping_terms)
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
    _announce(claim, at)
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
    if made and (made.line_id, made.type, made.quantity) != (line.pk, kind, quantity):
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
    claim, line = _open(claim)
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
    if _open(claim)[0].state not in Claim.OPEN_STATES:
        raise AlreadyAnswered()
    return _close(claim, State.REJECTED, by, at, "refused_by_seller", answer=reason)


def decide(
    claim: Claim, *, decision: str, reason: str, is_seller: bool, by, at: datetime, **found
) -> Claim:
    """Decide as a program asks for it: "approve", "reject", "withdraw" or "complete".

    Only the marketplace may withdraw, or say with its approval who is `found` to be at fault and
    how shipping is paid. Raises NotForSellers, FoundOnApproval and what the decision itself does.
    """
    found = {name: value for name, value in found.items() if value is not None}
    if found and is_seller:
        raise NotForSellers(decision=next(iter(found)), field=next(iter(found)))
    if found and decision != "approve":
        raise FoundOnApproval(field=next(iter(found)))
    if is_seller:
        if decision == "approve":
            return agree(claim, by=by, at=at)
        if decision == "reject":
            return refuse(claim, reason=reason, by=by, at=at)
        if decision == "complete":
            return take_back(claim, by=by, at=at)
        raise NotForSellers(decision=decision, field="decision")
    process = {"approve": approve, "reject": reject, "withdraw": withdraw, "complete": complete}
    return process[decision](claim, by=by, at=at, reason=reason, **found)


@transaction.atomic
def take_back(claim: Claim, *, by, at: datetime) -> Claim:
    """The seller has the goods again. Raises AlreadyAnswered where nothing was agreed to."""
    if _open(claim)[0].state != State.APPROVED:
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
    claim, line = _open(claim)
    changes = _found(claim, fault, quantity, reason)
    terms = returning.amended(claim, shipping_found)
    if claim.state == State.REQUESTED:
        about = changes.get("quantity", claim.quantity), changes.get("fault", claim.fault)
        returning.check(line, *about, terms)
    for name, value in returning.columns(terms).items():
        if value != getattr(claim, name):
            changes[name] = value
    if changes:
        data = {name: {"from": getattr(claim, name), "to": new} for name, new in changes.items()}
        audit.record("claim.corrected", by=by, at=at, obj=claim, reason=reason, data=data)
    return _move(claim, State.APPROVED, by, at, reason, decided_at=at, **changes)


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

    What the buyer pays of the shipping is sold, and what others bear of it is given back to the
    buyer. Raises states.IllegalMove when the claim is not approved, and MoreThanClaimable when
    the line has fewer units left by now.
    """
    claim, line = _open(claim)
    on = verdicts.business_date(at, _zone())
    _move(claim, State.COMPLETED, by, at, reason, completed_on=on)
    if claim.quantity > line.units_left:
        raise MoreThanClaimable(asked=claim.quantity, claimable=line.units_left)
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
    applying.touch([(line.seller_id, on)])
    returning.charge(claim, line, at=at, on=on)
    _let_clock_run(line.pk)
    shipping.complete(line.order, [OrderLine.objects.get(pk=line.pk)], at=at)
    return claim


def _close(claim: Claim, to: str, by, at: datetime, reason: str, **changes) -> Claim:
    claim, line = _open(claim)
    _move(claim, to, by, at, reason, decided_at=at, **changes)
    _let_clock_run(line.pk)
    return claim


def _move(claim: Claim, to: str, by, at: datetime, reason: str, **values) -> Claim:
    states.move(claim, to, by=by, at=at, reason=reason, changes=values)
    _announce(claim, at)
    return claim


def _announce(claim: Claim, at: datetime) -> None:
    changes.announce(f"claim.{claim.state}", claim.public_id, at=at, seller_id=claim.seller_id)


def _open(claim: Claim) -> tuple[Claim, OrderLine]:
    """The claim and its line as they are now, the line locked first, as everywhere."""
    line = applying.lock_line(OrderLine.objects.get(pk=claim.line_id))
    return Claim.objects.select_for_update(no_key=True).get(pk=claim.pk), line


def _let_clock_run(line_id: int) -> None:
    """Move the day of automatic confirmation by the days on which a claim was open."""
    line = OrderLine.objects.get(pk=line_id)
    if line.status != Status.DELIVERED or line.delivered_on is None:
        return
    zone = _zone()
    spans = []
    for claim in Claim.objects.filter(line=line).exclude(state__in=Claim.OPEN_STATES):
        made_on = verdicts.business_date(claim.requested_at, zone)
        closed_on = claim.completed_on or verdicts.business_date(claim.decided_at, zone)
        spans.append((made_on, closed_on))
    paused = withdrawal.paused_days(spans, line.delivered_on)
    due_on = confirmation_days.DueDays().due_on(line.delivered_on, paused)
    OrderLine.objects.filter(pk=line_id).update(confirm_due_on=due_on)


def _zone():
    return Marketplace.objects.get(pk=tenancy.current_id()).tz
