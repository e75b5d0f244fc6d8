"""Tax invoices of the fees of a month: issued, handed over, accepted or not.

They are drawn up by settlements.tax_drawing. Once issued an invoice stays as it is, and what comes
later is told by a correction. Who transmits it to the tax office is another's business; here is
recorded what became of it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from marketplace import audit, changes, identifiers, reasons, sealing, states, tenancy
from marketplace.models import LegalIdentity, Marketplace
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller, SellerProfile
from settlements import tax_invoices, tax_results
from settlements.models import TaxInvoice
from settlements.tax_lines import Key

State, Leg = TaxInvoice.State, TaxInvoice.Leg


class MonthNotOver(Refused):
    code = "tax_month_not_over"
    message = gettext_noop(
        "%(month)s is not closed yet: invoices are issued once the night of its last day is."
    )


class IdentityIncomplete(Refused):
    code = "legal_identity_incomplete"
    message = gettext_noop(
        "Publish a legal identity with company, representative, business registration number and "
        "address first: it stands on every invoice."
    )


class ReceiverIncomplete(Refused):
    code = "tax_receiver_incomplete"
    message = gettext_noop(
        "“%(seller)s” has no valid business registration number, or no representative. The seller "
        "writes them in the shop profile, or the operator on the seller's page."
    )


class OriginalMissing(Refused):
    code = "tax_original_missing"
    message = gettext_noop(
        "%(number)s corrects an invoice of %(month)s that was not issued here. Issue that one "
        "first, or write its national approval number."
    )


class ApprovalNumberTaken(Refused):
    code = "approval_number_taken"
    message = gettext_noop("The approval number already stands on %(number)s.")


class UnknownInvoice(Refused):
    code = "tax_invoice_unknown"
    message = gettext_noop("There is no tax invoice “%(number)s”.")


@dataclass(frozen=True, slots=True)
class Sent:
    """What was issued at once, and which invoices could not be, with why."""

    issued: int
    refused: list[tuple[TaxInvoice, Refused]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file of answers said, and the rows that could not be used."""

    accepted: int
    failed: int
    refused: list[tuple[int, str, Refused]]  # line, management number


@transaction.atomic
def issue(invoice: TaxInvoice, *, by, at: datetime) -> TaxInvoice:
    """Issue one invoice. Raises what `refusal` returns, or states.IllegalMove."""
    sent = issue_many(TaxInvoice.objects.filter(pk=invoice.pk), by=by, at=at)
    for _, refused in sent.refused:
        raise refused
    invoice.refresh_from_db()
    if not sent.issued:
        raise states.IllegalMove(old=invoice.state, new=State.ISSUED)
    return invoice


@transaction.atomic
def issue_many(rows, *, by, at: datetime) -> Sent:
    """Issue the drafts among `rows` that can be; the others are told with their reasons.

    Raises IdentityIncomplete.
    """
    market = Marketplace.objects.get(pk=tenancy.current_id())
    today = at.astimezone(market.tz).date()
    issuer = _issuer(today)
    # Originals before what corrects them.
    drafts = list(
        rows.filter(state=State.DRAFT)
        .select_for_update(of=("self",))
        .select_related("seller")
        .order_by("month", "pk")
    )
    profiles = _profiles({row.seller_id for row in drafts})
    originals = _originals(drafts)
    issued, refused = [], []
    for row in drafts:
        row.original = row.original or originals.get(_corrected(row))
        reason = _refusal(row, profiles.get(row.seller_id), market)
        if reason is not None:
            refused.append((row, reason))
            continue
        seal_receiver(row, profiles.get(row.seller_id))
        issued.append(row)
    TaxInvoice.objects.bulk_update(issued, ["original", "receiver"], batch_size=2000)
    states.move_many(
        TaxInvoice.objects.filter(pk__in=[row.pk for row in issued]),
        State.ISSUED,
        by=by,
        at=at,
        changes={"issuer": issuer, "issued_at": at, "transmit_by": today + timedelta(days=1)},
    )
    _announce("issued", issued, at)
    return Sent(issued=len(issued), refused=refused)


def name_original(invoice: TaxInvoice, *, by, at: datetime, approval_number: str) -> TaxInvoice:
    """Say which invoice a draft corrects that was issued elsewhere. Raises NotAnApprovalNumber."""
    number = tax_invoices.approval_number(approval_number)
    named = TaxInvoice.objects.filter(pk=invoice.pk, state=State.DRAFT).update(
        original_number=number
    )
    if not named:
        raise states.IllegalMove(old=invoice.state, new=State.DRAFT)
    audit.record("taxinvoice.original_named", by=by, at=at, obj=invoice, data={"number": number})
    invoice.refresh_from_db()
    return invoice


def transmit(invoice: TaxInvoice, *, by, at: datetime) -> TaxInvoice:
    """Record that it was handed to the tax office. Raises states.IllegalMove."""
    values = {"transmitted_at": at, "failure": ""}
    states.move(invoice, State.TRANSMITTED, by=by, at=at, changes=values)
    return invoice


@transaction.atomic
def transmit_many(rows, *, by, at: datetime) -> int:
    """Record that the issued ones among `rows` were handed over; returns how many."""
    values = {"transmitted_at": at, "failure": ""}
    found = rows.filter(state__in=(State.ISSUED, State.FAILED))
    return states.move_many(found, State.TRANSMITTED, by=by, at=at, changes=values)


@transaction.atomic
def accept(invoice: TaxInvoice, *, by, at: datetime, approval_number: str) -> TaxInvoice:
    """Record the tax office's approval number.

    Raises NotAnApprovalNumber, ApprovalNumberTaken, states.IllegalMove.
    """
    number = tax_invoices.approval_number(approval_number)
    other = TaxInvoice.objects.filter(approval_number=number).exclude(pk=invoice.pk).first()
    if other is not None:
        raise ApprovalNumberTaken(number=other.number, field="approval_number")
    if invoice.state in (State.ISSUED, State.FAILED):
        transmit(invoice, by=by, at=at)
    values = {"approval_number": number, "accepted_at": at, "failure": ""}
    states.move(invoice, State.ACCEPTED, by=by, at=at, changes=values)
    _announce("accepted", [invoice], at)
    return invoice


@transaction.atomic
def fail(invoice: TaxInvoice, *, by, at: datetime, reason: str) -> TaxInvoice:
    """Record that the tax office did not take it. Raises ReasonMissing, states.IllegalMove."""
    reason = reasons.given(reason)[:300]
    if invoice.state == State.ISSUED:
        transmit(invoice, by=by, at=at)
    states.move(invoice, State.FAILED, by=by, at=at, reason=reason, changes={"failure": reason})
    _announce("failed", [invoice], at)
    return invoice


def take_results(content: bytes, *, by, at: datetime) -> Taken:
    """Record what a file of answers says, each row by itself. Raises ResultsUnreadable.

    A row that says what is known already is taken and changes nothing.
    """
    accepted = failed = 0
    refused = []
    for answer in tax_results.read(content):
        try:
            if _take(answer, by, at):
                accepted += 1
            else:
                failed += 1
        except Refused as reason:
            refused.append((answer.row, answer.number, reason))
    told = {"accepted": accepted, "failed": failed, "refused": len(refused)}
    audit.record("tax_invoices.results_taken", by=by, at=at, obj=TaxInvoice, data=told)
    return Taken(accepted, failed, refused)


def seal_receiver(row: TaxInvoice, profile: SellerProfile | None) -> None:
    """Keep the receiver as they are now, sealed on the invoice."""
    seller = row.seller
    told = {
        "number": _business_number(seller),
        "is_person": not _business_number(seller),
        "name": (profile.company if profile else "") or seller.name,
        "representative": profile.representative if profile else "",
        "address": profile.address if profile else "",
        "email": profile.contact_email if profile else "",
    }
    sealing.seal(row, receiver=json.dumps(told, ensure_ascii=False))


def receiver(row: TaxInvoice) -> dict:
    """Who an issued invoice was issued to."""
    return json.loads(sealing.reveal(row, "receiver"))


def _take(answer: tax_results.Answer, by, at: datetime) -> bool:
    """Record one answer, whole or not at all; says whether it was accepted."""
    is_accepted = answer.is_accepted
    with transaction.atomic():
        row = TaxInvoice.objects.select_for_update().filter(number=answer.number).first()
        if row is None:
            raise UnknownInvoice(number=answer.number[:40])
        if is_accepted:
            number = tax_invoices.approval_number(answer.approval_number)
            if not (row.state == State.ACCEPTED and row.approval_number == number):
                accept(row, by=by, at=at, approval_number=number)
        elif row.state != State.FAILED:
            fail(row, by=by, at=at, reason=answer.message)
    return is_accepted


def _issuer(on: date) -> LegalIdentity:
    found = LegalIdentity.objects.all().on(on)
    if found is None or not all(
        (found.company, found.representative, found.business_number, found.address)
    ):
        raise IdentityIncomplete()
    try:
        identifiers.business_number(found.business_number)
    except identifiers.NotABusinessNumber:
        raise IdentityIncomplete() from None
    return found


def _profiles(sellers: set[int]) -> dict[int, SellerProfile]:
    rows = SellerProfile.objects.filter(seller_id__in=sellers)
    return {row.seller_id: row for row in rows}


def _business_number(seller: Seller) -> str:
    """Digits of the seller's registration; empty for somebody without one."""
    try:
        return identifiers.business_number(seller.business_number).digits
    except identifiers.NotABusinessNumber:
        return ""


def _refusal(row: TaxInvoice, profile: SellerProfile | None, market: Marketplace) -> Refused | None:
    """Why a draft cannot be issued now; None where it can."""
    end = tax_invoices.end_of(row.month)
    if market.last_closed_on is None or market.last_closed_on < end:
        return MonthNotOver(month=f"{row.month:%Y-%m}")
    is_person = row.seller.seller_type == Seller.Type.INDIVIDUAL
    if not is_person and not (
        _business_number(row.seller) and profile is not None and profile.representative
    ):
        return ReceiverIncomplete(seller=row.seller.name)
    if row.is_correction and row.original is None and not row.original_number:
        return OriginalMissing(number=row.number, month=f"{row.original_month:%Y-%m}")
    return None


def _corrected(row: TaxInvoice) -> Key:
    return row.seller_id, row.kind, row.original_month


def _originals(drafts: list[TaxInvoice]) -> dict[Key, TaxInvoice]:
    """The invoice of each month that corrections are about: the last that stands as issued."""
    corrections = [row for row in drafts if row.is_correction]
    rows = (
        TaxInvoice.objects.issued()
        .filter(
            leg__in=(Leg.INVOICE, Leg.ANEW),
            month__in={row.original_month for row in corrections},
            seller__in={row.seller_id for row in corrections},
        )
        .order_by("pk")
    )
    return {(row.seller_id, row.kind, row.month): row for row in rows}


def _announce(deed: str, rows: Iterable[TaxInvoice], at: datetime) -> None:
    told = [(row.public_id, row.seller_id, {}) for row in rows]
    changes.announce_many(f"tax_invoice.{deed}", told, at=at)
