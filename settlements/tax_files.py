"""Tax invoices as files: each as XML, those of a month together as a ZIP."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from django.utils import translation
from django.utils.translation import gettext

from marketplace import identifiers, tenancy
from marketplace.models import LegalIdentity
from settlements import invoicing, ledger, pdf, tax_xml
from settlements.models import TaxInvoice
from settlements.tax_xml import Item, Party

XML: Final = "application/xml; charset=utf-8"
ZIP: Final = "application/zip"
_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)  # of each file of a ZIP: the same rows, the same bytes


def xml(
    row: TaxInvoice,
    names: dict[str, str] | None = None,
    persons: Mapping[int, str] | None = None,
) -> bytes:
    """An issued invoice in the shape of the national e-invoice.

    `persons` are resident registration numbers by seller; without one, a person's `ID` is left out.
    """
    return tax_xml.write(_told(row, names or ledger.component_names(), persons or {}))


def as_pdf(row: TaxInvoice) -> bytes:
    """An issued invoice to be printed. Raises pdf.PdfUnavailable."""
    context = {
        "invoice": row,
        "items": items(row, ledger.component_names()),
        "receiver": invoicing.receiver(row),
        "original_number": original_number(row),
    }
    return pdf.drawn(pdf.page("settlements/pdf/tax_invoice.html", context))


def name(row: TaxInvoice, kind: str = "xml") -> str:
    return f"tax-invoice-{row.number}.{kind}"


def zipped(rows: Iterable[TaxInvoice], persons: Mapping[int, str] | None = None) -> bytes:
    """Issued invoices as one ZIP of XML files; `persons` as in xml()."""
    names = ledger.component_names()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as folder:
        for row in rows:
            folder.writestr(zipfile.ZipInfo(name(row), _BEGINNING), xml(row, names, persons))
    return out.getvalue()


def items(row: TaxInvoice, names: dict[str, str]) -> list[Item]:
    """What was supplied, by fee component, in the words of the marketplace."""
    return [
        Item(names.get(component, component), supply, tax)
        for component, (supply, tax) in sorted(row.components.items())
    ]


def original_number(row: TaxInvoice) -> str:
    """The approval number of what is corrected, once it is known."""
    if row.original is not None and row.original.approval_number:
        return row.original.approval_number
    return row.original_number


def _told(row: TaxInvoice, names: dict[str, str], persons: Mapping[int, str]) -> tax_xml.Invoice:
    return tax_xml.Invoice(
        number=row.number,
        issued_at=_local(row.issued_at),
        written_on=row.written_on,
        is_exempt=row.kind == TaxInvoice.Kind.EXEMPT,
        reason=row.reason_code,
        original_number=original_number(row),
        approval_number=row.approval_number or "",
        remark=_remark(row),
        issuer=_issuer(row.issuer),
        receiver=_receiver(row, persons),
        items=items(row, names),
    )


def _remark(row: TaxInvoice) -> str:
    with translation.override(tenancy.current().locale):
        return gettext("Fees for %(month)s") % {"month": f"{row.original_month:%Y-%m}"}


def _local(moment: datetime) -> datetime:
    return moment.astimezone(tenancy.current().tz)


def _issuer(identity: LegalIdentity) -> Party:
    return Party(
        number=identifiers.business_number(identity.business_number).digits,
        name=identity.company,
        representative=identity.representative,
        address=identity.address,
        business_type=identity.business_type,
        business_item=identity.business_item,
        email=identity.tax_email,
    )


def _receiver(row: TaxInvoice, persons: Mapping[int, str]) -> Party:
    told = invoicing.receiver(row)
    return Party(
        number=persons.get(row.seller_id, "") if told["is_person"] else told["number"],
        name=told["name"],
        representative=told["representative"] or told["name"],
        address=told["address"],
        email=told["email"],
        number_kind=tax_xml.PERSON if told["is_person"] else tax_xml.BUSINESS,
    )
