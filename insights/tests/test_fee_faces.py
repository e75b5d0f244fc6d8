"""Fees, and what else is added or deducted, on every face of one statement: the same figures.

A seller's statement with a sale of 100,000 (fee 3,000), a service charge of 10,000, an advance of
8,680 on a parcel, a host commission of 20,000 and its VAT, and a penalty of 5,000.
"""

import copy
import csv
import io
import re
from datetime import date

import openpyxl
import pytest
from django.test import Client
from django.utils import translation

from insights import figures
from marketplace import tenancy
from marketplace.tests import make as people
from marketplace.tests.make import ApiClient, api_key
from settlements import downloads, exports, nights, statement_pdf, table_files
from settlements.models import Statement
from settlements.tests import make
from settlements.tests.test_adjusting import approved
from settlements.tests.test_shop_pages import _member

pytestmark = pytest.mark.django_db

SEP_8, SEP_10, DUE = date(2026, 9, 8), date(2026, 9, 10), date(2026, 9, 11)
FEE, VAT, ADDITIONS, DEDUCTIONS = 13_000, 1_300, 30_680, 5_000
NET = 111_380  # 100,000 − 13,000 − 1,300 + 30,680 − 5,000


@pytest.fixture(scope="module")
def settled(rows_of_module):
    market = make.market("ours", first_open_on=SEP_8)
    operator = people.user("asker@example.org")
    with tenancy.use(market.pk):
        seller = make.seller("A", seller_type="corporation")
        make.contract(seller, valid_from=SEP_8, fast_ppm=1_000_000)
        make.sold(seller, unit_price=100_000, category="gold")
        make.placed(seller, number="O2", status="shipped", shipped_on=SEP_10)
        given = {"tax_kind": "taxable", "basis_on": SEP_8}
        approved(seller, operator, -10_000, **given, reason_code="service")
        approved(seller, operator, 20_000, **given, reason_code="host_commission")
        given["tax_kind"] = "outside_scope"
        approved(seller, operator, -5_000, **given, reason_code="penalty")
    nights.close_day(market.pk, DUE, at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


@pytest.fixture
def statement(market):
    with tenancy.use(market.pk):
        return Statement.objects.select_related("seller").get()


def _text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def _files(market, table_of):
    """A table as CSV and XLSX read it back: rows by the names of their columns."""
    with tenancy.use(market.pk), translation.override("en"):
        comma = table_files.as_file(table_of(), "csv").decode("utf-8-sig")
        book = table_files.as_file(table_of(), "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active
    head, *rows = sheet.iter_rows(values_only=True)
    return (
        list(csv.DictReader(io.StringIO(comma, newline=""))),
        [dict(zip(head, row, strict=True)) for row in rows],
    )


def _by_page(market, statement):
    client = Client(headers={"accept-language": "en"})
    client.force_login(_member(statement.seller))
    told = _text(client.get(f"/s/ours/statements/{statement.public_id}/").content.decode())
    fees = told[told.index("Price of 5 lines") : told.index("− VAT on fees")]
    return {
        "fee": sum(int(amount.replace(",", "")) for amount in re.findall(r"− [^₩−]*₩(\S+)", fees)),
        "vat": _amount(r"− VAT on fees ₩([\d,]+)", told),
        "additions": _amount(r"\+ Other additions .*? ₩([\d,]+) − Other deductions", told),
        "deductions": _amount(r"− Other deductions .*? ₩([\d,]+) = Net of the lines", told),
        "net": _amount(r"= Net of the lines ₩([\d,]+)", told),
    }


def _amount(pattern, text):
    return int(re.search(pattern, text)[1].replace(",", ""))


def _by_pdf(market, statement):
    with tenancy.use(market.pk), translation.override("en"):
        told = _text(statement_pdf.html(downloads.lines(statement, market)))
    return {
        "fee": -_pdf_amount("fees in all", told),
        "vat": -_pdf_amount("VAT on fees in all", told),
        "additions": _pdf_amount("Other additions", told),
        "deductions": -_pdf_amount("Other deductions", told),
        "net": _pdf_amount("Net of its lines", told),
    }


def _pdf_amount(label, told):
    return int(re.search(rf"(?<!on ){label} (-?[\d,]+)", told)[1].replace(",", ""))


def _by_row(row):
    names = {
        "fee": "Fees",
        "vat": "VAT on fees",
        "additions": "Other additions",
        "deductions": "Other deductions",
        "net": "Net",
    }
    return {name: int(row[column]) for name, column in names.items()}


def _by_api(market, statement):
    path = f"statements/{statement.public_id}/"
    told = ApiClient(api_key(market, seller=statement.seller.public_id)).read(path).json()
    names = {
        "fee": "marketplace_fee",
        "vat": "marketplace_fee_vat_on_top",
        "additions": "other_additions",
        "deductions": "other_deductions",
        "net": "net",
    }
    return {name: told[field]["amount"] for name, field in names.items()}


def _by_export(market):
    out = io.StringIO()
    with tenancy.use(market.pk):
        exports.write("statements", out)
    [row] = csv.DictReader(io.StringIO(out.getvalue()))
    names = {
        "fee": "marketplace_fee",
        "vat": "marketplace_fee_vat",
        "additions": "other_additions",
        "deductions": "other_deductions",
        "net": "net",
    }
    return {name: int(row[column]) for name, column in names.items()}


class TestFaces:
    def test_tell_the_same_of_a_statement(self, market, statement):
        year = {"first": date(2026, 1, 1), "end": date(2027, 1, 1)}
        [comma], [sheet] = _files(
            market, lambda: downloads.statements(statement.seller, market, **year)
        )
        told = {
            "page": _by_page(market, statement),
            "pdf": _by_pdf(market, statement),
            "csv": _by_row(comma),
            "xlsx": _by_row(sheet),
            "api": _by_api(market, statement),
            "export": _by_export(market),
        }
        right = {
            "fee": FEE,
            "vat": VAT,
            "additions": ADDITIONS,
            "deductions": DEDUCTIONS,
            "net": NET,
        }
        assert told == dict.fromkeys(told, right)

    def test_have_a_front_page_that_agrees(self, market, statement):
        with tenancy.use(market.pk):
            [(_day, money)] = figures.trend(DUE, days=1)
        right = {"fees": FEE + VAT, "additions": ADDITIONS, "deductions": DEDUCTIONS}
        assert {name: getattr(money, name) for name in right} == right
        assert money.payable == NET
        user = people.user("owner@example.org")
        people.membership(market, user, "owner")
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        told = _text(client.get("/admin/").content.decode())
        assert f"{DUE} ₩0 ₩14,300 ₩30,680 ₩5,000 ₩111,380" in told

    def test_tell_lines_that_add_up_to_it(self, market, statement):
        comma, sheet = _files(market, lambda: downloads.lines(statement, market))
        for rows in (comma, sheet):
            columns = ("Fees", "VAT on fees", "Other additions and deductions", "Net")
            assert [sum(int(row[name]) for row in rows) for name in columns] == [
                FEE,
                VAT,
                ADDITIONS - DEDUCTIONS,
                NET,
            ]

    def test_tell_lines_of_the_api_and_of_exports_that_add_up_to_it(self, market, statement):
        path = f"statements/{statement.public_id}/lines/"
        lines = ApiClient(api_key(market)).read(path).json()["data"]
        out = io.StringIO()
        with tenancy.use(market.pk):
            exports.write("settlement_lines", out)
        exported = list(csv.DictReader(io.StringIO(out.getvalue())))
        assert len(lines) == len(exported) == 5
        for name, amount in (
            ("marketplace_fee", FEE),
            ("marketplace_fee_vat", VAT),
            ("other", ADDITIONS - DEDUCTIONS),
            ("net", NET),
        ):
            assert sum(line[name]["amount"] for line in lines) == amount, name
            assert sum(int(row[name]) for row in exported) == amount, name

    def test_leave_what_is_stored_and_sealed_as_it_was(self, market, statement):
        """Every component turned round into a fee: 3,000 + 10,000 + 5,000 − 8,680 − 20,000."""
        assert (statement.fee, statement.vat, statement.net) == (-10_680, -700, NET)
        told = ApiClient(api_key(market)).read(f"statements/{statement.public_id}/").json()
        assert (told["fee"]["amount"], told["vat"]["amount"]) == (-10_680, -700)
        assert {each["component"]: each["is_fee"] for each in told["components"]} == {
            "sales": True,
            "adj_service": True,
            "adj_host_commission": False,
            "adj_fast_advance": False,
            "adj_penalty": False,
        }
