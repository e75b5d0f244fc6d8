"""Tax invoices on pages and through the API: who sees what, who may do what."""

from datetime import UTC, date, datetime
from xml.etree import ElementTree

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace import tenancy
from marketplace.tests.make import ApiClient, api_key
from settlements import invoicing, nights
from settlements.models import TaxInvoice
from settlements.tests import make
from settlements.tests.test_payout_pages import decide, operator, shopkeeper, stored

pytestmark = pytest.mark.django_db

SEP = date(2026, 9, 1)
OPEN_ON, END = date(2026, 9, 28), date(2026, 9, 30)
AT = datetime(2026, 10, 2, 3, tzinfo=UTC)
APPROVAL = "20261002410000960000000a"
LIST = "/admin/settlements/taxinvoice/"
MONTHS = f"{LIST}months/"
SPACE = "{urn:kr:or:kec:standard:Tax:ReusableAggregateBusinessInformationEntitySchemaModule:1:0}"


@pytest.fixture
def market():
    return make.market("ours", first_open_on=OPEN_ON)


@pytest.fixture
def sellers(market):
    with tenancy.use(market.pk):
        return make.seller("A"), make.seller("B")


@pytest.fixture
def drafts(market, sellers):
    with tenancy.use(market.pk):
        for number, seller in enumerate(sellers):
            make.sold(seller, number=f"O{number}", unit_price=100_000, confirmed_on=OPEN_ON)
    nights.close_day(market.pk, END, at=make.AT)
    with tenancy.use(market.pk):
        make.tax_parties(*sellers)
        return list(TaxInvoice.objects.order_by("number"))


@pytest.fixture
def issued(market, drafts):
    with tenancy.use(market.pk):
        invoicing.issue_many(TaxInvoice.objects.all(), by=None, at=AT)
        return list(TaxInvoice.objects.order_by("number"))


class TestMonths:
    def test_says_what_comes_next_in_a_new_marketplace(self, market):
        page = operator(market).get(MONTHS).content.decode()
        assert "No month was drawn up yet" in page

    def test_shows_the_tie_and_issues_all(self, market, drafts):
        client = operator(market)
        page = client.get(MONTHS)
        assert page.context["tie"].is_tied
        assert page.context["drafts"] == 2
        text = client.post(f"{MONTHS}?month=2026-09", {"deed": "issue"}, follow=True)
        assert "2 issued." in text.content.decode()
        text = client.post(f"{MONTHS}?month=2026-09", {"deed": "transmit"}, follow=True)
        assert "2 recorded as transmitted." in text.content.decode()
        assert {stored(market, row).state for row in drafts} == {"transmitted"}

    def test_tells_who_is_not_complete_and_issues_the_rest(self, market, sellers, drafts):
        with tenancy.use(market.pk):
            type(sellers[0]).objects.filter(pk=sellers[0].pk).update(business_number="")
        text = operator(market).post(MONTHS, {"deed": "issue"}, follow=True).content.decode()
        assert "1 issued." in text
        assert "202609-000001: “상점 A” has no valid business registration number" in text

    def test_takes_a_file_of_answers_and_lists_what_cannot_be_used(self, market, issued):
        rows = f"number,approval_number,result\n202609-000001,{APPROVAL},accepted\nx,,failed\n"
        file = SimpleUploadedFile("answers.csv", rows.encode())
        page = operator(market).post(MONTHS, {"deed": "results", "file": file})
        assert "1 accepted, 0 failed, 1 rows could not be used." in page.content.decode()
        assert stored(market, issued[0]).approval_number == APPROVAL

    def test_names_the_field_of_a_file_that_is_none(self, market, issued):
        file = SimpleUploadedFile("answers.csv", b"\x00")
        page = operator(market).post(MONTHS, {"deed": "results", "file": file})
        assert page.status_code == 422
        assert "cannot be read" in page.content.decode()

    def test_gives_the_month_as_a_zip(self, market, issued):
        answer = operator(market).get(f"{MONTHS}?month=2026-09&xml=1")
        assert answer["Content-Type"] == "application/zip"
        assert answer.content == operator(market).get(f"{MONTHS}?month=2026-09&xml=1").content

    def test_lets_viewers_look_and_do_nothing(self, market, drafts):
        viewer = operator(market, "viewer", role="viewer")
        page = viewer.get(MONTHS).content.decode()
        assert 'name="deed"' not in page
        assert viewer.post(MONTHS, {"deed": "issue"}).status_code == 403
        assert stored(market, drafts[0]).state == "draft"


class TestInvoice:
    def test_is_decided_on_its_page(self, market, drafts):
        client = operator(market)
        row = drafts[0]
        decide(client, row, "issue")
        assert stored(market, row).state == "issued"
        page = decide(client, row, "accept", approval_number="12")
        assert page.status_code == 422
        assert "is no national approval number" in page.content.decode()
        decide(client, row, "accept", approval_number=APPROVAL)
        assert stored(market, row).state == "accepted"
        page = client.get(f"{LIST}{row.pk}/change/").content.decode()
        assert APPROVAL in page

    def test_has_its_file_once_it_is_issued(self, market, drafts):
        client = operator(market)
        address = f"{LIST}{drafts[0].pk}/file/"
        assert client.get(address).status_code == 404
        decide(client, drafts[0], "issue")
        root = ElementTree.fromstring(client.get(address).content)  # noqa: S314 (our own)
        assert root.find(f"{SPACE}TaxInvoiceDocument/{SPACE}TypeCode").text == "0101"


class TestSeller:
    def test_sees_own_invoices_once_issued(self, market, sellers, drafts):
        client = shopkeeper(sellers[0], "a@example.org")
        page = client.get("/s/ours/tax/").content.decode()
        assert "No tax invoice yet" in page
        with tenancy.use(market.pk):
            invoicing.issue_many(TaxInvoice.objects.all(), by=None, at=AT)
        page = client.get("/s/ours/tax/").content.decode()
        assert "202609-000001" in page
        assert "202609-000002" not in page
        one = client.get(f"/s/ours/tax/{drafts[0].public_id}/").content.decode()
        assert "장터 주식회사" in one
        assert "상점 A 주식회사" in one
        assert client.get(f"/s/ours/tax/{drafts[1].public_id}/").status_code == 404
        file = client.get(f"/s/ours/tax/{drafts[0].public_id}/invoice.xml")
        assert file["Content-Type"] == "application/xml; charset=utf-8"
        for kind in ("xml", "pdf"):
            address = f"/s/ours/tax/{drafts[1].public_id}/invoice.{kind}"
            assert client.get(address).status_code == 404
        printed = client.get(f"/s/ours/tax/{drafts[0].public_id}/invoice.pdf")
        assert printed.content.startswith(b"%PDF-1.7")
        assert client.get(f"/s/ours/tax/{drafts[0].public_id}/invoice.doc").status_code == 404

    def test_list_costs_the_same_however_long(
        self, market, sellers, issued, django_assert_max_num_queries
    ):
        client = shopkeeper(sellers[0], "a@example.org")
        client.get("/s/ours/tax/")
        with tenancy.use(market.pk):
            for _ in range(3):
                make.tax_invoice(sellers[0])
        with django_assert_max_num_queries(14):
            client.get("/s/ours/tax/")


class TestApi:
    def test_lists_what_was_issued(self, market, sellers, drafts):
        program = ApiClient(api_key(market, "settlements:read"))
        assert program.read("tax-invoices/").json()["data"] == []
        with tenancy.use(market.pk):
            invoicing.issue_many(TaxInvoice.objects.all(), by=None, at=AT)
        one, _ = sorted(
            program.read("tax-invoices/?month=2026-09-01").json()["data"],
            key=lambda item: item["number"],
        )
        assert one["supply"] == {"amount": 12_000, "currency": "KRW"}
        assert (one["state"], one["role"], one["reason_code"]) == ("issued", "invoice", "")
        assert [(item["component"], item["vat"]["amount"]) for item in one["items"]] == [
            ("sales", 1_200)
        ]
        own = ApiClient(api_key(market, "settlements:read", seller=sellers[1].public_id))
        assert [item["number"] for item in own.read("tax-invoices/").json()["data"]] == [
            "202609-000002"
        ]
        assert own.read(f"tax-invoices/{one['id']}/").status_code == 404
        file = program.read(f"tax-invoices/{one['id']}/xml/")
        assert b"<ChargeTotalAmount>12000</ChargeTotalAmount>" in file.content
