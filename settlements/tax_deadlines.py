"""The deadline of tax invoices that operators should be thinking of."""

from dataclasses import dataclass
from datetime import date, timedelta

from settlements import tax_invoices
from settlements.models import TaxInvoice


@dataclass(frozen=True, slots=True)
class Deadline:
    """Drafts of a month that are still to be issued, and by when."""

    month: date
    deadline_on: date
    is_late: bool


def next_one(*, on: date) -> Deadline | None:
    """The earliest deadline with drafts left, once it is near or past; None before that."""
    near = on + timedelta(days=tax_invoices.WARNING_DAYS)
    drafts = TaxInvoice.objects.filter(state=TaxInvoice.State.DRAFT, deadline_on__lte=near)
    row = drafts.order_by("deadline_on", "month").first()
    return row and Deadline(row.month, row.deadline_on, is_late=row.deadline_on < on)
