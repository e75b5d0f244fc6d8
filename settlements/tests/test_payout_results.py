"""Files for a bank and its results: the same bytes, taken once, and nothing silently absorbed."""

import pytest

from marketplace import states, tenancy, versions
from marketplace.models import AuditEntry, JobRow
from settlements import payout_results, payout_sending, payouts, transfer_files
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
