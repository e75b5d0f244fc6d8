"""What a court has attached (압류, 가압류) leaves the marketplace: to the creditor, or deposited.

Only money that statements have kept back for the attachment, and by two people. Civil Execution
Act art. 229 (a creditor who may collect is paid by the debtor) and art. 248 (who owes attached
money may deposit it with the court instead). A provisional attachment (가압류) lets nobody
collect: its money is deposited or kept.
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F

from marketplace import approvals, audit, changes, reasons
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from settlements import holding, ledger
from settlements.ledger import Draft
from settlements.models import AttachmentPayment, Hold, SellerBalance
from settlements.payout_journals import business_date

Kind = AttachmentPayment.Kind
APPROVAL: Final = "pay_attachment"


class NotAnAttachment(Refused):
    code = "hold_is_no_attachment"
    message = gettext_noop(
        "Only an amount that is held for an attachment in force can be paid to a creditor or "
        "deposited with a court."
    )


class MoreThanHeld(Refused):
    code = "more_than_held"
    message = gettext_noop(
        "%(held)s is kept back for this attachment so far, less than %(amount)s. Wait for the "
        "next statements."
    )


class PayeeMissing(Refused):
    code = "attachment_payee_missing"
    message = gettext_noop("Name who gets the money: the creditor, or the court of the deposit.")


class EvidenceMissing(Refused):
    code = "attachment_evidence_missing"
    message = gettext_noop("Name the court's case number, or the number of the deposit.")


def ask_to_pay(
    hold: Hold,
    *,
    kind: str,
    payee: str,
    amount: int,
    evidence: str,
    reason: str,
    by,
    at: datetime,
) -> Hold:
    """Ask a second person to record that held money was paid or deposited.

    Raises NotAnAttachment, MoreThanHeld, PayeeMissing, EvidenceMissing, reasons.ReasonMissing,
    approvals.AlreadyAsked.
    """
    if not payee.strip():
        raise PayeeMissing(field="payee")
    if not evidence.strip():
        raise EvidenceMissing(field="evidence")
    _refuse(hold, amount)
    reason = reasons.given(reason)
    data = {
        "kind": Kind(kind).value,
        "payee": payee.strip(),
        "amount": amount,
        "evidence": evidence.strip(),
        "reason": reason,
    }
    approvals.ask(APPROVAL, hold, by=by, at=at, reason=reason, data=data)
    return hold


@transaction.atomic
def pay(
    hold: Hold,
    *,
    kind: str,
    payee: str,
    amount: int,
    evidence: str,
    reason: str,
    by,
    at: datetime,
) -> AttachmentPayment:
    """Carried out by marketplace.approvals. The attachment shrinks, and ends with its last won.

    Raises NotAnAttachment, MoreThanHeld.
    """
    hold = Hold.objects.select_for_update(no_key=True).get(pk=hold.pk)
    _refuse(hold, amount)
    payment = AttachmentPayment.objects.create(
        hold=hold,
        seller_id=hold.seller_id,
        kind=kind,
        payee=payee,
        amount=amount,
        on=business_date(at),
        evidence=evidence,
        reason=reason,
        by=by,
        at=at,
    )
    left = hold.amount - amount
    Hold.objects.filter(pk=hold.pk).update(taken=F("taken") - amount, amount=left or hold.amount)
    SellerBalance.objects.filter(seller=hold.seller_id).update(held=F("held") - amount)
    _post(payment)
    if not left:
        holding.release(hold, reason=reason, by=by, at=at)
    data = {"amount": amount, "kind": str(kind), "seller": hold.seller_id}
    audit.record("hold.paid", by=by, at=at, obj=hold, reason=reason, data=data)
    changes.announce(
        "hold.paid", hold.public_id, at=at, seller_id=hold.seller_id, kind=str(payment.kind)
    )
    return payment


def is_payable(hold: Hold) -> bool:
    """Whether something of a hold can be paid to a creditor, or deposited."""
    is_attachment = hold.reason == Hold.Reason.ATTACHMENT and hold.kind == Hold.Kind.LINE
    is_amount = hold.amount is not None and hold.order_line_id is None
    return is_attachment and is_amount and hold.state == Hold.State.PLACED and hold.taken > 0


def _refuse(hold: Hold, amount: int) -> None:
    if not is_payable(hold):
        raise NotAnAttachment()
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    if amount > hold.taken:
        raise MoreThanHeld(held=hold.taken, amount=amount, field="amount")


def _post(payment: AttachmentPayment) -> None:
    draft = Draft("attachment", payment.public_id, payment.on, payment.seller_id)
    draft.debit(ledger.SELLER_HELD, payment.amount)
    draft.credit(ledger.BANK, payment.amount)
    ledger.post_on_open_day(draft)
