"""Seller pages about tax documents: the invoices for fees, and sales for the VAT return."""

from dataclasses import astuple
from datetime import date
from decimal import Decimal

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import identifiers, paging, sheets
from orders import pricing
from sellers.access import seller_page
from sellers.models import SellerMember
from settlements import (
    invoicing,
    ledger,
    pdf,
    resident_numbers,
    sale_means,
    shop_tax,
    tax_files,
    tax_invoices,
    vat_view,
)
from settlements.models import TaxInvoice

SHOWN_MONTHS = 36
KINDS = {"xml": (tax_files.xml, tax_files.XML), "pdf": (tax_files.as_pdf, pdf.TYPE)}
MEANS = {
    sale_means.CARD: _("Card"),
    sale_means.RECEIPT: _("Cash receipt"),
    sale_means.OTHER: _("Other"),
}


@seller_page
def invoices(request, marketplace):
    rows = shop_tax.of_seller(request.seller)
    context = {"page": paging.page(request.GET, rows), **_own_number(request)}
    return render(request, "settlements/tax_invoices.html", context)


def _own_number(request) -> dict:
    """For an owner: whether a resident number is kept of the seller, or is missing."""
    if request.seller_role != SellerMember.Role.OWNER:
        return {}
    has_number = resident_numbers.of(request.seller) is not None
    on = timezone.localdate(timezone=request.marketplace.tz)
    is_asked_for = resident_numbers.purpose_of(request.seller, on=on) is not None
    return {"has_number": has_number, "number_is_missing": is_asked_for and not has_number}


@seller_page
def invoice(request, marketplace, public_id):
    row = _invoice(request, public_id)
    context = {
        "invoice": row,
        "items": tax_files.items(row, ledger.component_names()),
        "receiver": invoicing.receiver(row),
        "original_number": tax_files.original_number(row),
        "corrections": shop_tax.of_seller(request.seller).filter(original=row).order_by("pk"),
    }
    return render(request, "settlements/tax_invoice.html", context)


@seller_page
def invoice_file(request, marketplace, public_id, kind):
    """An invoice as XML, or as PDF to be printed."""
    row = _invoice(request, public_id)
    if kind not in KINDS:
        raise Http404
    write, content_type = KINDS[kind]
    return HttpResponse(
        write(row),
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{tax_files.name(row, kind)}"',
            "Cache-Control": "no-store",
        },
    )


@seller_page
def vat(request, marketplace):
    """Sales of a month by both dates; as a file with ?file=csv or xlsx."""
    months = _months(request.marketplace)
    asked = request.GET.get("month", "")
    month = next((each for each in months if f"{each:%Y-%m}" == asked), months[0])
    view = vat_view.of_month(request.seller, month)
    tables = _tables(view)
    kind = request.GET.get("file")
    if kind in sheets.TYPES:
        return _vat_file(view, tables, kind, request.marketplace.currency_exponent)
    context = {"view": view, "tables": tables, "months": months}
    return render(request, "settlements/vat_view.html", context)


def _months(market) -> list[date]:
    """From this month back to the first of the marketplace."""
    today = timezone.localdate(timezone=market.tz)
    return tax_invoices.months_back(today, market.first_open_on, SHOWN_MONTHS)


def _tables(view: vat_view.View) -> list[dict]:
    told = (
        (
            gettext("By date of payment"),
            gettext("As the tax office counts card sales: on the day they were approved."),
            view.approval,
        ),
        (
            gettext("By date of confirmation"),
            gettext("As your statements count them: on the day the purchase was confirmed."),
            view.confirmation,
        ),
    )
    return [
        {
            "title": title,
            "help": explained,
            "rows": [(name, *sales.of(means).values()) for means, name in MEANS.items()],
            "taxable": sales.of_kind(pricing.TAXABLE),
            "exempt": sales.of_kind(pricing.EXEMPT),
            "total": sales.total,
            "by_platform": sales.by_platform,
        }
        for title, explained, sales in told
    ]


def _vat_file(view: vat_view.View, tables: list[dict], kind: str, exponent: int) -> HttpResponse:
    header = [
        gettext("Counted"),
        gettext("Paid by"),
        gettext("Taxable"),
        gettext("of it VAT"),
        gettext("Exempt"),
        gettext("Total"),
    ]
    rows = [
        [
            table["title"],
            str(name),
            *(
                Decimal(amount).scaleb(-exponent)
                for amount in (taxable.sales, taxable.vat, exempt.sales, total.sales)
            ),
        ]
        for table in tables
        for name, taxable, exempt, total in table["rows"]
    ]
    rows.extend(
        [
            table["title"],
            gettext("Issued by the marketplace: not your sales"),
            None,
            Decimal(table["by_platform"].vat).scaleb(-exponent),
            None,
            Decimal(table["by_platform"].sales).scaleb(-exponent),
        ]
        for table in tables
        if any(astuple(table["by_platform"]))
    )
    name = f"vat-{view.month:%Y-%m}.{kind}"
    return HttpResponse(
        sheets.write(kind, header, rows),
        content_type=sheets.TYPES[kind],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _invoice(request, public_id) -> TaxInvoice:
    is_id = identifiers.is_public_id(public_id, "tax")
    found = is_id and shop_tax.of_seller(request.seller).filter(public_id=public_id).first()
    if not found:
        raise Http404
    return found
