"""A seller's files, read back as a spreadsheet would."""

import csv
import io
from datetime import date

import openpyxl
import pytest
from django.test import Client

from marketplace import tenancy
from settlements import downloads, nights, shop_statements, table_files
from settlements.models import Statement
from settlements.tests import make
from settlements.tests.test_shop_pages import _member

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
# Neither of cp949: a Hangul syllable it lacks, a dash, an emoji.
TITLE = "뷁똠 — 🎁"
DANGEROUS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", '=HYPERLINK("http://x")']


@pytest.fixture
def market():
    return make.market()


@pytest.fixture
def statement(market):
    with tenancy.use(market.pk):
        seller = make.seller("A")
        line = make.sold(
            seller, number="=A-1", title=TITLE, unit_price=33_333, quantity=2, category="gold"
        )
        make.returned(line, left=1, on=SEP_8)
        for number, title in enumerate(DANGEROUS):
            make.sold(seller, number=f"D{number}", title=title, category="gold")
        make.sold(make.seller("B"), number="B-1", title="남의 것")
        nights._open_months(SEP_8)
        nights.runs.settle(on=SEP_8, first_seller=0, end_seller=2**62)
        return Statement.objects.select_related("seller").get(seller=seller)


def _read_csv(file: bytes) -> list[list[str]]:
    assert file.startswith(b"\xef\xbb\xbf")
    text = file.decode("utf-8-sig")
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


def _read_xlsx(file: bytes) -> list[tuple]:
    sheet = openpyxl.load_workbook(io.BytesIO(file)).active
    for row in sheet.iter_rows():
        assert all(cell.data_type != "f" for cell in row)
    return [tuple(row) for row in sheet.iter_rows(values_only=True)]


class TestLines:
    def test_tell_the_figures_of_the_lines(self, market, statement):
        with tenancy.use(market.pk):
            rows = _read_csv(table_files.as_file(downloads.lines(statement, market), "csv"))
            first, back = rows[1], rows[-1]
            assert first[0] == "'=A-1"
            assert first[3] == TITLE
            assert first[5:] == [
                *("2026-09-01", "2026-09-08", "2"),
                *("66666", "0", "0", "0", "1999", "200", "0", "0", "64467", "1999", "200"),
            ]
            assert rows[0][-2:] == ["Fee: 판매 수수료", "VAT: 판매 수수료"]
            figures = ["-33333", *"000", "-1000", "-100", "0", "0", "-32233", "-1000", "-100"]
            assert back[7:] == ["-1", *figures]

    def test_are_the_same_in_both_kinds_of_file(self, market, statement):
        with tenancy.use(market.pk):
            head, *rows = _read_xlsx(
                table_files.as_file(downloads.lines(statement, market), "xlsx")
            )
            assert head[0] == "Order"
            assert rows[0][3:5] == (TITLE, "")
            assert [day.date() for day in rows[0][5:7]] == [date(2026, 9, 1), SEP_8]
            assert rows[0][7:] == (2, 66_666, 0, 0, 0, 1_999, 200, 0, 0, 64_467, 1_999, 200)
            assert sum(row[16] for row in rows) == statement.net
            assert len(rows) == statement.lines

    def test_run_no_formula(self, market, statement):
        with tenancy.use(market.pk):
            for kind, read in (("csv", _read_csv), ("xlsx", _read_xlsx)):
                rows = read(table_files.as_file(downloads.lines(statement, market), kind))
                titles = {row[3] for row in rows}
                assert not titles & set(DANGEROUS)
                assert {"'=1+1", "'+1", "'-1", "'@x", "'\tx"} <= titles
                assert "남의 것" not in titles


class TestStatements:
    def test_tell_a_years_statements_of_one_seller(self, market, statement):
        with tenancy.use(market.pk):
            year = {"first": date(2026, 1, 1), "end": date(2027, 1, 1)}
            table = downloads.statements(statement.seller, market, **year)
            [row] = _read_csv(table_files.as_file(table, "csv"))[1:]
            assert row[:3] == ["2026-09-11", "Open", ""]
            assert row[7:12] == [str(statement.vat), "0", "0", "0", str(statement.net)]
            assert row[-2:] == [str(statement.fee), str(statement.vat)]
            table = downloads.statements(
                statement.seller, market, first=date(2025, 1, 1), end=date(2026, 1, 1)
            )
            assert len(_read_csv(table_files.as_file(table, "csv"))) == 1


class TestPages:
    def test_belong_to_one_seller(self, market, statement):
        client = Client(headers={"accept-language": "en"})
        own = f"/s/jangteo/statements/{statement.public_id}/lines."
        year = "/s/jangteo/downloads/statements-2026."
        addresses = [own + "csv", own + "xlsx", year + "csv", year + "xlsx"]
        client.force_login(_member(statement.seller))
        assert client.get("/s/jangteo/downloads/").status_code == 200
        for address in addresses:
            response = client.get(address)
            assert response.status_code == 200
            assert response["Content-Disposition"].startswith("attachment; ")
        assert _read_csv(client.get(own + "csv").content)[0][0] == "Order"
        for wrong in (own + "exe", year + "exe", year.replace("2026", "0") + "csv"):
            assert client.get(wrong).status_code == 404
        with tenancy.use(market.pk):
            other = shop_statements.Seller.objects.get(code="B")
        client.force_login(_member(other, "other@example.org"))
        for address in addresses[:2]:
            assert client.get(address).status_code == 404
        assert len(_read_csv(client.get(addresses[2]).content)) == 2
        elsewhere = make.market("elsewhere")
        with tenancy.use(elsewhere.pk):
            stranger = make.seller("A")
        client.force_login(_member(stranger, "stranger@example.org"))
        for address in [*addresses, "/s/jangteo/downloads/"]:
            assert client.get(address).status_code == 404
