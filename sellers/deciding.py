"""What operators decide about a seller: let in, held back, stopped, let go.

Each decision changes one row. What follows from it is derived by those who read it: listings of a
seller who may not sell are not visible, whatever their own state says. Orders that were placed
before stay what they are, and are shipped, claimed and settled as ever.
"""

from datetime import datetime

from django.db import transaction

from marketplace import approvals, changes, reasons, states
from marketplace.refusals import Refused, gettext_noop
from sellers import leaving
from sellers.models import Seller

State = Seller.State


class NotWaiting(Refused):
    code = "seller_not_waiting"
    message = gettext_noop("The seller is not waiting for a decision any more.")


class StillOpen(Refused):
    code = "seller_still_open"
    message = gettext_noop(
        "The contract cannot end yet. Still open: %(what)s. The seller stays as “leaving” until "
        "then."
    )


@transaction.atomic
def approve(seller: Seller, *, by, at: datetime, reason: str = "") -> Seller:
    """Let an applicant sell. Raises NotWaiting when the application was decided before."""
    return _decide(_waiting(seller), "approved", State.ACTIVE, by, at, reason)


@transaction.atomic
def reject(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Turn an applicant down, for good. Raises NotWaiting, reasons.ReasonMissing."""
    return _decide(_waiting(seller), "rejected", State.TERMINATED, by, at, reasons.given(reason))


@transaction.atomic
def restrict(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Take a seller's listings from view until reinstated; a warning compared to suspension.

    Raises states.IllegalMove, reasons.ReasonMissing.
    """
    return _decide(_locked(seller), "restricted", State.RESTRICTED, by, at, reasons.given(reason))


@transaction.atomic
def ask_to_suspend(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Ask a second person to stop a seller; done at once where no second person is needed.

    Raises states.IllegalMove, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    return _ask("suspend_seller", _locked(seller), State.SUSPENDED, by, at, reason)


@transaction.atomic
def suspend(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Stop a seller. Raises states.IllegalMove, reasons.ReasonMissing."""
    return _decide(_locked(seller), "suspended", State.SUSPENDED, by, at, reasons.given(reason))


@transaction.atomic
def ask_to_reinstate(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Ask a second person to let a seller sell again; at once where no second person is needed.

    Raises states.IllegalMove, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    seller = _locked(seller)
    _refuse_applicant(seller)
    return _ask("reinstate_seller", seller, State.ACTIVE, by, at, reason)


@transaction.atomic
def reinstate(seller: Seller, *, by, at: datetime, reason: str = "") -> Seller:
    """Let a seller sell again who was restricted, suspended or leaving.

    Raises states.IllegalMove: an applicant is approved instead.
    """
    seller = _locked(seller)
    _refuse_applicant(seller)
    return _decide(seller, "reinstated", State.ACTIVE, by, at, reason)


@transaction.atomic
def ask_to_terminate(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Announce the end of a contract. Of a seller who was stopped a second person has to agree:
    until the end comes, the listings are in view again.

    Raises states.IllegalMove, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    seller = _locked(seller)
    if seller.state in (State.RESTRICTED, State.SUSPENDED):
        return _ask("terminate_seller", seller, State.TERMINATING, by, at, reason)
    return begin_termination(seller, by=by, at=at, reason=reason)


@transaction.atomic
def begin_termination(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """Announce the end of a seller's contract; until it is finished the seller goes on selling.

    Raises states.IllegalMove, reasons.ReasonMissing.
    """
    return _decide(_locked(seller), "terminating", State.TERMINATING, by, at, reasons.given(reason))


@transaction.atomic
def finish_termination(seller: Seller, *, by, at: datetime, reason: str) -> Seller:
    """End a seller's contract, for good. Refused while orders, claims or money are open.

    Raises StillOpen with what stands in the way, states.IllegalMove, reasons.ReasonMissing.
    """
    seller = _locked(seller)
    if seller.state != State.TERMINATING:  # an applicant is rejected instead
        raise states.IllegalMove(old=seller.state, new=State.TERMINATED)
    if found := leaving.obstacles(seller):
        raise StillOpen(what=", ".join(found))
    return _decide(seller, "terminated", State.TERMINATED, by, at, reasons.given(reason))


def _ask(kind: str, seller: Seller, to: str, by, at: datetime, reason: str) -> Seller:
    if to not in Seller.MOVES[State(seller.state)]:
        raise states.IllegalMove(old=seller.state, new=to)
    reason = reasons.given(reason)
    approvals.ask(kind, seller, by=by, at=at, reason=reason, data={"reason": reason})
    return seller


def _refuse_applicant(seller: Seller) -> None:
    if seller.state == State.ONBOARDING:  # is approved instead
        raise states.IllegalMove(old=seller.state, new=State.ACTIVE)


def _waiting(seller: Seller) -> Seller:
    seller = _locked(seller)
    if seller.state != State.ONBOARDING:
        raise NotWaiting()
    return seller


def _locked(seller: Seller) -> Seller:
    return Seller.objects.select_for_update(no_key=True).get(pk=seller.pk)


def _decide(seller: Seller, deed: str, to: str, by, at: datetime, reason: str) -> Seller:
    states.move(seller, to, by=by, at=at, reason=reason)
    changes.announce(f"seller.{deed}", seller.public_id, at=at, seller_id=seller.pk)
    return seller
