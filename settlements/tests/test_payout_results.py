"""Files for a bank and its results: the same bytes, taken once, and nothing silently absorbed."""

import pytest

from marketplace import jobs, states, tenancy, versions
from marketplace.models import AuditEntry, JobRow, JobRun, OutboxMessage
from settlements import payout_results, payout_sending, payouts, tasks, transfer_files
from settlements.models import Payout, PayoutBatch, PayoutException, PayoutPolicy
from settlements.tests import make
from settlements.tests.test_transfer_files import as_bank

pytestmark = pytest.mark.django_db

AT = make.AT
ON = make.FIRST_OPEN_ON.replace(day=2)
NEXT = AT.replace(day=2)


@pytest.fixture(params=["bank_csv", "bank_fixed"])
def market(request):
    market = make.market()
    with tenancy.use(market.pk):
        draft = versions.draft(
            PayoutPolicy, valid_from=ON, by=None, gateway=request.param, memo="모두마켓"
        )
        versions.publish(draft, by=None, at=AT)
        for code, amount in (("A", 96_700), ("B", 3_300)):
            seller = make.seller(code)
            make.account(seller)
            make.payable(seller, amount)
        [batch] = payouts.prepare(on=ON, at=NEXT)
        states.move(batch, PayoutBatch.State.APPROVED, by=None, at=NEXT)
        payouts.execute(batch, by=None, at=NEXT)
        ids = list(Payout.objects.values_list("pk", flat=True))
    for payout_id in ids:
        payout_sending.serve(market.pk, payout_id, now=lambda: NEXT)
    return market


@pytest.fixture
def batch(market):
    with tenancy.use(market.pk):
        yield PayoutBatch.objects.select_related("policy").get()


def file_of(batch):
    return payout_results.file_of(batch, by=None, at=NEXT)


def results(batch, *changes, code="0000"):
    """What the bank would give back for the whole batch."""
    content = as_bank(batch.policy.gateway, file_of(batch), 0, code)
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    return content


def take(batch, content):
    job = payout_results.take(batch, content, name="r.csv", by=None, at=NEXT)
    return sorted(JobRow.objects.filter(job=job).values_list("head", flat=True))


def states_of():
    return list(Payout.objects.order_by("pk").values_list("state", flat=True))


class TestFileOf:
    def test_gives_the_same_bytes_each_time(self, batch):
        assert batch.state == PayoutBatch.State.AWAITING
        content = file_of(batch)
        assert content == file_of(batch)
        batch.refresh_from_db()
        assert len(batch.file_hash) == 64
        assert AuditEntry.objects.filter(action="payoutbatch.file_taken").count() == 2

    def test_waits_until_every_payout_stands_in_it(self, batch):
        PayoutBatch.objects.update(state="executing")
        with pytest.raises(payout_results.NotSentYet):
            file_of(batch)

    def test_is_of_a_bank_that_takes_files(self, batch):
        batch.policy.gateway = "sandbox"
        with pytest.raises(payout_results.NoFileBank):
            payout_results.take(batch, b"", name="", by=None, at=NEXT)


class TestTake:
    def test_ends_every_payout(self, batch):
        assert take(batch, results(batch)) == ["paid", "paid"]
        batch.refresh_from_db()
        assert (batch.state, states_of()) == ("completed", ["paid", "paid"])
        assert make.balances() == {"clearing": -100_000, "bank": 100_000}

    def test_takes_a_file_once_and_a_repeated_result_once(self, batch):
        content = results(batch)
        take(batch, content)
        with pytest.raises(payout_results.ResultFileRepeated):
            take(batch, content)
        assert take(batch, content + b"\r\n") == ["repeated", "repeated"]
        assert make.balances() == {"clearing": -100_000, "bank": 100_000}

    def test_takes_failures_with_their_reason(self, batch):
        assert take(batch, results(batch, code="0021")) == ["failed", "failed"]
        assert set(Payout.objects.values_list("reason", flat=True)) == {"account_closed"}
        assert make.balances() == {"clearing": -100_000, "payout_payable": 100_000}

    def test_takes_what_there_is_of_a_partial_file(self, batch):
        if batch.policy.gateway == transfer_files.FIXED:
            content = results(batch)
            lines = content.split(b"\r\n")
            content = b"\r\n".join([lines[0], lines[1], b"T0000001"])
        else:
            content = b"\r\n".join(results(batch).split(b"\r\n")[:2])
        assert take(batch, content) == ["paid"]
        batch.refresh_from_db()
        assert (batch.state, sorted(states_of())) == ("awaiting", ["paid", "sent"])

    def test_makes_an_exception_of_an_unknown_payout(self, batch):
        reference = Payout.objects.order_by("pk").first().public_id.encode()
        content = results(batch, (reference, b"pay_" + b"0" * 26))
        assert take(batch, content) == ["paid", "unknown_id"]
        assert PayoutException.objects.get().reference == "pay_" + "0" * 26

    def test_believes_no_amount_a_hundred_times_off(self, batch):
        if batch.policy.gateway == transfer_files.FIXED:
            change = (b"0000000096700", b"0000009670000")
        else:
            change = (b",96700,", b",9670000,")
        assert take(batch, results(batch, change)) == ["amount_differs", "paid"]
        raised = PayoutException.objects.get()
        assert (raised.expected, raised.found) == (96_700, 9_670_000)

    def test_tells_a_row_that_cannot_be_read(self, batch):
        if batch.policy.gateway == transfer_files.FIXED:
            change = (b"0000000096700", b"00000096700.5")
        else:
            change = (b",96700,", b",96700.50,")
        assert take(batch, results(batch, change)) == ["paid", "unreadable"]
        assert sorted(states_of()) == ["paid", "sent"]
        row = JobRow.objects.get(head="unreadable")
        assert PayoutException.objects.get().source == f"r.csv:{row.row_number}"


class TestRun:
    """Long files: left to a worker, part by part."""

    @pytest.fixture(autouse=True)
    def short(self, monkeypatch, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path
        monkeypatch.setattr(payout_results, "AT_ONCE", 1)
        monkeypatch.setattr(payout_results, "PART", 1)

    @pytest.fixture
    def left(self, market):
        """A file that waits for a worker."""
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.select_related("policy").get()
            job = payout_results.take(batch, results(batch), name="r.csv", by=None, at=NEXT)
            assert (job.state, job.total, job.done) == ("queued", 2, 0)
            assert states_of() == ["sent", "sent"]
            [message] = OutboxMessage.objects.filter(topic=payout_results.TOPIC)
            assert message.payload == {"job_id": job.pk, "user_id": None}
        return job

    def ended(self, market):
        with tenancy.use(market.pk):
            job = JobRun.objects.get(kind=payout_results.KIND)
            told = {name: job.counts[name] for name in job.counts if name not in ("batch", "file")}
            # Results are taken by reference, which is made by chance.
            return job.state, job.done, told, sorted(states_of())

    def test_takes_what_was_left(self, market, left, tmp_path):
        assert len(list(tmp_path.glob("payout-results/*/*"))) == 1
        tasks.take_results(marketplace_id=market.pk, job_id=left.pk, user_id=None)
        assert self.ended(market) == ("done", 2, {"paid": 2}, ["paid", "paid"])
        assert list(tmp_path.glob("payout-results/*/*")) == []
        assert not payout_results.run(market.pk, left.pk, by=None, at=NEXT)
        with tenancy.use(market.pk):
            assert make.balances() == {"clearing": -100_000, "bank": 100_000}

    def test_goes_on_where_a_worker_died(self, market, left, monkeypatch):
        record, served = payout_sending.record, []

        def dying(payout_id, *given, **words):
            if served:
                raise SystemExit
            served.append(payout_id)
            return record(payout_id, *given, **words)

        with monkeypatch.context() as patched:
            patched.setattr(payout_sending, "record", dying)
            with pytest.raises(SystemExit):
                payout_results.run(market.pk, left.pk, by=None, at=NEXT)
        assert self.ended(market) == ("running", 1, {}, ["paid", "sent"])
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.select_related("policy").get()
            with pytest.raises(payout_results.ResultFileUnderWay) as refused:
                payout_results.take(batch, results(batch), name="r.csv", by=None, at=NEXT)
            assert refused.value.params == {"done": 1, "total": 2}
            long_after = NEXT + jobs.ABANDONED_AFTER * 2
            found = jobs.abandoned([payout_results.KIND], payout_results.TOPIC, at=long_after)
            assert found == [left.pk]
        assert payout_results.run(market.pk, left.pk, by=None, at=NEXT)
        assert self.ended(market) == ("done", 2, {"paid": 2}, ["paid", "paid"])
        with tenancy.use(market.pk):
            assert JobRow.objects.count() == 2

    def test_gives_up_after_too_many_attempts_and_takes_the_file_again(self, market, left):
        with tenancy.use(market.pk):
            JobRun.objects.filter(pk=left.pk).update(state="running", attempts=99)
        assert not payout_results.run(market.pk, left.pk, by=None, at=NEXT)
        assert self.ended(market)[0] == "failed"
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.select_related("policy").get()
            payout_results.take(batch, results(batch), name="r.csv", by=None, at=NEXT)
        assert payout_results.run(market.pk, left.pk, by=None, at=NEXT)
        assert self.ended(market) == ("done", 2, {"paid": 2}, ["paid", "paid"])

    def test_refuses_at_once_what_is_no_file_of_results(self, market):
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.select_related("policy").get()
            with pytest.raises(transfer_files.NotAResultFile):
                payout_results.take(batch, b"nothing", name="r.csv", by=None, at=NEXT)
            assert not JobRun.objects.filter(kind=payout_results.KIND).exists()
