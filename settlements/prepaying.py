"""Advertising prepayments: paid in by sellers, drawn for charges, given back, refunded.

A deposit is a liability, no revenue: the supply, its VAT and its tax invoice are the charge's. A
charge is an adjustment of advertising. Once it is approved of, an adjustment without VAT beside it
draws what is left of the prepayment; only the rest is taken off the statement. Money leaves as an
adjustment as well, on the next statement, after a second person approves.
"""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Sum
from django.utils import translation
from django.utils.translation import gettext

from marketplace import approvals, audit, changes, reasons, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from sellers.models import Seller
from settlements import adjusted, adjustments, contracts, deposits, ledger, ledger_balances
from settlements.ledger import Draft
from settlements.models import Account, Adjustment, AdPrepayment, AdPrepaymentMovement, Statement

TEMPLATE = "ad_prepayment"
Kind = AdPrepaymentMovement.Kind
_STANDING = (Adjustment.State.APPROVED, Adjustment.State.SETTLED)


class MoreThanPrepaid(Refused):
    code = "more_than_prepaid"
    message = gettext_noop(
        "%(left)s is left of the advertising prepayment, less than %(amount)s. Write at most that."
    )


@transaction.atomic
def record_deposit(
    seller: Seller,
    *,
    amount: int,
    evidence: str,
    on: date,
    reason: str = "",
    by,
    at: datetime,
) -> AdPrepaymentMovement:
    """A seller has paid for advertising in advance, on a day, as the bank's statement shows.

    What is charged and on no statement yet is drawn from it at once. Raises what deposits.once()
    does, and verdicts.OutOfRange for an amount below 1.
    """
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    evidence = deposits.once(evidence, on=on, at=at)
    prepayment = _locked(seller.pk)
    movement = _move(
        prepayment, Kind.DEPOSIT, amount, on=on, by=by, at=at, reason=reason, evidence=evidence
    )
    draft = Draft(TEMPLATE, movement.public_id, on, seller.pk)
    draft.debit(ledger.BANK, amount)
    draft.credit(ledger.AD_PREPAYMENT, amount)
    ledger.post_on_open_day(draft)
    _cover(prepayment, by=by, at=at)
    return movement


def pay(charge: Adjustment, *, by, at: datetime) -> None:
    """Draw what is left of the prepayment for an approved charge, and for those before it."""
    _cover(_locked(charge.seller_id), by=by, at=at)


def give_back(reversal: Adjustment, *, by, at: datetime) -> None:
    """Give back what was drawn for a charge that is approved to be taken back."""
    prepayment = _locked(reversal.seller_id)
    charge = Adjustment.objects.get(pk=reversal.charge_id)
    agreed = contracts.of_seller(reversal.seller_id)
    back = min(drawn_for(charge), adjusted.figures(reversal, agreed).net)
    if back > 0:
        with translation.override(tenancy.current().locale):
            told = gettext("Given back to the advertising prepayment: %(charge)s")
        row = _adjustment(charge, -back, told, reversal.basis_on, at)
        _settle(prepayment, row, Kind.GIVEN_BACK, by=by, at=at)
    _cover(prepayment, by=by, at=at)


def ask_to_refund(
    prepayment: AdPrepayment, *, amount: int, reason: str, by, at: datetime
) -> AdPrepayment:
    """Ask a second person to give a part of a prepayment back to the seller.

    Raises MoreThanPrepaid, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    reason = reasons.given(reason)
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    _refuse_more_than_left(prepayment, amount)
    data = {"amount": amount, "reason": reason}
    approvals.ask("refund_ad_prepayment", prepayment, by=by, at=at, reason=reason, data=data)
    prepayment.refresh_from_db()
    return prepayment


@transaction.atomic
def refund(
    prepayment: AdPrepayment, *, amount: int, reason: str, by, at: datetime
) -> AdPrepaymentMovement:
    """Give a part of a prepayment back, on the seller's next statement; an approval's process.

    Raises MoreThanPrepaid, where charges have drawn it meanwhile.
    """
    prepayment = _locked(prepayment.seller_id)
    _refuse_more_than_left(prepayment, amount)
    row = Adjustment(
        seller_id=prepayment.seller_id,
        state=Adjustment.State.APPROVED,
        amount=amount,
        tax_kind=adjustments.OUTSIDE_SCOPE,
        reason_code=Adjustment.Reason.AD_REFUND,
        reason=reasons.given(reason),
        basis_on=verdicts.business_date(at, tenancy.current().tz),
        requested_at=at,
    )
    return _settle(prepayment, row, Kind.REFUND, by=by, at=at)


def drawn_for(charge: Adjustment) -> int:
    """What was drawn for a charge and not given back, in minor units."""
    rows = charge.follow_ups.filter(reason_code=Adjustment.Reason.AD_PREPAID)
    return rows.aggregate(sum=Sum("amount"))["sum"] or 0


def unexplained() -> int:
    """What the account of the ledger holds beyond what is left of all prepayments now.

    What was drawn, given back or refunded is booked once its statement closes; until then the
    account still has it. Amounts are minor units; 0 where all is right.
    """
    account = Account.objects.filter(code=ledger.AD_PREPAYMENT).values_list("pk", flat=True).first()
    prepaid = AdPrepayment.objects.aggregate(sum=Sum("balance"))["sum"] or 0
    of_prepayments = Adjustment.objects.filter(reason_code__in=adjustments.PREPAID)
    unbooked = of_prepayments.filter(state=Adjustment.State.APPROVED) | of_prepayments.filter(
        statement__in=Statement.objects.open()
    )
    pending = unbooked.aggregate(sum=Sum("amount"))["sum"] or 0
    booked = ledger_balances.of(account, date.max).balance if account else 0
    return -booked - prepaid - pending


def _cover(prepayment: AdPrepayment, *, by, at: datetime) -> None:
    """Draw for charges that no night has settled, the earliest first, as far as there is any."""
    if not prepayment.balance:
        return
    taken_back = Adjustment.objects.filter(
        charge=OuterRef("pk"), reason_code=adjustments.ADVERTISING, state__in=_STANDING
    )
    charges = Adjustment.objects.filter(
        ~Exists(taken_back),
        seller=prepayment.seller_id,
        state=Adjustment.State.APPROVED,
        reason_code=adjustments.ADVERTISING,
        amount__lt=0,
    )
    with translation.override(tenancy.current().locale):
        told = gettext("Paid from the advertising prepayment: %(charge)s")
    agreed = contracts.of_seller(prepayment.seller_id)
    for charge in charges.order_by("basis_on", "pk"):
        owed = -adjusted.figures(charge, agreed).net - drawn_for(charge)
        amount = min(prepayment.balance, owed)
        if amount > 0:
            row = _adjustment(charge, amount, told, charge.basis_on, at)
            _settle(prepayment, row, Kind.DRAWN, by=by, at=at)


def _adjustment(
    charge: Adjustment, amount: int, text: str, basis_on: date, at: datetime
) -> Adjustment:
    return Adjustment(
        seller_id=charge.seller_id,
        charge=charge,
        state=Adjustment.State.APPROVED,
        amount=amount,
        tax_kind=adjustments.OUTSIDE_SCOPE,
        reason_code=Adjustment.Reason.AD_PREPAID,
        reason=text % {"charge": charge.public_id},
        basis_on=basis_on,
        requested_at=at,
    )


def _settle(
    prepayment: AdPrepayment, row: Adjustment, kind: str, *, by, at: datetime
) -> AdPrepaymentMovement:
    """Move the prepayment by what an adjustment gives the seller, or takes."""
    row.save(force_insert=True)
    changes.announce("adjustment.approved", row.public_id, at=at, seller_id=row.seller_id)
    on = verdicts.business_date(at, tenancy.current().tz)
    return _move(
        prepayment, kind, -row.amount, on=on, by=by, at=at, reason=row.reason, adjustment=row
    )


def _move(
    prepayment: AdPrepayment, kind: str, amount: int, *, on: date, by, at: datetime, **said
) -> AdPrepaymentMovement:
    prepayment.balance += amount
    prepayment.save(update_fields=["balance"])
    movement = AdPrepaymentMovement.objects.create(
        seller_id=prepayment.seller_id,
        kind=kind,
        amount=amount,
        balance=prepayment.balance,
        on=on,
        by=by,
        at=at,
        **said,
    )
    data = {"amount": amount, "seller": prepayment.seller_id}
    audit.record(
        f"ad_prepayment.{movement.kind}",
        by=by,
        at=at,
        obj=movement,
        reason=movement.reason,
        data=data,
    )
    return movement


def _locked(seller_id: int) -> AdPrepayment:
    """The seller's prepayment, which nobody else moves until the end of the transaction."""
    AdPrepayment.objects.bulk_create([AdPrepayment(seller_id=seller_id)], ignore_conflicts=True)
    return AdPrepayment.objects.select_for_update(no_key=True).get(seller=seller_id)


def _refuse_more_than_left(prepayment: AdPrepayment, amount: int) -> None:
    if amount > prepayment.balance:
        raise MoreThanPrepaid(left=prepayment.balance, amount=amount, field="amount")
