"""Files of long statements: asked for, written by a worker, fetched by the shop's people alone."""

import csv
import io
import os
from datetime import date, timedelta
from decimal import Decimal

import openpyxl
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone, translation

from marketplace import tenancy
from marketplace.models import AuditEntry, JobRun, OutboxMessage
from sellers.models import SellerMember
from settlements import downloads, export_jobs, nights, statement_files, table_files, tasks
from settlements.models import Statement
from settlements.tests import make
from settlements.tests.test_shop_pages import _member

pytestmark = pytest.mark.django_db

SEP_8, SEP_9 = date(2026, 9, 8), date(2026, 9, 9)
LINES = 5


@pytest.fixture(autouse=True)
def small(monkeypatch, settings, tmp_path):
    monkeypatch.setattr(downloads, "MOST_LINES", LINES - 1)
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def market():
    return make.market()


@pytest.fixture
def statement(market):
    """One of `LINES` lines, which is long here."""
    with tenancy.use(market.pk):
        seller = make.seller("A")
        for number in range(LINES):
            make.sold(seller, number=f"A-{number}", unit_price=33_333, category="gold")
        make.sold(make.seller("B"), number="B-1", title="남의 것")
        _settle()
        return Statement.objects.select_related("seller").get(seller=seller)


@pytest.fixture
def client(statement):
    client = Client(headers={"accept-language": "en"})
    client.force_login(_member(statement.seller))
    return client


def _settle(on=SEP_8):
    nights._open_months(on)
    nights.runs.settle(on=on, first_seller=0, end_seller=2**62)


def _ask(market, statement, kind="csv", language="en"):
    with tenancy.use(market.pk), translation.override(language):
        return export_jobs.ask_for_statement(statement, kind, by=None, at=timezone.now())


def _write(market, job):
    tasks.write_export(marketplace_id=market.pk, job_id=job.pk)
    with tenancy.use(market.pk):
        return JobRun.objects.get(pk=job.pk)


def _page(statement):
    return f"/s/jangteo/statements/{statement.public_id}/files/"


def _address(statement, kind="csv"):
    return f"/s/jangteo/statements/{statement.public_id}/lines.{kind}"


def _content(response):
    return b"".join(response.streaming_content)


def _rows(file: bytes):
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


class TestAsk:
    def test_queues_one_job_however_often_it_is_asked(self, market, statement):
        first, second = _ask(market, statement), _ask(market, statement)
        with tenancy.use(market.pk):
            assert first.pk == second.pk
            assert JobRun.objects.filter(kind="export.statement_file").count() == 1
            assert OutboxMessage.objects.filter(topic="export.asked").count() == 1
            entry = AuditEntry.objects.latest("pk")
        assert first.total == LINES
        assert (entry.action, entry.data["statement"]) == ("export.asked", statement.public_id)

    def test_tells_languages_and_kinds_of_files_apart(self, market, statement):
        asked = {
            _ask(market, statement, kind, language).pk
            for kind in table_files.TYPES
            for language in ("ko", "en")
        }
        assert len(asked) == 4

    def test_begins_anew_what_failed(self, market, statement):
        failed = _ask(market, statement)
        with tenancy.use(market.pk):
            JobRun.objects.filter(pk=failed.pk).update(state=JobRun.State.FAILED)
        again = _ask(market, statement)
        assert (again.pk > failed.pk, again.state) == (True, JobRun.State.QUEUED)

    def test_begins_anew_what_is_lost(self, market, statement):
        done = _write(market, _ask(market, statement))
        assert _ask(market, statement).pk == done.pk
        export_jobs.path(done).unlink()
        assert _ask(market, statement).pk > done.pk


class TestWrite:
    def test_writes_the_rows_of_the_direct_download(self, market, statement, monkeypatch):
        for kind in table_files.TYPES:
            job = _write(market, _ask(market, statement, kind))
            assert (job.state, job.counts["rows"], job.done) == (JobRun.State.DONE, LINES, LINES)
            written = export_jobs.path(job).read_bytes()
            with tenancy.use(market.pk), translation.override("en"):
                direct = table_files.as_file(downloads.lines(statement, market), kind)
            if kind == "csv":
                assert written == direct
                net = sum(Decimal(row[16]) for row in _rows(written)[1:])
                assert net == statement.net
            else:
                read = [
                    list(openpyxl.load_workbook(io.BytesIO(file)).active.values)
                    for file in (written, direct)
                ]
                assert read[0] == read[1]
                assert sum(row[16] for row in read[0][1:]) == statement.net

    def test_speaks_the_language_of_whoever_asked(self, market, statement):
        heads = {}
        for language in ("ko", "en"):
            job = _write(market, _ask(market, statement, language=language))
            heads[language] = _rows(export_jobs.path(job).read_bytes())[0][0]
        assert heads == {"ko": "주문", "en": "Order"}

    def test_hands_out_nothing_that_does_not_add_up(self, market, statement):
        job = _ask(market, statement)
        with tenancy.use(market.pk):
            Statement.objects.filter(pk=statement.pk).update(lines=LINES + 1)
        with pytest.raises(statement_files.StatementGrew):
            export_jobs.write(market.pk, job.pk, at=timezone.now())
        assert not export_jobs.path(job).exists()

    def test_tells_how_far_it_is(self, market, statement, monkeypatch):
        monkeypatch.setattr(statement_files, "_EVERY", 2)
        cache.clear()
        job = _ask(market, statement)
        assert statement_files.progress(job) == 0
        _write(market, job)
        assert statement_files.progress(job) == 4

    def test_continues_on_another_sheet(self, market, statement, monkeypatch):
        monkeypatch.setattr(table_files, "MOST_ROWS", 3)  # a header and two lines
        job = _write(market, _ask(market, statement, "xlsx"))
        book = openpyxl.load_workbook(export_jobs.path(job))
        *names, head = book.sheetnames
        assert names == ["Settlement lines", "Settlement lines 2", "Settlement lines 3"]
        assert head == "Statement"
        sheets = [list(book[name].values) for name in names]
        assert [len(rows) for rows in sheets] == [3, 3, 2]
        assert all(rows[0][0] == "Order" for rows in sheets)
        orders = [row[0] for rows in sheets for row in rows[1:]]
        assert orders == [f"A-{number}" for number in range(LINES)]

    def test_is_taken_up_where_a_worker_left_it(self):
        assert statement_files.KIND in export_jobs.JOBS

    def test_is_no_export_of_the_marketplace(self, market, statement):
        _ask(market, statement)
        with tenancy.use(market.pk):
            assert not export_jobs.rows().exists()
            assert not export_jobs.rows(statement.seller).exists()


class TestPages:
    def test_lead_from_asking_to_the_file(self, client, market, statement):
        assert client.get(_address(statement))["Location"] == _page(statement)
        text = client.get(_page(statement)).content.decode()
        assert "This statement has 5 lines." in text
        assert "Prepare CSV" in text
        assert client.post(_page(statement), {"kind": "csv"})["Location"] == _page(statement)
        text = client.get(_page(statement)).content.decode()
        assert "Waits for its turn." in text
        assert 'hx-trigger="every 3s"' in text
        with tenancy.use(market.pk):
            job = JobRun.objects.get(kind=statement_files.KIND)
        _write(market, job)
        part = client.get(_page(statement), headers={"HX-Request": "true"}).content.decode()
        assert "Ready: 5 lines" in part
        assert "<html" not in part
        assert "every 3s" not in part
        answer = client.get(_address(statement))
        assert answer["Content-Disposition"] == (
            'attachment; filename="settlement-lines-2026-09-11.csv"'
        )
        assert answer["Cache-Control"] == "no-store"
        assert len(_rows(_content(answer))) == 1 + LINES

    def test_tell_how_far_it_is(self, client, market, statement):
        job = _ask(market, statement)
        cache.set(f"jangteo.file.{job.pk}", 3)
        text = client.get(_page(statement)).content.decode()
        assert "3 of 5 lines are written." in text

    def test_offer_no_file_of_fewer_lines(self, client, market, statement):
        _write(market, _ask(market, statement))
        with tenancy.use(market.pk):
            make.sold(statement.seller, number="A-late", confirmed_on=SEP_8)
            _settle()
        assert client.get(_address(statement)).status_code == 302
        text = client.get(_page(statement)).content.decode()
        assert "This statement has 6 lines." in text
        assert "Prepare CSV" in text

    def test_forget_a_file_after_a_week(self, client, market, statement):
        job = _write(market, _ask(market, statement))
        long_ago = (timezone.now() - timedelta(days=8)).timestamp()
        os.utime(export_jobs.path(job), (long_ago, long_ago))
        assert export_jobs.drop_old(at=timezone.now()) == 1
        assert client.get(_address(statement)).status_code == 302
        assert "no longer kept" in client.get(_page(statement)).content.decode()

    def test_say_so_where_it_failed(self, client, market, statement):
        job = _ask(market, statement)
        with tenancy.use(market.pk):
            JobRun.objects.filter(pk=job.pk).update(state=JobRun.State.FAILED, error="disk full")
        text = client.get(_page(statement)).content.decode()
        assert "could not be written" in text
        assert "disk full" not in text
        assert "Prepare CSV" in text

    def test_make_short_ones_at_once(self, client, market, statement, monkeypatch):
        monkeypatch.setattr(downloads, "MOST_LINES", LINES)
        assert client.get(_address(statement)).status_code == 200
        assert "made at once" in client.get(_page(statement)).content.decode()
        assert client.post(_page(statement), {"kind": "csv"}).status_code == 404

    def test_know_no_other_kind(self, client, statement):
        assert client.post(_page(statement), {"kind": "exe"}).status_code == 404

    def test_are_shown_by_statements_and_downloads(self, client, statement):
        for page in (f"/s/jangteo/statements/{statement.public_id}/", "/s/jangteo/downloads/"):
            text = client.get(page).content.decode()
            assert _page(statement) in text
            assert _address(statement) not in text

    def test_belong_to_the_shops_people(self, client, market, statement):
        _write(market, _ask(market, statement))
        client.force_login(_member(statement.seller, "staff@x.example", SellerMember.Role.STAFF))
        assert client.get(_address(statement)).status_code == 200
        with tenancy.use(market.pk):
            other = export_jobs.Seller.objects.get(code="B")
        elsewhere = make.market("elsewhere")
        with tenancy.use(elsewhere.pk):
            stranger = make.seller("A")
        for seller, email in ((other, "other@x.example"), (stranger, "stranger@x.example")):
            client.force_login(_member(seller, email))
            assert client.get(_address(statement)).status_code == 404
            assert client.get(_page(statement)).status_code == 404
            assert client.post(_page(statement), {"kind": "csv"}).status_code == 404
