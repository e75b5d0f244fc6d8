"""Lines that a month of a seller needs beside those of its sales, once it is over.

The night of a month's last day makes them, and so does any night that brings lines of an earlier
month. They are settled at once, before statements close and tax invoices are drawn up.
"""

from collections.abc import Iterator
from datetime import date, datetime

from marketplace import changes, tenancy
from marketplace.models import Marketplace
from settlements import adjusting, fee_cuts, tax_invoices, tax_lines, vat_rounding
from settlements.models import Adjustment

_LOOKED_BACK = 12  # months for which lines may still come in
# VAT is rounded over what the cut has left of the fees.
_PARTS = (fee_cuts, vat_rounding)

Found = tuple[str, str, str, object, object]
"""What, which, which of its figures, what it should be, what it is."""


def settle_night(on: date, *, at: datetime) -> int:
    """Settle what a night calls for; returns how many lines that made.

    Repeating it finds nothing. The caller holds the transaction; the night's lines are settled.
    """
    first = _first()
    if first is None:
        return 0
    month = tax_invoices.first_of(on)
    since = max(first, tax_invoices.months_before(month, _LOOKED_BACK))
    months = tax_lines.months_that_changed(on, since=since)
    if on == tax_invoices.end_of(month):
        months.append(month)
    return sum(_settled(part.missing(months, at=at), on, at) for part in _PARTS)


def differences(on: date) -> Iterator[Found]:
    """What of the months that are over and closed by a day does not follow from their lines."""
    first, closed_on = _first(), Marketplace.objects.get(pk=tenancy.current_id()).last_closed_on
    if first is None or closed_on is None:
        return
    end = tax_invoices.after(min(on, closed_on))
    months = [first]
    while (month := tax_invoices.after(months[-1])) < end:
        months.append(month)
    if min(on, closed_on) < tax_invoices.end_of(months[-1]):
        months.pop()
    for part in _PARTS:
        yield from part.differences(months)


def _first() -> date | None:
    """The first month that may need such lines; None where nobody has asked for any."""
    return min(filter(None, (part.first_month() for part in _PARTS)), default=None)


def _settled(rows: list[Adjustment], on: date, at: datetime) -> int:
    if not rows:
        return 0
    for reason in sorted({row.reason_code for row in rows}):
        adjusting.name_account(reason)
    Adjustment.objects.bulk_create(rows, batch_size=2000)
    told = [(row.public_id, row.seller_id, {}) for row in rows]
    changes.announce_many("adjustment.approved", told, at=at)
    sellers = [row.seller_id for row in rows]
    return adjusting.settle(on=on, first_seller=min(sellers), end_seller=max(sellers) + 1, at=at)
