"""Each payout goes out once, whatever its bank says, when it says it, and who dies meanwhile."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from marketplace import states, tenancy
from marketplace.models import Change, OutboxMessage
from marketplace.tests import make as floor
from sellers.models import Seller
from settlements import (
    nights,
    payout_rules,
    payout_sending,
    payouts,
    positions,
    sentinels,
    tasks,
    verification,
)
from settlements.gateways import sandbox
from settlements.gateways.interface import Answer, NoAnswer, Outcome
from settlements.models import (
    Journal,
    Payout,
    PayoutAttempt,
    PayoutBatch,
    PayoutException,
    PayoutItem,
    SandboxTransfer,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

FIRST = make.FIRST_OPEN_ON
AT = make.AT
LATER = AT + timedelta(days=1)
PAID = {"clearing": -96_700, "bank": 96_700}
OWED = {"clearing": -96_700, "payout_payable": 96_700}


@pytest.fixture
def market():
    return make.market()


def launched(market, *endings, amount=96_700):
    """Payouts of a batch that is being executed, one for each ending of an account."""
    with tenancy.use(market.pk):
        for number, ending in enumerate(endings):
            row = make.seller(f"S{number}")
            make.account(row, ending=ending)
            make.payable(row, amount)
    return again(market)


def again(market, at=AT):
    """What can be paid now, in a batch that is being executed."""
    with tenancy.use(market.pk):
        [batch] = payouts.prepare(on=FIRST, at=at)
        states.move(batch, PayoutBatch.State.APPROVED, by=None, at=at)
        payouts.execute(batch, by=None, at=at)
        return list(batch.rows.order_by("pk").values_list("pk", flat=True))


def serve(market, payout_id, at=AT):
    payout_sending.serve(market.pk, payout_id, now=lambda: at)


def told(market, payout_id, answer, at=AT):
    with tenancy.use(market.pk):
        return payout_sending.record(payout_id, answer, at=at)


def seen(market, payout_id):
    """Payout, statements and batch as they stand: three states."""
    with tenancy.use(market.pk):
        payout = Payout.objects.select_related("batch").get(pk=payout_id)
        [state] = payout.items.values_list("statement__state", flat=True)
        return payout.state, state, payout.batch.state


def ledger(market):
    with tenancy.use(market.pk):
        return make.balances()


def received(market):
    """How often the bank was told of each transfer."""
    with tenancy.use(market.pk):
        return list(SandboxTransfer.objects.order_by("pk").values_list("received", flat=True))


def exceptions(market):
    with tenancy.use(market.pk):
        return sorted(PayoutException.objects.values_list("kind", flat=True))


def differences(market):
    with tenancy.use(market.pk):
        return [
            str(each)
            for each in verification.verify(on=FIRST)
            if each.subject == "payout" or each.field == "state"
        ]


class TestServe:
    def test_pays(self, market):
        [payout] = launched(market, "1234")
        assert ledger(market) == OWED
        serve(market, payout)
        assert seen(market, payout) == ("paid", "paid", "completed")
        assert ledger(market) == PAID
        with tenancy.use(market.pk):
            templates = Journal.objects.filter(reference__startswith="pay_").order_by("pk")
            assert list(templates.values_list("template", flat=True)) == [
                "payout_sent",
                "payout_paid",
            ]
            types = Change.objects.filter(type__startswith="payout.").order_by("pk")
            assert list(types.values_list("type", flat=True)) == [
                "payout.prepared",
                "payout.sent",
                "payout.paid",
            ]
            position = positions.of_seller(Seller.objects.get(), on=FIRST)
            assert (position.confirmed, position.paid) == (0, 96_700)
        assert differences(market) == []

    def test_pays_nobody_twice_on_a_second_call(self, market):
        [payout] = launched(market, "1234")
        for _ in range(3):
            serve(market, payout)
        assert (received(market), ledger(market)) == ([1], PAID)
        with tenancy.use(market.pk):
            again_ = PayoutAttempt(payout_id=payout, kind="send", began_at=AT)
            with pytest.raises(IntegrityError, match="sends_once"), transaction.atomic():
                again_.save()

    def test_gives_what_failed_back_once(self, market):
        [payout] = launched(market, sandbox.FAILS)
        serve(market, payout)
        assert told(market, payout, Answer(Outcome.FAILED, "0011")) == payout_sending.REPEATED
        assert seen(market, payout) == ("failed", "payable", "completed")
        assert ledger(market) == OWED
        with tenancy.use(market.pk):
            row = Payout.objects.get()
            assert (row.reason, row.said) == (payout_rules.NO_SUCH_ACCOUNT, "0011 계좌 없음")
            assert OutboxMessage.objects.filter(topic="payout.failed").count() == 1
        assert differences(market) == []

    def test_waits_for_another_account_after_a_failure(self, market):
        [payout] = launched(market, sandbox.FAILS)
        serve(market, payout)
        with tenancy.use(market.pk):
            assert payouts.prepare(on=FIRST, at=LATER) == []
            make.account(Seller.objects.get(), ending="7777", at=LATER)
            assert payouts.prepare(on=FIRST, at=LATER) == []  # it cools
        cooled = LATER + timedelta(days=3)
        [second] = again(market, at=cooled)
        serve(market, second, at=cooled)
        assert (received(market), ledger(market)) == ([1, 1], PAID)
        assert seen(market, second)[:2] == ("paid", "paid")

    def test_pays_to_a_failed_account_that_somebody_released(self, market):
        [payout] = launched(market, sandbox.FAILS)
        serve(market, payout)
        with tenancy.use(market.pk):
            row = Payout.objects.get()
            payout_sending.release_account(row, by=None, at=AT, reason="은행 장애")
            with pytest.raises(payout_sending.AccountNotFailed):
                payout_sending.release_account(row, by=None, at=AT, reason="은행 장애")
        assert len(again(market)) == 1

    def test_asks_after_a_lost_answer_and_never_sends_again(self, market):
        [payout] = launched(market, sandbox.LOSES_ITS_ANSWER)
        serve(market, payout)
        assert seen(market, payout) == ("unknown", "in_payout", "awaiting")
        assert ledger(market) == {"clearing": -96_700, "payout_in_transit": 96_700}
        assert differences(market) == []
        serve(market, payout, at=LATER)
        assert seen(market, payout) == ("paid", "paid", "completed")
        assert (received(market), ledger(market)) == ([1], PAID)

    def test_leaves_what_a_bank_does_not_know_to_people(self, market):
        [payout] = launched(market, sandbox.LOSES_THE_TRANSFER)
        for day in range(3):
            serve(market, payout, at=AT + timedelta(days=day))
        assert seen(market, payout) == ("unknown", "in_payout", "awaiting")
        assert received(market) == []
        with tenancy.use(market.pk):
            assert payouts.prepare(on=FIRST, at=LATER) == []
            row = Payout.objects.get()
            said = {"outcome": "failed", "said": "은행에 없음"}
            payout_sending.record_by_hand(row, by=None, at=LATER, **said)
            row.refresh_from_db()
            with pytest.raises(payout_sending.NotAnswered):
                payout_sending.record_by_hand(row, by=None, at=LATER, **said)
        assert seen(market, payout) == ("failed", "payable", "completed")

    def test_hears_later_of_what_was_accepted(self, market):
        [first, second] = launched(market, sandbox.DELAYS, sandbox.FAILS_LATER)
        serve(market, first)
        serve(market, second)
        assert seen(market, first) == ("sent", "in_payout", "awaiting")
        serve(market, first, at=LATER)
        serve(market, second, at=LATER)
        assert seen(market, first) == ("paid", "paid", "completed")
        assert seen(market, second) == ("failed", "payable", "completed")

    def test_asks_when_the_worker_died_after_the_bank_had_paid(self, market, monkeypatch):
        [payout] = launched(market, "1234")
        send = sandbox.Sandbox.send

        def killed(self, transfer):
            send(self, transfer)
            raise SystemExit

        monkeypatch.setattr(sandbox.Sandbox, "send", killed)
        with pytest.raises(SystemExit):
            serve(market, payout)
        assert seen(market, payout) == ("sending", "in_payout", "executing")
        with tenancy.use(market.pk):
            assert PayoutAttempt.objects.get().ended_at is None
            assert payout_sending.left_behind(at=AT) == []  # somebody may still be at it
            assert payout_sending.left_behind(at=AT + timedelta(minutes=11)) == [payout]
        serve(market, payout, at=LATER)  # with the bank that kills whoever sends
        assert seen(market, payout) == ("paid", "paid", "completed")
        assert (received(market), ledger(market)) == ([1], PAID)

    def test_asks_again_when_the_question_is_not_answered(self, market, monkeypatch):
        [payout] = launched(market, sandbox.DELAYS)
        serve(market, payout)

        def silent(self, reference):
            raise NoAnswer

        with monkeypatch.context() as patched:
            patched.setattr(sandbox.Sandbox, "ask", silent)
            serve(market, payout)
        assert seen(market, payout)[0] == "sent"
        serve(market, payout)
        assert seen(market, payout)[0] == "paid"

    @pytest.mark.parametrize("hindrance", ["account", "seller", "holder"])
    def test_looks_once_more_right_before_it_sends(self, market, hindrance):
        ending = sandbox.HAS_ANOTHER_HOLDER if hindrance == "holder" else "1234"
        [payout] = launched(market, ending)
        with tenancy.use(market.pk):
            row = Seller.objects.get()
            if hindrance == "account":
                make.account(row, ending="7777", at=AT)
            elif hindrance == "seller":
                states.move(row, Seller.State.SUSPENDED, by=None, at=AT)
        serve(market, payout)
        assert seen(market, payout) == ("stopped", "payable", "completed")
        assert (received(market), ledger(market)) == ([], OWED)
        with tenancy.use(market.pk):
            assert (
                Payout.objects.get().reason
                == {
                    "account": payout_rules.ACCOUNT_CHANGED,
                    "seller": payout_rules.SUSPENDED,
                    "holder": payout_rules.HOLDER_DIFFERS,
                }[hindrance]
            )
            assert payouts.prepare(on=FIRST, at=AT) == []

    def test_sends_nothing_of_a_batch_that_was_stopped(self, market):
        [first, second] = launched(market, "1234", "1235")
        serve(market, first)
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.get()
            payouts.stop(batch, by=None, at=AT, reason="금액 확인")
        serve(market, second)
        assert seen(market, second) == ("prepared", "in_payout", "stopped")
        with tenancy.use(market.pk):
            payouts.execute(batch, by=None, at=AT)
        serve(market, second)
        assert seen(market, second) == ("paid", "paid", "completed")
        assert received(market) == [1, 1]

    def test_ends_a_stopped_batch_that_is_given_up_with_what_was_sent(self, market):
        [first, second] = launched(market, "1234", "1235")
        serve(market, first)
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.get()
            with pytest.raises(states.IllegalMove):
                payouts.cancel(batch, by=None, at=AT, reason="x")
            payouts.stop(batch, by=None, at=AT, reason="x")
            payouts.cancel(batch, by=None, at=AT, reason="x")
        assert seen(market, first) == ("paid", "paid", "completed")
        assert seen(market, second) == ("stopped", "payable", "completed")
        assert differences(market) == []


class TestRecord:
    def test_takes_paid_after_failed_out_of_what_is_to_be_paid(self, market):
        [payout] = launched(market, sandbox.TAKES_ITS_WORD_BACK)
        serve(market, payout)
        assert seen(market, payout)[:2] == ("failed", "payable")
        with tenancy.use(market.pk):
            assert payout_sending.left_behind(at=AT + timedelta(hours=7)) == [payout]
        serve(market, payout, at=LATER)
        assert seen(market, payout)[:2] == ("paid", "paid")
        assert ledger(market) == PAID
        assert exceptions(market) == ["paid_after_failed"]
        with tenancy.use(market.pk):
            assert payouts.prepare(on=FIRST, at=LATER) == []
        assert differences(market) == []

    def test_gives_up_the_payout_that_was_to_replace_a_failed_one(self, market):
        [first] = launched(market, sandbox.FAILS)
        serve(market, first)
        with tenancy.use(market.pk):
            payout_sending.release_account(Payout.objects.get(), by=None, at=AT, reason="x")
        [second] = again(market)
        assert told(market, first, Answer(Outcome.PAID)) == "paid_after_failed"
        serve(market, second)
        assert seen(market, first)[:2] == ("paid", "paid")
        assert seen(market, second) == ("stopped", "paid", "completed")
        assert (received(market), ledger(market)) == ([1], PAID)
        assert differences(market) == []

    def test_puts_money_that_went_twice_on_suspense(self, market):
        [first] = launched(market, sandbox.FAILS)
        serve(market, first)
        with tenancy.use(market.pk):
            row = Payout.objects.get()
            make.account(row.seller, ending="7777", at=AT)
        [second] = again(market, at=AT + timedelta(days=3))
        serve(market, second, at=AT + timedelta(days=3))
        assert told(market, first, Answer(Outcome.PAID), at=AT + timedelta(days=3)) == "paid_twice"
        assert ledger(market) == {"clearing": -96_700, "suspense": -96_700, "bank": 193_400}
        assert exceptions(market) == ["paid_twice"]
        assert differences(market) == []

    @pytest.mark.parametrize("amount", [9_670_000, 967, 96_701])
    def test_believes_no_other_amount(self, market, amount):
        [payout] = launched(market, sandbox.DELAYS)
        serve(market, payout)
        answer = Answer(Outcome.PAID, amount=amount)
        for _ in range(2):
            assert told(market, payout, answer) == "amount_differs"
        assert seen(market, payout)[0] == "sent"
        with tenancy.use(market.pk):
            raised = PayoutException.objects.get()
            assert (raised.expected, raised.found) == (96_700, amount)

    def test_raises_what_contradicts_to_people(self, market):
        [first, second] = launched(market, "1234", "1235")
        serve(market, first)
        assert told(market, first, Answer(Outcome.FAILED, "0021")) == "failed_after_paid"
        assert told(market, second, Answer(Outcome.PAID)) == "not_sent"
        assert seen(market, first)[0] == "paid"
        assert seen(market, second)[0] == "prepared"
        assert exceptions(market) == ["failed_after_paid", "not_sent"]

    def test_owes_again_what_came_back(self, market):
        [payout] = launched(market, "1234")
        serve(market, payout)
        with tenancy.use(market.pk):
            row = Payout.objects.get()
            payout_sending.record_by_hand(row, by=None, at=AT, outcome="returned", said="반환")
        assert seen(market, payout)[:2] == ("returned", "payable")
        assert ledger(market) == OWED
        assert differences(market) == []
        with tenancy.use(market.pk):
            assert payouts.prepare(on=FIRST, at=AT) == []  # until the account is changed
            assert positions.of_seller(Seller.objects.get(), on=FIRST).paid == 0


class TestLeftBehind:
    def test_finds_what_a_broker_lost(self, market):
        payout_ids = launched(market, "1234", "1235")
        with tenancy.use(market.pk):
            assert payout_sending.left_behind(at=AT) == payout_ids
        tasks.take_up_payouts()
        assert {seen(market, payout)[0] for payout in payout_ids} == {"paid"}

    def test_executes_what_is_scheduled(self, market):
        with tenancy.use(market.pk):
            row = make.seller()
            make.account(row)
            make.payable(row)
            [batch] = payouts.prepare(on=FIRST, at=AT)
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
            payouts.schedule(batch, by=None, at=AT, scheduled_at=LATER)
        tasks.take_up_payouts()
        with tenancy.use(market.pk):
            batch.refresh_from_db()
            assert batch.state in ("scheduled", "completed")  # by the clock of the machine


class TestSentinel:
    def test_finds_a_payout_without_result(self, market):
        [payout] = launched(market, sandbox.DELAYS)
        serve(market, payout)
        with tenancy.use(market.pk):
            due_on = Payout.objects.get().result_due_on
            assert due_on == FIRST + timedelta(days=1)
            assert sentinels.watch(FIRST, at=AT)[sentinels.UNANSWERED] == 0
            assert sentinels.watch(due_on, at=AT)[sentinels.UNANSWERED] == 1
            assert sentinels.watch(due_on, at=AT)[sentinels.UNPAID] == 0


class TestNights:
    def test_pay_what_they_have_settled(self, market):
        """From a sale to the money, and a refund after it: the debt is carried, not lost."""
        with tenancy.use(market.pk):
            row = make.seller()
            make.account(row)
            line = make.sold(row, unit_price=100_000, category="gold")
        nights.close_day(market.pk, FIRST + timedelta(days=10), at=AT)
        with tenancy.use(market.pk):
            batch = PayoutBatch.objects.get()
            assert (batch.state, batch.amount) == ("prepared", 96_700)
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
            payouts.execute(batch, by=None, at=AT)
            [payout] = Payout.objects.values_list("pk", flat=True)
        serve(market, payout)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=FIRST + timedelta(days=13))
        nights.close_day(market.pk, FIRST + timedelta(days=17), at=AT)
        with tenancy.use(market.pk):
            position = positions.of_seller(row, on=FIRST + timedelta(days=17))
            assert (position.paid, position.debt, position.confirmed) == (96_700, 96_700, 0)
            assert make.balances()["seller_payable"] == -96_700
            assert list(verification.verify(on=FIRST + timedelta(days=17))) == []
            assert sentinels.watch(FIRST + timedelta(days=10), at=AT)[sentinels.UNPAID] == 0


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_send_one_transfer(self, market):
        [payout] = launched(market, "1234")
        together = threading.Barrier(2)

        def work():
            together.wait()
            serve(market, payout)

        with floor.another_connection(work):
            together.wait()
            serve(market, payout)
        serve(market, payout, at=LATER)
        assert (received(market), ledger(market)) == ([1], PAID)

    def test_execute_one_batch(self, market):
        with tenancy.use(market.pk):
            batches = []
            for code in "AB":
                row = make.seller(code)
                make.account(row)
                make.payable(row)
                [batch] = payouts.prepare(on=FIRST, at=AT)
                states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
                batches.append(batch)
        together, refused = threading.Barrier(2), []

        def execute(batch):
            together.wait()
            try:
                with tenancy.use(market.pk):
                    payouts.execute(batch, by=None, at=AT)
            except payouts.BatchBusy as busy:
                refused.append(busy.code)

        with floor.another_connection(lambda: execute(batches[0])):
            execute(batches[1])
        assert refused == ["payout_batch_busy"]
        with tenancy.use(market.pk):
            assert PayoutBatch.objects.filter(state="executing").count() == 1

    def test_prepare_a_statement_once(self, market):
        with tenancy.use(market.pk):
            row = make.seller()
            make.account(row)
            make.payable(row)
        together, made = threading.Barrier(2), []

        def prepare():
            together.wait()
            with tenancy.use(market.pk):
                made.extend(payouts.prepare(on=FIRST, at=AT))

        with floor.another_connection(prepare):
            prepare()
        with tenancy.use(market.pk):
            assert (len(made), PayoutItem.objects.count()) == (1, 1)
            assert Statement.objects.get().state == Statement.State.IN_PAYOUT
