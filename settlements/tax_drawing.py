"""Draw tax invoices up: drafts that say what the lines of a month come to.

Drafts follow the lines: they are drawn up anew by every night that settles lines of their month.
What comes after an invoice was issued is told by a correction (settlements.tax_invoices says
which). They are issued by settlements.invoicing.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Max

from marketplace import audit, tenancy
from marketplace.models import Marketplace
from sellers.models import Seller
from settlements import tax_invoices, tax_lines
from settlements.models import TaxInvoice
from settlements.tax_invoices import Amount, Issued, Planned
from settlements.tax_lines import Key

State = TaxInvoice.State
CURRENCY = "KRW"  # the law that this follows is Korea's
LOOKED_BACK = 2  # months before the one of a night that may still get lines


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a drawing up left: drafts of the month, and how many of them are new or changed."""

    drafts: int
    changed: int


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
    # Locked first: a draft that somebody is just issuing is then seen as issued.
    stale = {
        _place(row): row
        for row in TaxInvoice.objects.filter(month=month, state=State.DRAFT).select_for_update()
    }
    wanted = _planned(month)
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
