import copy
import csv
import os
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest
from django.utils import timezone

from marketplace import jobs, tenancy
from marketplace.models import AuditEntry, JobRun
from marketplace.tests import make as people
from settlements import adjusting, export_jobs, exports, holding, nights, table_files, tasks
from settlements.models import Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture(scope="module")
def settled(rows_of_module):
    market = make.market("jangteo", first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        seller = make.seller("=A")
        make.sold(seller, unit_price=50_000, category="gold")
        make.account(seller)
        terms = holding.Terms(reason="manual", note="확인 중", condition="확인이 끝나면")
        holding.hold_amount(seller, 1_000, terms, by=None, at=make.AT)
        said = {"tax_kind": "outside_scope", "reason_code": "penalty", "reason": "발송 지연"}
        by = people.user("asker@example.org")
        row = adjusting.request(
            seller, amount=-2_000, basis_on=date(2026, 9, 8), by=by, at=make.AT, **said
        )
        adjusting.approve(row, by=None, at=make.AT)
    nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
    return market


@pytest.fixture
def market(db, settled):
    return copy.copy(settled)


def ask(market, kind="statements", *, at=make.AT):
    with tenancy.use(market.pk):
        return export_jobs.ask(kind, by=None, at=at)


def write(market, job):
    return export_jobs.write(market.pk, job.pk, at=make.AT)


def stored(market, job):
    with tenancy.use(market.pk):
        return JobRun.objects.get(pk=job.pk)


class TestAsk:
    def test_queues_a_job_and_records_who_asked(self, market):
        operator = people.user()
        with tenancy.use(market.pk):
            job = export_jobs.ask("journal", by=operator, at=make.AT)
            entry = AuditEntry.objects.latest("pk")
        assert (job.kind, job.state) == ("export.journal", JobRun.State.QUEUED)
        assert (entry.action, entry.actor, entry.data) == (
            "export.asked",
            operator,
            {"kind": "journal"},
        )

    def test_knows_its_kinds(self, market):
        with pytest.raises(KeyError), tenancy.use(market.pk):
            export_jobs.ask("passwords", by=None, at=make.AT)

    @pytest.mark.parametrize(
        ("kind", "first_on", "last_on", "refusal"),
        [
            ("journal", date(2026, 9, 9), date(2026, 9, 8), exports.DaysTurned),
            ("withholding", date(2026, 9, 9), None, exports.NoSpan),
        ],
    )
    def test_refuses_days_that_cannot_be(self, market, kind, first_on, last_on, refusal):
        with pytest.raises(refusal), tenancy.use(market.pk):
            export_jobs.ask(kind, by=None, at=make.AT, first_on=first_on, last_on=last_on)


class TestDropOld:
    def test_keeps_files_for_a_week(self, market):
        old, young = ask(market), ask(market)
        for job in (old, young):
            write(market, job)
        then = export_jobs.path(old).stat().st_mtime - timedelta(days=8).total_seconds()
        os.utime(export_jobs.path(old), (then, then))
        at = datetime.fromtimestamp(export_jobs.path(young).stat().st_mtime, UTC)
        assert export_jobs.drop_old(at=at) == 1
        assert not export_jobs.path(old).exists()
        assert export_jobs.path(young).exists()
        with tenancy.use(market.pk), pytest.raises(export_jobs.FileGone):
            export_jobs.file_of(stored(market, old))


class TestWrite:
    @pytest.mark.parametrize("kind", sorted(exports.KINDS))
    def test_writes_the_file_and_says_how_much(self, market, kind):
        job = ask(market, kind)
        tasks.write_export(marketplace_id=market.pk, job_id=job.pk)
        job = stored(market, job)
        file = export_jobs.file_of(job)
        rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
        assert job.state == JobRun.State.DONE
        assert tuple(rows[0]) == exports.KINDS[kind][0]
        assert job.counts["rows"] == len(rows) - 1
        assert (len(rows) > 1) is (kind not in ("tax_invoice_sums", "withholding"))
        assert job.counts["bytes"] == file.stat().st_size

    @pytest.mark.parametrize(
        ("kind", "day"),
        [
            ("orders", date(2026, 9, 1)),
            ("settlement_lines", date(2026, 9, 8)),
            ("statements", date(2026, 9, 11)),
            ("journal", date(2026, 9, 11)),
            ("payouts", date(2026, 9, 11)),
            ("holds", date(2026, 9, 1)),
            ("adjustments", date(2026, 9, 8)),
        ],
    )
    def test_writes_the_days_that_were_asked_for(self, market, kind, day):
        def rows(**days):
            with tenancy.use(market.pk):
                job = export_jobs.ask(kind, by=None, at=make.AT, **days)
            write(market, job)
            return stored(market, job).counts["rows"]

        whole, before, after = rows(), day - timedelta(days=1), day + timedelta(days=1)
        assert whole > 0
        assert rows(first_on=day, last_on=day) == whole
        assert rows(first_on=after) == rows(last_on=before) == 0

    def test_tells_payouts_holds_and_adjustments_by_what_people_know(self, market):
        told = {}
        for kind in ("payouts", "holds", "adjustments"):
            job = ask(market, kind)
            write(market, job)
            text = export_jobs.path(job).read_text(encoding="utf-8-sig")
            [told[kind]] = csv.DictReader(text.splitlines())
        with tenancy.use(market.pk):
            paid = Statement.objects.get().payout
        assert told["payouts"] | {"payee": ""} == {
            **told["payouts"],
            "prepared_for": "2026-09-11",
            "seller": "'=A",
            "state": "prepared",
            "amount": str(paid),
            "due_on": "2026-09-11",
            "payee": "",
        }
        assert told["holds"]["taken"] == told["holds"]["amount"] == "1000"
        assert (told["holds"]["reason"], told["holds"]["state"]) == ("manual", "placed")
        kept = ("reason_code", "state", "amount", "vat", "due_on")
        assert [told["adjustments"][name] for name in kept] == [
            *("penalty", "settled", "-2000", "0", "2026-09-11")
        ]

    def test_leaves_no_formula_to_a_spreadsheet(self, market):
        job = ask(market)
        write(market, job)
        [row] = csv.DictReader(export_jobs.path(job).read_text(encoding="utf-8-sig").splitlines())
        assert row["seller"] == "'=A"

    @pytest.mark.parametrize("kind", sorted(exports.KINDS))
    def test_writes_xlsx_with_days_and_money_as_such(self, market, kind):
        with tenancy.use(market.pk):
            job = export_jobs.ask(kind, by=None, at=make.AT, file_type="xlsx")
        plain = ask(market, kind)
        for each in (job, plain):
            write(market, each)
        assert export_jobs.path(job).suffix == ".xlsx"
        head, *cells = openpyxl.load_workbook(export_jobs.path(job)).active.iter_rows()
        text = export_jobs.path(plain).read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
        assert tuple(cell.value for cell in head) == exports.KINDS[kind][0]
        assert stored(market, job).counts["rows"] == len(cells) == len(rows)
        for row, told in zip(cells, rows, strict=True):
            for name, cell in zip(told, row, strict=True):
                assert cell.data_type != "f"
                is_amount = name in exports.AMOUNTS and told[name] != ""
                assert (cell.number_format == "#,##0") is is_amount, name
                shown = cell.value.date() if cell.is_date else cell.value
                assert str("" if shown is None else shown) == told[name], name
                if name in ("basis_on", "effective_on", "closed_on") and told[name]:
                    assert cell.is_date, name

    def test_splits_xlsx_into_sheets(self, market, monkeypatch):
        monkeypatch.setattr(table_files, "MOST_ROWS", 3)  # a header and two rows
        with tenancy.use(market.pk):
            job = export_jobs.ask("journal", by=None, at=make.AT, file_type="xlsx")
        write(market, job)
        book = openpyxl.load_workbook(export_jobs.path(job))
        count = stored(market, job).counts["rows"]
        assert sum(sheet.max_row - 1 for sheet in book) == count
        assert book.sheetnames[:2] == ["journal", "journal 2"]
        assert len(book.sheetnames) == -(-count // 2)

    def test_knows_its_types_of_files(self, market):
        with pytest.raises(KeyError), tenancy.use(market.pk):
            export_jobs.ask("journal", by=None, at=make.AT, file_type="pdf")

    def test_is_done_once(self, market):
        job = ask(market)
        assert write(market, job)
        assert not write(market, job)

    def test_leaves_nothing_half_written_and_can_be_tried_again(self, market, monkeypatch):
        job = ask(market)

        def die(kind, out, part):
            out.write("half")
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(exports, "write", die)
            with pytest.raises(OSError, match="disk full"):
                write(market, job)
        job = stored(market, job)
        assert job.state == JobRun.State.RUNNING
        with pytest.raises(export_jobs.FileGone):
            export_jobs.file_of(job)
        assert write(market, job)

    def test_gives_up_after_so_many_attempts(self, market):
        job = ask(market)
        with tenancy.use(market.pk):
            JobRun.objects.filter(pk=job.pk).update(
                attempts=jobs.MAX_ATTEMPTS, state=JobRun.State.RUNNING
            )
        assert not write(market, job)
        assert stored(market, job).state == JobRun.State.FAILED

    def test_is_begun_again_where_a_worker_left_it(self, market, monkeypatch):
        young, old = ask(market), ask(market)
        long_ago = timezone.now() - jobs.ABANDONED_AFTER - timedelta(minutes=1)
        with tenancy.use(market.pk):
            for job, at in ((young, timezone.now()), (old, long_ago)):
                jobs.count_attempt(jobs.begin(job.kind, job.key, at=at), at=at)
        handed_out = []
        monkeypatch.setattr(tasks.write_export, "delay", lambda **words: handed_out.append(words))
        tasks.take_up_exports()
        assert handed_out == [{"marketplace_id": market.pk, "job_id": old.pk}]

    def test_knows_no_job_of_a_stranger(self, market):
        stranger = make.market("stranger")
        job = ask(market)
        assert not export_jobs.write(stranger.pk, job.pk, at=make.AT)
        assert stored(market, job).state == JobRun.State.QUEUED

    def test_writes_no_other_kind_of_job(self, market):
        with tenancy.use(market.pk):
            job = JobRun.objects.create(kind="import", key="x")
        assert not write(market, job)
