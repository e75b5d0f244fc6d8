"""Tax invoices of the fees of a month: drawn up, issued, handed over, accepted or not.

Drafts follow the lines: they are drawn up anew by every night that settles lines of their month.
Once issued an invoice stays as it is, and what comes later is told by a correction
(settlements.tax_invoices says which). Who transmits it to the tax office is another's business;
here is recorded what became of it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max

from marketplace import audit, changes, identifiers, reasons, sealing, states, tenancy
from marketplace.models import LegalIdentity, Marketplace
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller, SellerProfile
from settlements import tax_invoices, tax_lines, tax_results
from settlements.models import TaxInvoice
from settlements.tax_invoices import Amount, Issued, Planned
from settlements.tax_lines import Key

State, Leg = TaxInvoice.State, TaxInvoice.Leg
CURRENCY = "KRW"  # the law that this follows is Korea's
LOOKED_BACK = 2  # months before the one of a night that may still get lines


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
class Drawn:
    """What a drawing up left: drafts of the month, and how many of them are new or changed."""

    drafts: int
    changed: int


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


def is_done_by(market: Marketplace) -> bool:
    """Whether the marketplace has to issue Korean tax invoices."""
    return market.currency == CURRENCY


def draw_night(on: date, *, at: datetime) -> int:
    """Draw up what a night calls for; returns how many drafts are new or changed.

    On the last day of a month that month, and on any night the earlier months that got lines.
    """
    if not is_done_by(tenancy.current()):
        return 0
    month = tax_invoices.first_of(on)
    since = tax_invoices.months_before(month, LOOKED_BACK)
    months = tax_lines.months_that_changed(on, since=since)
    if on == tax_invoices.end_of(month):
        months.append(month)
    return sum(draw(each, at=at).changed for each in months)


@transaction.atomic
def draw(month: date, *, at: datetime, by=None) -> Drawn:
    """Make the drafts of a month say what its lines say. A second call changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('tax.draw', %s))", [tenancy.current_id()]
        )
    wanted = _planned(month)
    stale = {
        _place(row): row
        for row in TaxInvoice.objects.filter(month=month, state=State.DRAFT).select_for_update()
    }
    changed = []
    for place, planned in wanted.items():
        row = stale.pop(place, None)
        if row is not None and _says(row, planned):
            continue
        row = row or _draft(month, place)
        _write(row, planned)
        changed.append(row)
    _number(month, [row for row in changed if not row.number])
    _save(changed)
    gone = TaxInvoice.objects.filter(pk__in=[row.pk for row in stale.values()])
    removed, _ = gone.delete()
    if changed or removed:
        told = {"month": f"{month:%Y-%m}", "changed": len(changed), "removed": removed}
        audit.record("tax_invoices.drawn", by=by, at=at, obj=TaxInvoice, data=told)
    return Drawn(drafts=len(wanted), changed=len(changed) + removed)


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
    _announce("tax_invoice.issued", issued, at)
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
    _announce("tax_invoice.accepted", [invoice], at)
    return invoice


@transaction.atomic
def fail(invoice: TaxInvoice, *, by, at: datetime, reason: str) -> TaxInvoice:
    """Record that the tax office did not take it. Raises ReasonMissing, states.IllegalMove."""
    reason = reasons.given(reason)[:300]
    if invoice.state == State.ISSUED:
        transmit(invoice, by=by, at=at)
    states.move(invoice, State.FAILED, by=by, at=at, reason=reason, changes={"failure": reason})
    _announce("tax_invoice.failed", [invoice], at)
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


def _planned(month: date) -> dict[tuple, Planned]:
    """The drafts that a month needs, by their place."""
    owed = tax_lines.owed(month)
    issued: dict[Key, list[Issued]] = {}
    for row in TaxInvoice.objects.issued().filter(month=month).order_by("pk"):
        key = (row.seller_id, row.kind, row.original_month)
        issued.setdefault(key, []).append(Issued(row.leg, _components(row)))
    wanted = {}
    for key in owed.keys() | issued.keys():
        charged_in = key[2]
        one = owed.get(key, tax_lines.Owed(last_on=tax_invoices.end_of(month)))
        plans = tax_invoices.plan(
            month, charged_in, one.components, one.last_on, issued.get(key, ())
        )
        wanted |= {(*key, planned.leg): planned for planned in plans}
    return wanted


def _place(row: TaxInvoice) -> tuple:
    return row.seller_id, row.kind, row.original_month, row.leg


def _draft(month: date, place: tuple) -> TaxInvoice:
    seller_id, kind, charged_in, leg = place
    return TaxInvoice(
        seller_id=seller_id,
        month=month,
        kind=kind,
        original_month=charged_in,
        leg=leg,
        deadline_on=tax_invoices.deadline(month),
    )


def _components(row: TaxInvoice) -> dict[str, Amount]:
    return {component: Amount(*amount) for component, amount in row.components.items()}


def _says(row: TaxInvoice, planned: Planned) -> bool:
    same = _components(row) == planned.components and row.written_on == planned.written_on
    return same and row.reason_code == planned.reason


def _write(row: TaxInvoice, planned: Planned) -> None:
    row.components = {name: list(amount) for name, amount in planned.components.items()}
    row.supply, row.vat = planned.supply, planned.vat
    row.written_on = planned.written_on
    row.reason_code = planned.reason


def _number(month: date, rows: list[TaxInvoice]) -> None:
    """Give new drafts the next management numbers of the month, in the order of sellers' codes."""
    last = TaxInvoice.objects.filter(month=month).aggregate(last=Max("number"))["last"]
    count = int(last.rpartition("-")[2]) if last else 0
    codes = dict(
        Seller.objects.filter(pk__in={row.seller_id for row in rows}).values_list("pk", "code")
    )
    ordered = sorted(rows, key=lambda row: (codes[row.seller_id], _place(row)[1:]))
    for number, row in enumerate(ordered, start=count + 1):
        row.number = f"{month:%Y%m}-{number:06d}"


def _save(rows: list[TaxInvoice]) -> None:
    TaxInvoice.objects.bulk_create([row for row in rows if row.pk is None], batch_size=2000)
    TaxInvoice.objects.bulk_update(
        [row for row in rows if row.pk is not None],
        ["components", "supply", "vat", "written_on", "reason_code"],
        batch_size=2000,
    )


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


def _announce(change: str, rows: Iterable[TaxInvoice], at: datetime) -> None:
    told = [(row.public_id, row.seller_id, {}) for row in rows]
    changes.announce_many(change, told, at=at)
