"""A tax invoice in the shape of Korea's national e-invoice (표준 전자세금계산서).

Values in, bytes out. Neither signed nor sent: whoever transmits it adds certificate and signature.
docs/tax.md says which names were checked against what. Amounts are whole won.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from xml.etree import ElementTree as Xml

NAMESPACE: Final = (
    "urn:kr:or:kec:standard:Tax:ReusableAggregateBusinessInformationEntitySchemaModule:1:0"
)
MOST_ITEMS: Final = 99
BUSINESS: Final = "01"  # the receiver's number is a business registration number
PERSON: Final = "02"  # it is a resident registration number
RECEIVED: Final = "01"  # 영수: the fee is taken off what the seller is owed


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One side of the invoice. `number` is digits only, and empty where it is not to be told."""

    number: str = field(repr=False)  # of a person, it is in no log
    name: str
    representative: str = ""
    address: str = ""
    business_type: str = ""  # 업태
    business_item: str = ""  # 종목
    email: str = ""
    number_kind: str = BUSINESS


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    supply: int
    vat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What is written; the approval number once the tax office has given one."""

    number: str
    issued_at: datetime
    written_on: date
    is_exempt: bool
    reason: str  # of a correction, else empty
    original_number: str
    approval_number: str
    remark: str
    issuer: Party
    receiver: Party
    items: Sequence[Item]


def type_code(invoice: Invoice) -> str:
    """Class (01 tax invoice, 02 corrected, 03 exempt, 04 exempt corrected) and 01 for general."""
    first = (3 if invoice.is_exempt else 1) + (1 if invoice.reason else 0)
    return f"{first:02d}01"


def write(invoice: Invoice) -> bytes:
    """The invoice as an XML document. Raises ValueError with more items than it may have."""
    if not 1 <= len(invoice.items) <= MOST_ITEMS:
        raise ValueError(f"{len(invoice.items)} items")
    root = Xml.Element("TaxInvoice", {"xmlns": NAMESPACE})
    exchanged = Xml.SubElement(root, "ExchangedDocument")
    _add(exchanged, "ID", invoice.number)
    _add(exchanged, "IssueDateTime", f"{invoice.issued_at:%Y%m%d%H%M%S}")
    document = Xml.SubElement(root, "TaxInvoiceDocument")
    _add(document, "IssueID", invoice.approval_number)
    _add(document, "TypeCode", type_code(invoice))
    _add(document, "DescriptionText", invoice.remark)
    _add(document, "IssueDateTime", f"{invoice.written_on:%Y%m%d}")
    _add(document, "AmendmentStatusCode", invoice.reason)
    _add(document, "PurposeCode", RECEIVED)
    _add(document, "OriginalIssueID", invoice.original_number)
    settlement = Xml.SubElement(root, "TaxInvoiceTradeSettlement")
    _party(settlement, "InvoicerParty", invoice.issuer)
    _party(settlement, "InvoiceeParty", invoice.receiver)
    _sums(settlement, invoice)
    for number, item in enumerate(invoice.items, start=1):
        _item(root, number, item, invoice)
    Xml.indent(root)
    content: bytes = Xml.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content + b"\n"


def _party(settlement: Xml.Element, tag: str, party: Party) -> None:
    element = Xml.SubElement(settlement, tag)
    _add(element, "ID", party.number)
    _add(element, "TypeCode", party.business_type)
    _add(element, "NameText", party.name)
    _add(element, "ClassificationCode", party.business_item)
    if tag == "InvoiceeParty":
        organization = Xml.SubElement(element, "SpecifiedOrganization")
        _add(organization, "BusinessTypeCode", party.number_kind)
    if party.representative:
        _add(Xml.SubElement(element, "SpecifiedPerson"), "NameText", party.representative)
    if party.email:
        contact = "DefinedContact" if tag == "InvoicerParty" else "PrimaryDefinedContact"
        _add(Xml.SubElement(element, contact), "URICommunication", party.email)
    if party.address:
        _add(Xml.SubElement(element, "SpecifiedAddress"), "LineOneText", party.address)


def _sums(settlement: Xml.Element, invoice: Invoice) -> None:
    supply = sum(item.supply for item in invoice.items)
    tax = sum(item.vat for item in invoice.items)
    sums = Xml.SubElement(settlement, "SpecifiedMonetarySummation")
    _add(sums, "ChargeTotalAmount", str(supply))
    _add(sums, "TaxTotalAmount", str(tax))
    _add(sums, "GrandTotalAmount", str(supply + tax))


def _item(root: Xml.Element, number: int, item: Item, invoice: Invoice) -> None:
    element = Xml.SubElement(root, "TaxInvoiceTradeLineItem")
    _add(element, "SequenceNumeric", str(number))
    _add(element, "InvoiceAmount", str(item.supply))
    _add(element, "NameText", item.name)
    _add(element, "PurchaseExpiryDateTime", f"{invoice.written_on:%Y%m%d}")
    _add(Xml.SubElement(element, "TotalTax"), "CalculatedAmount", str(item.vat))


def _add(parent: Xml.Element, tag: str, text: str) -> None:
    if text:
        Xml.SubElement(parent, tag).text = text
