"""Who issues a statement and to whom, on each of its forms."""

import copy
import io
from datetime import date

import openpyxl
import pytest
from django.test import Client
from django.utils import translation

from marketplace import tenancy
from marketplace.models import LegalIdentity
from marketplace.tests.make import ApiClient, api_key
from settlements import downloads, nights, statement_parties, statement_pdf, table_files
from settlements.models import Statement
from settlements.tests import make
from settlements.tests.test_shop_pages import _member

pytestmark = pytest.mark.django_db

ISSUER = {
    "company": "장터 주식회사",
    "representative": "김대표",
    "business_number": "220-81-62517",
    "address": "서울특별시 강남구 테헤란로 1",
    "phone": "02-555-0100",
}
SELLER = {
    "shop": "상점 A (A)",
    "company": "상점 A 주식회사",
    "representative": "이상인",
    "business_number": "120-88-00767",
    "type": "Sole proprietor",
    "withheld_tax": "personal services (tax is withheld)",
    "bank": "Shinhan Bank",
    "account": "***-***-1234",
    "holder": "김상인",
}


@pytest.fixture(scope="module")
def settled(rows_of_module):
    market = make.market("ours", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        seller = make.seller("A")
        LegalIdentity.objects.update(phone="02-555-0100")
        make.tax_parties(seller)
        make.contract(seller, valid_from=date(2026, 9, 8), income_kind="service")
        make.account(seller)
        make.sold(seller, number="A-1", unit_price=10_000)
        make.sold(make.seller("B"), number="B-1")
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


def statement(code):
    return Statement.objects.select_related("seller").get(seller__code=code)


def told(facts):
    return {fact.name: fact.value for fact in facts}


class TestOf:
    def test_tells_both_in_full_and_the_account_by_its_last_digits(self, market):
        with tenancy.use(market.pk), translation.override("en"):
            parties = statement_parties.of(statement("A"))
        assert told(parties.issuer) == ISSUER
        assert told(parties.seller) == SELLER

    def test_leaves_out_what_nobody_said(self, market):
        with tenancy.use(market.pk), translation.override("en"):
            parties = statement_parties.of(statement("B"))
        assert told(parties.seller) == {"shop": "상점 B (B)", "type": "Sole proprietor"}

    def test_tells_no_issuer_before_an_identity_is_in_force(self, market):
        with tenancy.use(market.pk):
            row = statement("B")
            row.closed_on = date(2020, 1, 1)
            assert statement_parties.of(row).issuer == []


class TestForms:
    def test_tell_the_same(self, market):
        with tenancy.use(market.pk), translation.override("en"):
            row = statement("A")
            table = downloads.lines(row, market)
            page = statement_pdf.html(table)
            book = openpyxl.load_workbook(io.BytesIO(table_files.as_file(table, "xlsx")))
            member = _member(row.seller)
        client = Client(headers={"accept-language": "en"})
        client.force_login(member)
        shown = client.get(f"/s/ours/statements/{row.public_id}/").content.decode()
        api = ApiClient(api_key(market, "settlements:read")).read(f"statements/{row.public_id}/")
        parties = api.json()["parties"]
        sheet = [values[1] for values in book["Statement"].values]
        for value in (*ISSUER.values(), *SELLER.values()):
            assert f"<td>{value}</td>" in page
            assert f">{value}</dd>" in shown
            assert value in sheet
        assert {fact["name"]: fact["value"] for fact in parties["issuer"]} == ISSUER
        assert [fact["name"] for fact in parties["seller"]] == list(SELLER)

    def test_name_the_issuer_at_the_foot_of_every_page(self, market):
        with tenancy.use(market.pk), translation.override("en"):
            page = statement_pdf.html(downloads.lines(statement("A"), market))
        assert "@bottom-center { content: string(issuer);" in page
        assert '<p class="at-foot">장터 주식회사 · Representative 김대표 · ' in page

    def test_are_not_there_for_a_stranger(self, market):
        with tenancy.use(market.pk):
            row = statement("A")
        elsewhere = make.market("elsewhere")
        stranger = ApiClient(api_key(elsewhere, "settlements:read"))
        assert stranger.read(f"statements/{row.public_id}/").status_code == 404
