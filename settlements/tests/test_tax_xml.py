"""A tax invoice in the shape of the national e-invoice, element by element."""

from datetime import UTC, date, datetime
from xml.etree import ElementTree

import pytest

from settlements import tax_xml
from settlements.tax_xml import Invoice, Item, Party


def invoice(**given):
    usual = {
        "number": "202609-000001",
        "issued_at": datetime(2026, 10, 2, 12, 0, 5, tzinfo=UTC),
        "written_on": date(2026, 9, 30),
        "is_exempt": False,
        "reason": "",
        "original_number": "",
        "approval_number": "",
        "remark": "2026-09 수수료",
        "issuer": Party(
            number="2208162517",
            name="장터 <주식회사>",
            representative="김대표",
            address="서울",
            business_type="서비스업",
            business_item="통신판매중개",
            email="tax@example.org",
        ),
        "receiver": Party(
            number="1208800767", name="상점", representative="이상인", email="a@b.kr"
        ),
        "items": [Item("판매 수수료", 12_000, 1_200), Item("배송비 수수료", 300, 30)],
    }
    return Invoice(**usual | given)


def read(content):
    """Each element that holds text, as a path without the namespace."""
    found = []

    def walk(element, path):
        path = f"{path}/{element.tag.removeprefix('{' + tax_xml.NAMESPACE + '}')}"
        if len(element) == 0:
            found.append((path.removeprefix("/TaxInvoice/"), element.text))
        for child in element:
            walk(child, path)

    walk(ElementTree.fromstring(content), "")  # noqa: S314 (our own)
    return found


class TestWrite:
    def test_says_who_what_and_how_much(self):
        assert read(tax_xml.write(invoice())) == [
            ("ExchangedDocument/ID", "202609-000001"),
            ("ExchangedDocument/IssueDateTime", "20261002120005"),
            ("TaxInvoiceDocument/TypeCode", "0101"),
            ("TaxInvoiceDocument/DescriptionText", "2026-09 수수료"),
            ("TaxInvoiceDocument/IssueDateTime", "20260930"),
            ("TaxInvoiceDocument/PurposeCode", "01"),
            ("TaxInvoiceTradeSettlement/InvoicerParty/ID", "2208162517"),
            ("TaxInvoiceTradeSettlement/InvoicerParty/TypeCode", "서비스업"),
            ("TaxInvoiceTradeSettlement/InvoicerParty/NameText", "장터 <주식회사>"),
            ("TaxInvoiceTradeSettlement/InvoicerParty/ClassificationCode", "통신판매중개"),
            ("TaxInvoiceTradeSettlement/InvoicerParty/SpecifiedPerson/NameText", "김대표"),
            (
                "TaxInvoiceTradeSettlement/InvoicerParty/DefinedContact/URICommunication",
                "tax@example.org",
            ),
            ("TaxInvoiceTradeSettlement/InvoicerParty/SpecifiedAddress/LineOneText", "서울"),
            ("TaxInvoiceTradeSettlement/InvoiceeParty/ID", "1208800767"),
            ("TaxInvoiceTradeSettlement/InvoiceeParty/NameText", "상점"),
            (
                "TaxInvoiceTradeSettlement/InvoiceeParty/SpecifiedOrganization/BusinessTypeCode",
                "01",
            ),
            ("TaxInvoiceTradeSettlement/InvoiceeParty/SpecifiedPerson/NameText", "이상인"),
            (
                "TaxInvoiceTradeSettlement/InvoiceeParty/PrimaryDefinedContact/URICommunication",
                "a@b.kr",
            ),
            ("TaxInvoiceTradeSettlement/SpecifiedMonetarySummation/ChargeTotalAmount", "12300"),
            ("TaxInvoiceTradeSettlement/SpecifiedMonetarySummation/TaxTotalAmount", "1230"),
            ("TaxInvoiceTradeSettlement/SpecifiedMonetarySummation/GrandTotalAmount", "13530"),
            ("TaxInvoiceTradeLineItem/SequenceNumeric", "1"),
            ("TaxInvoiceTradeLineItem/InvoiceAmount", "12000"),
            ("TaxInvoiceTradeLineItem/NameText", "판매 수수료"),
            ("TaxInvoiceTradeLineItem/PurchaseExpiryDateTime", "20260930"),
            ("TaxInvoiceTradeLineItem/TotalTax/CalculatedAmount", "1200"),
            ("TaxInvoiceTradeLineItem/SequenceNumeric", "2"),
            ("TaxInvoiceTradeLineItem/InvoiceAmount", "300"),
            ("TaxInvoiceTradeLineItem/NameText", "배송비 수수료"),
            ("TaxInvoiceTradeLineItem/PurchaseExpiryDateTime", "20260930"),
            ("TaxInvoiceTradeLineItem/TotalTax/CalculatedAmount", "30"),
        ]

    def test_names_what_a_correction_corrects(self):
        found = dict(read(tax_xml.write(invoice(reason="02", original_number="2" * 24))))
        assert found["TaxInvoiceDocument/AmendmentStatusCode"] == "02"
        assert found["TaxInvoiceDocument/OriginalIssueID"] == "2" * 24

    @pytest.mark.parametrize(
        ("is_exempt", "reason", "code"),
        [(False, "", "0101"), (False, "01", "0201"), (True, "", "0301"), (True, "02", "0401")],
    )
    def test_has_a_type_for_each_kind(self, is_exempt, reason, code):
        assert tax_xml.type_code(invoice(is_exempt=is_exempt, reason=reason)) == code

    def test_leaves_out_a_number_that_is_not_kept(self):
        person = Party(number="", name="이상인", number_kind=tax_xml.PERSON)
        found = dict(read(tax_xml.write(invoice(receiver=person))))
        path = "TaxInvoiceTradeSettlement/InvoiceeParty/"
        assert path + "ID" not in found
        assert found[path + "SpecifiedOrganization/BusinessTypeCode"] == "02"

    @pytest.mark.parametrize("count", [0, 100])
    def test_holds_ninety_nine_items_at_most(self, count):
        with pytest.raises(ValueError, match="items"):
            tax_xml.write(invoice(items=[Item("x", 1, 0)] * count))
