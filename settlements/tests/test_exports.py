"""Exports hold business keys only and say the same whenever the same nights were run."""

import csv
import io
from datetime import date

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from marketplace import tenancy
from settlements import exports, nights
from settlements.tests import make

pytestmark = pytest.mark.django_db


def _settled(slug, code="A"):
    market = make.market(slug, first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        line = make.sold(
            make.seller(code),
            unit_price=50_000,
            quantity=2,
            category="gold",
            partner_discount=1_000,
        )
        make.returned(line, left=1, on=date(2026, 9, 8))
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


def _rows(kind, slug, tmp_path):
    path = tmp_path / f"{slug}-{kind}.csv"
    call_command("export", kind, slug, "--out", str(path), verbosity=0)
    text = path.read_text(encoding="utf-8")
    return text.encode(), list(csv.DictReader(text.splitlines()))


class TestWrite:
    def test_writes_order_lines_with_their_dates_and_amounts(self, tmp_path):
        _settled("jangteo")
        _, [line] = _rows("orders", "jangteo", tmp_path)
        assert (line["order"], line["line"], line["seller"]) == ("O1", "1", "A")
        assert (line["status"], line["confirmed_on"]) == ("confirmed", "2026-09-08")
        assert (line["quantity"], line["unit_price"]) == ("2", "50000")
        assert (line["list_amount"], line["partner_discount"]) == ("100000", "1000")

    def test_names_who_brought_the_buyer_to_nobody_but_the_operator(self, tmp_path):
        market = make.market("jangteo", first_open_on=date(2026, 9, 8))
        with tenancy.use(market.pk):
            seller, host = make.seller("A"), make.seller("H")
            make.placed(seller, number="O1", brought_by=host)
            make.placed(seller, number="O2")
            out = io.StringIO()
            exports.write("orders", out, exports.Part(seller_id=seller.pk))
        _, rows = _rows("orders", "jangteo", tmp_path)
        told = [(row["order"], row["referrer"], row["referral_stream"]) for row in rows]
        assert told == [("O1", "H", "host"), ("O2", "", "")]
        own = csv.DictReader(io.StringIO(out.getvalue()))
        assert {(row["referrer"], row["referral_stream"]) for row in own} == {("", "")}

    def test_writes_xlsx_in_major_units(self, tmp_path):
        market = make.market("dollars", currency="USD", exponent=2)
        with tenancy.use(market.pk):
            make.placed(make.seller("A"), unit_price=1_290)
        path = tmp_path / "orders.xlsx"
        words = ["export", "orders", "dollars", "--type", "xlsx", "--out", str(path)]
        call_command(*words, verbosity=0)
        head, row = openpyxl.load_workbook(path).active.iter_rows()
        told = {name.value: cell for name, cell in zip(head, row, strict=True)}
        assert (told["unit_price"].value, told["unit_price"].number_format) == (12.9, "#,##0.00")
        assert (told["quantity"].value, told["quantity"].number_format) == (1, "General")

    def test_writes_lines_with_their_proof(self, tmp_path):
        _settled("jangteo")
        _, [sale, reversal] = _rows("settlement_lines", "jangteo", tmp_path)
        assert sale["order"] == "O1"
        assert (sale["kind"], sale["seller"], sale["due_on"]) == ("sale", "A", "2026-09-11")
        assert (sale["fee"], sale["vat"], sale["net"]) == ("3000", "300", "96700")
        assert sale["charges"] == "sales#1 base=100000 fee=3000 vat=300"
        assert (reversal["kind"], reversal["quantity"]) == ("reversal", "-1")
        assert (reversal["partner_discount"], reversal["net"]) == ("-500", "-48350")

    def test_writes_statements_and_the_journal(self, tmp_path):
        _settled("jangteo")
        _, [statement] = _rows("statements", "jangteo", tmp_path)
        assert (statement["state"], statement["payout"]) == ("payable", "48350")
        assert statement["components"] == "sales fee=1500 vat=150"
        _, journal = _rows("journal", "jangteo", tmp_path)
        assert sum(int(row["debit"]) - int(row["credit"]) for row in journal) == 0
        assert {row["account"]: (row["debit"], row["credit"]) for row in journal} == {
            "clearing": ("49500", "0"),
            "partner_funding": ("500", "0"),
            "fee_revenue:sales": ("0", "1500"),
            "vat_payable": ("0", "150"),
            "seller_payable": ("48350", "0"),
            "payout_payable": ("0", "48350"),
        }

    @pytest.mark.parametrize("kind", ["settlement_lines", "statements", "journal"])
    def test_gives_the_same_bytes_for_the_same_nights(self, kind, tmp_path):
        _settled("first")
        _settled("second")
        assert _rows(kind, "first", tmp_path)[0] == _rows(kind, "second", tmp_path)[0]

    def test_marks_a_text_that_a_spreadsheet_would_run(self, tmp_path):
        _settled("jangteo", code="=cmd|'/c calc'!A0")
        _, [statement] = _rows("statements", "jangteo", tmp_path)
        assert statement["seller"] == "'=cmd|'/c calc'!A0"

    def test_holds_nothing_of_a_stranger(self, tmp_path):
        _settled("stranger")
        make.market("jangteo")
        assert _rows("settlement_lines", "jangteo", tmp_path)[1] == []

    def test_says_where_it_cannot_write(self, tmp_path):
        make.market("jangteo")
        with pytest.raises(CommandError, match="cannot be written"):
            call_command("export", "journal", "jangteo", "--out", str(tmp_path / "no" / "x.csv"))
