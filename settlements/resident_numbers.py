"""Resident registration numbers of sellers: asked for where a law does, entered, erased.

A number is typed by its owner, sealed at once, and shown to nobody again but for its date of
birth, to the owner. What takes it out is settlements.resident_filing. Whether the caller has
proved who they are again is checked at the edge.
"""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from marketplace import audit, identifiers, reasons, sealing, tenancy
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller
from settlements import retention, withholding
from settlements.models import Payout, ResidentNumber, SellerContract, Statement, TaxInvoice

CURRENCY = "KRW"  # the laws that ask for it are Korea's
Purpose, Law = ResidentNumber.Purpose, ResidentNumber.Law
LAWS = {Purpose.WITHHOLDING: Law.INCOME_TAX, Purpose.TAX_INVOICE: Law.INVOICES}


class NotAskedFor(Refused):
    code = "resident_number_not_asked_for"
    message = gettext_noop(
        "No law asks for a resident registration number of this shop, so it may not be kept."
    )


class SameNumber(Refused):
    code = "same_resident_number"
    message = gettext_noop("This number is kept already.")


def purpose_of(seller: Seller, *, on: date) -> ResidentNumber.Purpose | None:
    """What the seller's own number is needed for now; None where no law asks for it.

    Never of companies, nor for income of which the reports were handed in long ago.
    """
    if tenancy.current().currency != CURRENCY or seller.seller_type == Seller.Type.CORPORATION:
        return None
    reported_from = date(on.year - 1, 1, 1)
    if _is_withheld_from(seller, on, reported_from):
        return Purpose.WITHHOLDING
    invoices = TaxInvoice.objects.filter(seller=seller, written_on__gte=reported_from)
    if seller.seller_type == Seller.Type.INDIVIDUAL and invoices.exists():
        return Purpose.TAX_INVOICE
    return None


def of(seller: Seller) -> ResidentNumber | None:
    """The number that is kept of a seller."""
    return ResidentNumber.objects.filter(seller=seller).first()


def masked(row: ResidentNumber) -> str:
    """The number as its owner may see it again: the date of birth, and nothing more.

    One that no key of the keyring opens any more tells not even that.
    """
    return identifiers.masked_resident_number(_digits(row) or "*" * 6)


def doubles(row: ResidentNumber) -> list[Seller]:
    """The other sellers of the marketplace with the same number, by code."""
    number = _digits(row)
    if number is None:
        return []
    equal = sealing.indexes(ResidentNumber, "number", number, row.marketplace_id)
    others = ResidentNumber.objects.filter(number_index__in=equal).exclude(pk=row.pk)
    return list(Seller.objects.filter(pk__in=others.values("seller_id")).order_by("code"))


def last_income_on(row: ResidentNumber) -> date | None:
    """When the last payment or invoice was that a number is needed for; None before the first.

    Of money that is withheld from and not yet paid, the day on which its statement closed. `row`
    is one with_last_income().
    """
    paid_on = row.paid_at.astimezone(tenancy.current().tz).date() if row.paid_at else None
    return max(filter(None, (row.withheld_on, paid_on, row.invoiced_on)), default=None)


def kept_until(row: ResidentNumber, *, years: int) -> date | None:
    """Until which day such a row is kept, by what is known now; None while nothing was paid."""
    last_on = last_income_on(row)
    return retention.kept_until(last_on, years) if last_on else None


@transaction.atomic
def enter(seller: Seller, text: str, *, by, at: datetime) -> ResidentNumber:
    """Keep a seller's number in place of any before it.

    A shop that is stopped or over enters it, too: what it was paid is still to be reported. Raises
    NotAskedFor, identifiers.NotAResidentNumber, SameNumber.
    """
    seller = Seller.objects.select_for_update(no_key=True).get(pk=seller.pk)
    on = at.astimezone(tenancy.current().tz).date()
    purpose = purpose_of(seller, on=on)
    if purpose is None:
        raise NotAskedFor()
    number = identifiers.resident_number(text, on=on)
    row = ResidentNumber.objects.select_for_update(of=("self",)).filter(seller=seller).first()
    if row is not None and _digits(row) == number.digits:
        raise SameNumber()
    deed = "entered" if row is None else "replaced"
    row = row or ResidentNumber(seller=seller)
    row.purpose, row.legal_basis = purpose, LAWS[purpose]
    row.has_odd_check_digit = number.warning is not None
    row.entered_at, row.entered_by = at, by
    row.last_used_for, row.last_used_at = "", None
    sealing.seal(row, number=number.digits)
    row.save()
    data = {"purpose": row.purpose, "seller": seller.pk}
    audit.record(f"residentnumber.{deed}", by=by, at=at, obj=row, data=data)
    return row


@transaction.atomic
def erase(row: ResidentNumber, *, by, at: datetime, reason: str) -> None:
    """Erase a number for good, as somebody decided. Raises reasons.ReasonMissing."""
    _erase(row, by=by, at=at, reason=reasons.given(reason))


def erase_due(*, at: datetime) -> int:
    """Erase every number of the marketplace in use that the law no longer asks for; how many."""
    on = at.astimezone(tenancy.current().tz).date()
    keys = [row.pk for row in _rows().iterator(chunk_size=2000) if _reason(row, on)]
    return sum(_erase_if_due(key, on, at) for key in keys)


def _digits(row: ResidentNumber) -> str | None:
    try:
        return sealing.reveal(row, "number")
    except sealing.Unreadable:
        return None


def _rows():
    return ResidentNumber.objects.with_last_income().select_related("seller").order_by("pk")


@transaction.atomic
def _erase_if_due(key: int, on: date, at: datetime) -> bool:
    """Erase one, unless it was entered anew since it was looked at."""
    row = _rows().select_for_update(of=("self",)).filter(pk=key).first()
    reason = _reason(row, on) if row else None
    if reason:
        _erase(row, by=None, at=at, reason=reason)
    return reason is not None


def _reason(row: ResidentNumber, on: date) -> str | None:
    market = tenancy.current()
    return retention.reason_to_erase(
        last_income_on=last_income_on(row),
        entered_on=row.entered_at.astimezone(market.tz).date(),
        has_left=row.seller.state == Seller.State.TERMINATED,
        on=on,
        years=market.resident_number_years,
    )


def _erase(row: ResidentNumber, *, by, at: datetime, reason: str) -> None:
    data = {"purpose": row.purpose, "seller": row.seller_id}
    audit.record("residentnumber.erased", by=by, at=at, obj=row, reason=reason, data=data)
    row.delete()


def _is_withheld_from(seller: Seller, on: date, reported_from: date) -> bool:
    """Whether tax was withheld of late, or will be: by the contract, or by a statement.

    Without a contract that ever said so nothing is withheld, and no statement is looked at.
    """
    versions = SellerContract.objects.published().filter(seller=seller).order_by("-valid_from")
    kinds = list(versions.values_list("valid_from", "income_kind"))
    if all(kind != withholding.SERVICE for _valid_from, kind in kinds):
        return False
    for valid_from, kind in kinds:
        if kind == withholding.SERVICE:
            return True
        if valid_from <= on:
            break  # in force now; those before it were
    statements = Statement.objects.filter(seller=seller)
    paid = {"payout_items__payout__state__in": Payout.ARRIVED}
    is_told = (
        Q(closed_on__gte=reported_from)
        | Q(state=Statement.State.IN_PAYOUT)
        | Q(payout_items__payout__ended_at__date__gte=reported_from, **paid)
    )
    told = statements.withheld().filter(is_told)
    return (told | statements.open().filter(service_net__gt=0)).exists()
