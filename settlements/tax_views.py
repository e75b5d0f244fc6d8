"""Seller pages about tax documents: the invoices for fees."""

from django.http import Http404, HttpResponse
from django.shortcuts import render

from marketplace import identifiers, paging
from sellers.access import seller_page
from settlements import invoicing, ledger, shop_tax, tax_files
from settlements.models import TaxInvoice


@seller_page
def invoices(request, marketplace):
    rows = shop_tax.of_seller(request.seller)
    context = {"page": paging.page(request.GET, rows)}
    return render(request, "settlements/tax_invoices.html", context)


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
def invoice_file(request, marketplace, public_id):
    row = _invoice(request, public_id)
    return HttpResponse(
        tax_files.xml(row),
        content_type=tax_files.XML,
        headers={
            "Content-Disposition": f'attachment; filename="{tax_files.name(row)}"',
            "Cache-Control": "no-store",
        },
    )


def _invoice(request, public_id) -> TaxInvoice:
    is_id = identifiers.is_public_id(public_id, "tax")
    found = is_id and shop_tax.of_seller(request.seller).filter(public_id=public_id).first()
    if not found:
        raise Http404
    return found
