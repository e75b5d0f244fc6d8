"""Arbitration: buyer and seller do not agree about a claim, and the marketplace decides (분쟁).

Any open claim may be taken to it. As long as it lasts the claim takes no other step and no deadline
runs; it stays open, so its units, its line and the money held for exactly them stay as they are. Of
the operators one who did not open it decides. The decision brings the claim back to where it stood
and takes it on from there by the processes that any claim is decided by: no money moves here.
"""

from collections.abc import Sequence
from datetime import datetime

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Prefetch

from marketplace import audit, reasons, states, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import claim_steps, claims, evidence, exchanging, goodwill, verdicts
from orders.models import Arbitration, ArbitrationStatement, Claim, Evidence

State = Claim.State
Side = Arbitration.Side
Outcome = Arbitration.Outcome
LONGEST_STATEMENT = 2_000


class NotInArbitration(Refused):
    code = "not_in_arbitration"
    message = gettext_noop("This claim is in no arbitration, or it was decided already.")


class OtherSide(Refused):
    code = "side_of_somebody_else"
    message = gettext_noop("A seller speaks for the seller alone. Leave the side out.")


class AmountMissing(Refused):
    code = "goodwill_amount_missing"
    message = gettext_noop("Say how much goodwill the buyer is granted, and who bears it.")


class OpenedByYourself(Refused):
    code = "opened_by_yourself"
    message = gettext_noop(
        "You have taken this claim to arbitration. Somebody else has to decide about it."
    )


def side(said: str | None, *, is_seller: bool) -> str:
    """Which side a program speaks for; unless it says so, its own. Raises OtherSide."""
    own = Side.SELLER if is_seller else Side.MARKETPLACE
    if is_seller and said not in (None, own):
        raise OtherSide(field="side")
    return said or own


@transaction.atomic
def begin(claim: Claim, *, side: str, reason: str, by, at: datetime) -> Claim:
    """Take an open claim to arbitration. `by` is None for whoever is not known to us by name.

    Raises reasons.ReasonMissing, and states.IllegalMove for a claim that is decided or in
    arbitration already.
    """
    reason = reasons.given(reason)
    claim, _line = claim_steps.locked(claim)
    before = claim.state
    claim_steps.move(claim, State.ARBITRATION, by=by, at=at, reason=reason)
    Arbitration.objects.create(
        claim=claim,
        state_before=before,
        side=Side(side),
        reason=reason,
        opened_by=by,
        opened_at=at,
    )
    return claim


@transaction.atomic
def say(
    claim: Claim,
    *,
    side: str,
    text: str,
    by,
    at: datetime,
    files: Sequence[UploadedFile] = (),
) -> ArbitrationStatement:
    """Add what a side says, with its evidence. Both sides read all of it.

    Raises NotInArbitration, and what is wrong with text or files (verdicts, orders.evidence).
    """
    verdicts.check_text("text", text, LONGEST_STATEMENT, needed=True)
    given = evidence.checked(files)
    claim, _line = claim_steps.locked(claim)
    statement = ArbitrationStatement.objects.create(
        arbitration=_open(claim), side=Side(side), text=text.strip(), said_at=at
    )
    evidence.keep(statement, given)
    data = {"side": side, "files": len(given)}
    audit.record("claim.statement_added", by=by, at=at, obj=claim, data=data)
    claim_steps.announce(claim, "statement_added", at=at)
    return statement


@transaction.atomic
def decide(
    claim: Claim,
    *,
    outcome: str,
    reason: str,
    by,
    at: datetime,
    fault: str | None = None,
    quantity: int | None = None,
    amount: int | None = None,
    funder: str = "",
    **shipping_found,
) -> Claim:
    """Decide an arbitration; the outcome is brought about by the processes of any claim.

    `completed`: units are taken back, with who is at fault, how many units and how shipping is paid
    as found (the names of return_shipping.Terms); an exchange becomes a return, unless its
    replacement was sent: then it is completed as it is. `goodwill`: the claim is rejected, and
    `amount` at the cost of `funder` is asked for, as any goodwill is. `rejected`: the line stays as
    it is. `resumed`: the claim goes on where it stood, its deadlines anew. Raises NotInArbitration,
    OpenedByYourself, reasons.ReasonMissing, AmountMissing, and what the processes raise.
    """
    outcome, reason = Outcome(outcome), reasons.given(reason)
    claim, _line = claim_steps.locked(claim)
    row = _open(claim)
    if row.opened_by_id == by.pk and tenancy.current().needs_second_person:
        raise OpenedByYourself()
    told = {"by": by, "at": at}
    row.outcome, row.decision, row.decided_by, row.decided_at = outcome, reason, by, at
    row.save(update_fields=["outcome", "decision", "decided_by", "decided_at"])
    states.move(claim, row.state_before, **told, reason=reason, changes={"resumed_at": at})
    if outcome == Outcome.COMPLETED:
        found = {"fault": fault, "quantity": quantity, **shipping_found}
        claim = _complete(claim, found, reason, **told)
    elif outcome != Outcome.RESUMED:
        claim = claims.reject(claim, **told, reason=reason)
    if outcome == Outcome.GOODWILL:
        if not amount or not funder:
            raise AmountMissing(field="amount")
        goodwill.ask_for_claim(claim, amount=amount, funder=funder, reason=reason, **told)
    claim_steps.announce(claim, "arbitrated", at=at)
    return claim


def of_claim(claim: Claim) -> list[Arbitration]:
    """The arbitrations of a claim with what was said and sent in, the newest first; a few queries.

    Without what the files hold.
    """
    files = Prefetch("files", Evidence.objects.defer("content").order_by("pk"))
    said = ArbitrationStatement.objects.order_by("pk").prefetch_related(files)
    rows = Arbitration.objects.filter(claim=claim).select_related("opened_by", "decided_by")
    return list(rows.order_by("-pk").prefetch_related(Prefetch("statements", said)))


def _complete(claim: Claim, found: dict, reason: str, *, by, at: datetime) -> Claim:
    told = {"by": by, "at": at, "reason": reason}
    if claim.is_exchange and claim.state in exchanging.CONVERTIBLE:
        claim = exchanging.convert(claim, **told)
    if claim.state == State.REQUESTED:
        claim = claims.approve(claim, **told, **found)
    else:
        claim = claims.correct(claim, **told, **found)
    return claims.complete(claim, **told)


def _open(claim: Claim) -> Arbitration:
    if claim.state != State.ARBITRATION:
        raise NotInArbitration()
    return Arbitration.objects.open().get(claim=claim)
