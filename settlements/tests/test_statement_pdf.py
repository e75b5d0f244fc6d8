"""A statement as PDF: the same figures as its other files, and what stands above them."""

import copy
import csv
import io
import re
import sys
import zlib
from datetime import date

import pytest
from django.test import Client
from django.utils import translation

from marketplace import tenancy
from marketplace.models import JobRun
from marketplace.tests.make import ApiClient, api_key
from settlements import downloads, export_jobs, nights, statement_pdf, table_files
from settlements.models import Statement
from settlements.tests import make
from settlements.tests.test_payout_pages import operator
from settlements.tests.test_shop_pages import _member

pytestmark = pytest.mark.django_db

DUE = date(2026, 9, 11)


@pytest.fixture(scope="module")
def settled(rows_of_module):
    market = make.market("ours", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        seller = make.seller("A")
        make.sold(seller, number="A-1", unit_price=33_333, quantity=3, title="<script>차</script>")
        make.sold(seller, number="A-2", unit_price=1_234_567, seller_discount=4_567)
        make.sold(make.seller("B"), number="B-1")
    nights.close_day(market.pk, DUE, at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


@pytest.fixture
def statement(market):
    with tenancy.use(market.pk):
        return Statement.objects.select_related("seller").get(seller__code="A")


def html(statement, market):
    with tenancy.use(market.pk), translation.override("en"):
        return statement_pdf.html(downloads.lines(statement, market))


def unpacked(content):
    """What stands in the streams of a PDF."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)
    return b"".join(zlib.decompressobj().decompress(stream) for stream in streams)


def won(amount):
    return f"{amount:,}"


class TestHtml:
    def test_has_the_figures_of_the_csv_and_of_the_statement(self, market, statement):
        page = html(statement, market)
        with tenancy.use(market.pk), translation.override("en"):
            file = table_files.as_file(downloads.lines(statement, market), "csv")
        rows = list(csv.reader(io.StringIO(file.decode("utf-8-sig"))))[1:]
        for row in rows:
            for at in (8, 12, 13, 14):
                assert f'<td class="figure">{won(int(row[at]))}</td>' in page
        total = page[page.rindex('class="total"') :]
        for amount in (statement.list_amount, statement.fee, statement.vat, statement.net):
            assert f">{won(amount)}<" in total
        assert f'<td class="figure">{won(statement.payout)}</td>' in page
        assert "B-1" not in page

    def test_says_whose_it_is_and_escapes_what_sellers_write(self, market, statement):
        page = html(statement, market)
        assert "상점 A (A)" in page
        assert statement.public_id in page
        assert "&lt;script&gt;차&lt;/script&gt;" in page
        assert "<script>" not in page

    def test_leaves_the_lines_of_a_very_long_one_out_and_keeps_its_sums(
        self, market, statement, monkeypatch
    ):
        monkeypatch.setattr(statement_pdf, "MOST_LINES", 1)
        page = html(statement, market)
        assert "A-1" not in page
        assert f">{won(statement.net)}<" in page
        assert "the lines are in the files CSV and XLSX" in page


class TestFile:
    def test_is_a_tagged_pdf_with_its_font_for_all_three(self, market, statement):
        with tenancy.use(market.pk):
            member = _member(statement.seller)
        shop = Client()
        shop.force_login(member)
        program = ApiClient(api_key(market, "settlements:read"))
        answers = [
            shop.get(f"/s/ours/statements/{statement.public_id}/lines.pdf"),
            operator(market).get(f"/admin/settlements/statement/{statement.pk}/pdf/"),
            program.read(f"statements/{statement.public_id}/pdf/"),
        ]
        for answer in answers:
            assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
            content = b"".join(answer) if answer.streaming else answer.content
            assert content.startswith(b"%PDF-1.7")
            assert b"Pretendard" in unpacked(content)
            assert b"/StructTreeRoot" in unpacked(content)

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_is_there_for_spreadsheets_for_all_three(self, market, statement, kind, monkeypatch):
        with tenancy.use(market.pk):
            member = _member(statement.seller)
        shop = Client(headers={"accept-language": "en"})
        shop.force_login(member)
        program = ApiClient(api_key(market, "settlements:read"))
        desk = operator(market)
        addresses = (
            lambda: shop.get(f"/s/ours/statements/{statement.public_id}/lines.{kind}"),
            lambda: desk.get(f"/admin/settlements/statement/{statement.pk}/{kind}/"),
            lambda: program.read(f"statements/{statement.public_id}/{kind}/"),
        )
        contents = []
        for answer in (ask() for ask in addresses):
            assert (answer.status_code, answer["Content-Type"]) == (200, table_files.FILES[kind])
            contents.append(b"".join(answer) if answer.streaming else answer.content)
        if kind == "csv":
            rows = [list(csv.reader(io.StringIO(text.decode("utf-8-sig")))) for text in contents]
            assert rows[0][1:] == rows[1][1:] == rows[2][1:]
            assert [row[0] for row in rows[0][1:]] == ["A-1", "A-2"]
        monkeypatch.setattr(downloads, "MOST_LINES", 1)
        refused = addresses[2]()
        assert (refused.status_code, refused.json()["code"]) == (409, "statement_too_long_at_once")
        page = desk.get(f"/admin/settlements/statement/{statement.pk}/{kind}/", follow=True)
        assert "prepared by a worker" in page.content.decode()

    def test_of_a_long_one_is_prepared_by_a_worker(
        self, market, statement, monkeypatch, settings, tmp_path
    ):
        settings.MEDIA_ROOT = tmp_path
        monkeypatch.setattr(statement_pdf, "AT_ONCE", 1)
        with tenancy.use(market.pk):
            member = _member(statement.seller)
        client = Client(headers={"accept-language": "en"})
        client.force_login(member)
        files = f"/s/ours/statements/{statement.public_id}/files/"
        assert client.get(files.replace("files/", "lines.pdf")).url == files
        page = client.get(files).content.decode()
        assert "Prepare PDF" in page
        assert "Prepare CSV" not in page
        client.post(files, {"kind": "pdf"})
        with tenancy.use(market.pk):
            job = JobRun.objects.get(kind="export.statement_file")
        export_jobs.write(market.pk, job.pk, at=make.AT)
        written = b"".join(client.get(files.replace("files/", "lines.pdf")))
        assert written.startswith(b"%PDF-1.7")
        program = ApiClient(api_key(market, "settlements:read"))
        refused = program.read(f"statements/{statement.public_id}/pdf/")
        assert (refused.status_code, refused.json()["code"]) == (409, "statement_too_long_for_pdf")

    def test_is_refused_with_a_remedy_where_it_cannot_be_drawn(
        self, market, statement, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "weasyprint", None)
        program = ApiClient(api_key(market, "settlements:read"))
        refused = program.read(f"statements/{statement.public_id}/pdf/")
        assert (refused.status_code, refused.json()["code"]) == (409, "pdf_unavailable")
        page = operator(market).get(
            f"/admin/settlements/statement/{statement.pk}/pdf/", follow=True
        )
        assert "pango" in page.content.decode()
