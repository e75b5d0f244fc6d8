"""Batches of payouts: what goes in, who lets them go, and that one goes at a time."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from marketplace import approvals, sealing, states, tenancy, versions
from marketplace.models import AuditEntry, Change, Marketplace, OutboxMessage
from marketplace.tests import make as floor
from sellers.models import Seller
from settlements import nights, payout_candidates, payout_rules, payouts, sentinels
from settlements.models import (
    Payout,
    PayoutBatch,
    PayoutItem,
    PayoutPolicy,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

FIRST = make.FIRST_OPEN_ON
AT = make.AT
LATER = AT + timedelta(days=4)


@pytest.fixture
def market():
    market = make.market()
    with tenancy.use(market.pk):
        yield market


@pytest.fixture
def people(market):
    return [floor.user(f"{who}@example.org") for who in ("asker", "decider")]


def seller(code="A", amount=96_700, *, ending="1234"):
    row = make.seller(code)
    make.account(row, ending=ending)
    if amount:
        make.payable(row, amount)
    return row


def limited(**limits):
    """Publish limits from the day after the first on."""
    draft = versions.draft(PayoutPolicy, valid_from=FIRST + timedelta(days=1), by=None, **limits)
    return versions.publish(draft, by=None, at=AT)


def prepared(on=FIRST):
    [batch] = payouts.prepare(on=on, at=AT)
    return batch


def approved(people, on=FIRST):
    batch = prepared(on)
    asker, decider = people
    approval = payouts.ask_for_approval(batch, by=asker, at=AT, reason="정기 지급")
    approvals.approve(approval, by=decider, at=AT)
    batch.refresh_from_db()
    return batch


def reasons(on=FIRST, at=AT):
    found = payout_candidates.find(on=on, at=at, policy=payout_candidates.policy_on(on))
    return {each.statement.seller.code: each.reason for each in found.waiting}


class TestPrepare:
    def test_freezes_the_statements_and_the_account_of_each_seller(self, market):
        own = seller("A", 96_700)
        make.payable(own, 3_300, due_on=FIRST - timedelta(days=1))
        seller("B", 1_000)
        make.payable(own, 50_000, due_on=FIRST + timedelta(days=1))  # not due yet
        batch = prepared()
        assert (batch.state, batch.payouts, batch.amount) == ("prepared", 2, 101_000)
        payout = Payout.objects.get(seller=own)
        assert (payout.amount, payout.bank, payout.holder) == (100_000, "088", "김상인")
        assert sealing.reveal(payout, "number") == "110123451234"
        assert sorted(payout.items.values_list("amount", flat=True)) == [3_300, 96_700]
        in_payout = Statement.objects.filter(state=Statement.State.IN_PAYOUT)
        assert in_payout.count() == 3
        told = Change.objects.filter(type="payout.prepared").values_list("seller", flat=True)
        assert sorted(told) == sorted([own.pk, Seller.objects.get(code="B").pk])

    def test_finds_nothing_the_second_time(self, market):
        seller()
        prepared()
        assert payouts.prepare(on=FIRST, at=AT) == []
        with pytest.raises(payouts.NothingToPay):
            payouts.prepare_by_hand(on=FIRST, at=AT, by=None)

    def test_leaves_out_who_cannot_be_paid_and_says_why(self, market):
        make.payable(make.seller("none"))
        make.account(moved := make.seller("moved"))
        make.account(moved, ending="9999")
        make.payable(moved)
        states.move(seller("bad"), Seller.State.SUSPENDED, by=None, at=AT)
        assert payouts.prepare(on=FIRST, at=AT) == []
        assert reasons() == {
            "none": payout_rules.NO_ACCOUNT,
            "moved": payout_rules.COOLING,
            "bad": payout_rules.SUSPENDED,
        }
        assert reasons(at=LATER)["none"] == payout_rules.NO_ACCOUNT
        assert "moved" not in reasons(at=LATER)
        assert sentinels.unpaid(FIRST, at=AT) == []
        assert len(sentinels.unpaid(FIRST, at=LATER)) == 1

    def test_makes_no_payout_of_nothing(self, market):
        own = seller(amount=0)
        for amount, day in ((0, 1), (-500, 2)):
            Statement.objects.create(
                seller=own,
                due_on=FIRST - timedelta(days=day),
                closed_on=FIRST,
                state=Statement.State.CLOSED,
                net=amount,
                payable=amount,
                carry_out=amount,
            )
        assert payouts.prepare(on=FIRST, at=AT) == []

    def test_keeps_to_the_limits_of_payouts_and_batches(self, market):
        limited(payout_limit=100, batch_limit=150)
        for code, amounts in {"A": (60, 60), "B": (90, 101), "C": (100,)}.items():
            own = seller(code, amount=0)
            for number, amount in enumerate(amounts):
                make.payable(own, amount, due_on=FIRST + timedelta(days=number - 1))
        on = FIRST + timedelta(days=1)
        batches = payouts.prepare(on=on, at=AT)
        assert sorted(Payout.objects.values_list("amount", flat=True)) == [60, 60, 90, 100]
        assert all(batch.amount <= 150 for batch in batches)
        assert reasons(on) == {"B": payout_rules.OVER_PAYOUT_LIMIT}
        assert sentinels.unpaid(on, at=AT) == []

    def test_waits_for_a_policy(self, market):
        own = seller()
        day = FIRST - timedelta(days=400)  # before the first version of any rule
        Statement.objects.update(due_on=day)
        assert payouts.prepare(on=day, at=AT) == []
        assert reasons(day) == {own.code: payout_rules.NO_POLICY}

    def test_is_a_step_of_the_night(self, market):
        seller("A", 96_700)
        counts = nights.rehearse(market.pk, FIRST, at=AT, only="payouts")["payouts"]
        assert counts == {"payouts": 1, "amount": 96_700}

    def test_lets_no_two_payouts_have_one_statement(self, market):
        seller()
        batch = prepared()
        item = PayoutItem.objects.get()
        other = Payout.objects.get(pk=item.payout_id)
        other.pk, other.public_id = None, "pay_" + "0" * 26
        other.save()
        with pytest.raises(IntegrityError, match="paid_once"), transaction.atomic():
            PayoutItem.objects.create(payout=other, statement_id=item.statement_id, amount=1)
        assert batch.rows.count() == 2


class TestApprove:
    def test_takes_two_people(self, market, people):
        seller()
        batch = prepared()
        approval = payouts.ask_for_approval(batch, by=people[0], at=AT, reason="정기 지급")
        with pytest.raises(approvals.SamePerson):
            approvals.approve(approval, by=people[0], at=AT)
        with pytest.raises(states.IllegalMove):
            payouts.execute(batch, by=people[0], at=AT)
        approvals.approve(approval, by=people[1], at=AT)
        batch.refresh_from_db()
        assert batch.state == PayoutBatch.State.APPROVED
        with pytest.raises(states.IllegalMove):
            payouts.ask_for_approval(batch, by=people[0], at=AT, reason="다시")

    def test_approves_only_what_was_asked_for(self, market, people):
        seller()
        batch = prepared()
        approval = payouts.ask_for_approval(batch, by=people[0], at=AT, reason="정기 지급")
        Payout.objects.update(amount=1)
        with pytest.raises(payouts.BatchChanged):
            approvals.approve(approval, by=people[1], at=AT)


class TestSchedule:
    def test_waits_for_its_moment(self, market, people):
        seller()
        batch = approved(people)
        with pytest.raises(payouts.NotInTheFuture):
            payouts.schedule(batch, by=people[0], at=AT, scheduled_at=AT)
        payouts.schedule(batch, by=people[0], at=AT, scheduled_at=LATER)
        assert not PayoutBatch.objects.scheduled_by(LATER - timedelta(seconds=1)).exists()
        assert PayoutBatch.objects.scheduled_by(LATER).get() == batch
        batch.refresh_from_db()
        payouts.unschedule(batch, by=people[0], at=AT)
        assert not PayoutBatch.objects.scheduled_by(LATER).exists()


class TestExecute:
    def test_announces_the_batch_to_workers(self, market, people):
        seller()
        batch = approved(people)
        payouts.execute(batch, by=people[0], at=AT)
        batch.refresh_from_db()
        assert (batch.state, batch.executed_on) == ("executing", FIRST)
        message = OutboxMessage.objects.get(topic=payouts.TOPIC)
        assert message.payload == {"batch_id": batch.pk}
        with pytest.raises(states.IllegalMove):
            payouts.execute(batch, by=people[0], at=AT)

    def test_executes_one_batch_at_a_time(self, market, people):
        seller("A")
        first = approved(people)
        seller("B")
        second = approved(people)
        payouts.execute(first, by=people[0], at=AT)
        with pytest.raises(payouts.BatchBusy, match=first.public_id):
            payouts.execute(second, by=people[0], at=AT)
        with pytest.raises(IntegrityError, match="executes_alone"), transaction.atomic():
            PayoutBatch.objects.filter(pk=second.pk).update(state="executing")

    def test_keeps_to_the_limit_of_a_day(self, market, people):
        limited(day_limit=100)
        on = FIRST + timedelta(days=1)
        seller("A", 60)
        first = approved(people, on)
        seller("B", 41)
        second = approved(people, on)
        payouts.execute(first, by=None, at=AT)
        payouts.stop(first, by=None, at=AT, reason="확인")
        with pytest.raises(payouts.OverDayLimit):
            payouts.execute(second, by=None, at=AT)
        payouts.execute(second, by=None, at=AT + timedelta(days=1))

    def test_pretends_nothing_to_sellers_of_a_live_marketplace(self, market, people):
        seller()
        batch = approved(people)
        Marketplace.objects.filter(pk=market.pk).update(state=Marketplace.State.LIVE)
        with pytest.raises(payouts.SandboxOnly):
            payouts.execute(batch, by=people[0], at=AT)


class TestCancel:
    def test_gives_the_statements_back(self, market, people):
        seller()
        batch = prepared()
        approval = payouts.ask_for_approval(batch, by=people[0], at=AT, reason="정기 지급")
        payouts.cancel(batch, by=people[1], at=AT, reason="잘못 준비")
        batch.refresh_from_db()
        approval.refresh_from_db()
        assert (batch.state, approval.state) == ("cancelled", "withdrawn")
        assert Payout.objects.get().reason == payout_rules.CANCELLED
        assert Statement.objects.get().state == Statement.State.PAYABLE
        assert prepared().payouts == 1
        assert AuditEntry.objects.filter(action="payoutbatch.cancelled").count() == 1


class TestMoves:
    @pytest.mark.parametrize("model", [Payout, PayoutBatch, Statement])
    def test_lead_only_where_their_tables_say(self, market, model):
        for old, allowed in model.MOVES.items():
            for new in model.State:
                row = model(pk=1, state=old)
                if new not in allowed:
                    with pytest.raises(states.IllegalMove):
                        states.move(row, new, by=None, at=AT)


def test_dates_are_the_marketplaces_own(market, people):
    seller()
    batch = approved(people)
    payouts.execute(batch, by=None, at=AT.replace(hour=16))  # past midnight in Seoul
    batch.refresh_from_db()
    assert batch.executed_on == date(2026, 9, 2)
