"""Invoices of sellers: what they supplied is held until their invoice is there.

The hold of a month wants what was supplied in it and no invoice covers. It is placed by the night
that settles the supply, and ends when the last missing won is invoiced.
"""

from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from marketplace import audit, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from sellers.models import Seller
from settlements import adjustments, holding, purchases
from settlements.holding import Terms
from settlements.models import Adjustment, Hold, PayeeInvoice
from settlements.purchases import Month


class NotOfSupplies(Refused):
    code = "hold_not_of_supplies"
    message = gettext_noop("This hold is not in force, or does not wait for an invoice.")


class InvoiceTooLarge(Refused):
    code = "supply_invoice_too_large"
    message = gettext_noop(
        "Of %(month)s no invoice covers %(supply)s and VAT of %(vat)s; this one says more."
    )


class InvoiceKnown(Refused):
    code = "supply_invoice_known"
    message = gettext_noop("An invoice %(number)s of this seller is recorded already.")


class IssuedTooLate(Refused):
    code = "supply_invoice_in_future"
    message = gettext_noop("%(on)s lies in the future. Write the day the invoice was issued.")


def hold_missing(rows: Collection[Adjustment], *, at: datetime) -> list[Hold]:
    """Hold what sellers supplied by some adjustments that were just settled.

    None where no invoice is needed, where invoices cover it, or a hold is in force. The caller
    holds the transaction.
    """
    months = {
        (row.seller_id, row.basis_on.replace(day=1))
        for row in rows
        if row.tax_kind in adjustments.INVOICED
        and adjustments.is_purchase(adjustments.component(row.reason_code))
    }
    if not months:
        return []
    balances = purchases.balances(months - held({seller_id for seller_id, _ in months}))
    return [
        holding.hold_supplies(seller_id, month, _terms(month), at=at)
        for (seller_id, month), balance in sorted(balances.items(), key=lambda row: row[0])
        if balance.missing
    ]


def held(sellers: Collection[int]) -> set[Month]:
    """The months of sellers that wait for an invoice."""
    rows = Hold.objects.placed().filter(seller__in=sellers, invoice_month__isnull=False)
    return set(rows.values_list("seller_id", "invoice_month"))


@transaction.atomic
def record(
    hold: Hold, *, number: str, issued_on: date, supply: int, vat: int, by, at: datetime
) -> PayeeInvoice:
    """Record an invoice for the supplies that a hold waits for; it ends once nothing is missing.

    Raises NotOfSupplies, InvoiceTooLarge, InvoiceKnown, IssuedTooLate, and what the checks of
    orders.verdicts raise.
    """
    seller = Seller.objects.select_for_update(no_key=True).get(pk=hold.seller_id)
    hold.refresh_from_db()
    if hold.state != Hold.State.PLACED or hold.invoice_month is None:
        raise NotOfSupplies()
    verdicts.check_text("number", number, 40, needed=True)
    verdicts.check_between("supply", supply, 1, verdicts.LARGEST_AMOUNT)
    verdicts.check_between("vat", vat, 0, verdicts.LARGEST_AMOUNT)
    if issued_on > verdicts.business_date(at, tenancy.current().tz):
        raise IssuedTooLate(on=issued_on, field="issued_on")
    if PayeeInvoice.objects.filter(seller=seller, number=number).exists():
        raise InvoiceKnown(number=number, field="number")
    month = hold.invoice_month
    [balance] = purchases.balances([(seller.pk, month)]).values()
    left_supply, left_vat = balance.missing_supply - supply, balance.missing_vat - vat
    if left_supply < 0 or left_vat < 0:
        told = {"supply": f"{balance.missing_supply:,}", "vat": f"{balance.missing_vat:,}"}
        raise InvoiceTooLarge(month=f"{month:%Y-%m}", **told, field="supply")
    invoice = PayeeInvoice.objects.create(
        seller=seller,
        month=month,
        number=number,
        issued_on=issued_on,
        supply=supply,
        vat=vat,
        recorded_at=at,
        recorded_by=by,
    )
    audit.record(
        "supply_invoice.recorded",
        by=by,
        at=at,
        obj=invoice,
        data={"seller": seller.pk, "month": month.isoformat(), "supply": supply, "vat": vat},
    )
    if not left_supply + left_vat:
        holding.release(hold, reason=number, by=by, at=at)
    return invoice


def _terms(month: date) -> Terms:
    with translation.override(tenancy.current().locale):
        named = {"month": f"{month:%Y-%m}"}
        return Terms(
            reason=Hold.Reason.INVOICE_MISSING,
            note=gettext("What you supplied in %(month)s is paid once your invoice is there.")
            % named,
            condition=gettext("Once the invoice for %(month)s is recorded") % named,
        )
