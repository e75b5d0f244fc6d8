"""Goodwill: who bears it, who approves, and what it does to the order."""

import threading

import pytest
from django.db import connections, transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import approvals, reasons, tenancy, versions
from marketplace.models import Approval, AuditEntry
from marketplace.tests import desks
from orders import claims, goodwill, reductions, refunds, verdicts
from orders.models import ConfirmationPolicy, Outcome, OutcomeToSettle
from orders.remainders import ReductionExceedsPaid
from orders.tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(market):
    [line] = make.delivered(make.line(quantity=3))
    make.told(make.event("confirmed", 3))
    line.refresh_from_db()
    return line


@pytest.fixture
def clerk(line):
    return make.user("clerk@example.org")


def ask(line, by, amount=1_000, *, reason="늦은 배송", at=None):
    said = {"line": at or line.number, "amount": amount, "funder": "seller", "reason": reason}
    return goodwill.ask(line.order, **said, by=by, at=make.day(12))


class TestGoodwill:
    @pytest.mark.parametrize("funder", ["seller", "platform"])
    def test_is_granted_by_a_second_person_at_the_cost_of_one(self, line, clerk, funder):
        claim = claims.request(
            line, type="return", quantity=1, fault="seller", by=None, at=make.day(5)
        )
        chief = make.user("chief@example.org")
        told = {"amount": 1_000, "funder": funder, "reason": "흠집"}
        asked = goodwill.ask_for_claim(claim, **told, by=clerk, at=make.day(12))
        assert (asked.state, Outcome.objects.count()) == ("asked", 1)
        with pytest.raises(approvals.SamePerson):
            approvals.approve(asked, by=clerk, at=make.day(12))
        approvals.approve(asked, by=chief, at=make.day(13))
        [granted] = goodwill.of_line(line)
        assert (granted.on, granted.funder, granted.amount) == (make.on(13), funder, 1_000)
        outcome = Outcome.objects.get(sequence=1)
        assert (outcome.cause, outcome.quantity) == ("goodwill", 3)
        assert getattr(outcome, f"{funder}_discount") == 1_000
        assert outcome.seller_discount + outcome.platform_discount == 1_000
        assert OutcomeToSettle.objects.filter(outcome=outcome).exists()
        assert refunds.due([line.order_id]) == {line.order_id: 1_000}
        [entry] = AuditEntry.objects.filter(action="orderline.price_reduced")
        assert (entry.actor, entry.reason) == (chief, "흠집")
        assert entry.data == {"amount": 1_000, "funder": funder, "claim": claim.public_id}

    def test_is_no_more_than_the_buyer_paid_for_what_is_kept(self, line, clerk):
        make.told(make.event("cancelled", 4, 1, quantity=2))
        with pytest.raises(ReductionExceedsPaid) as refused:
            ask(line, clerk, 10_001)
        assert refused.value.params["field"] == "amount"
        asked = ask(line, clerk, 10_000)
        make.told(make.event("cancelled", 5, 1, quantity=1))
        with pytest.raises(goodwill.NothingToReduce):
            approvals.approve(asked, by=make.user("chief@example.org"), at=make.day(13))
        asked.refresh_from_db()
        assert (asked.state, goodwill.of_line(line)) == ("asked", [])

    def test_needs_a_confirmed_line_a_reason_and_an_amount(self, line, clerk):
        [other] = make.delivered(number="B-1")
        with pytest.raises(goodwill.NothingToReduce) as refused:
            ask(other, clerk)
        assert refused.value.params["field"] == "line"
        with pytest.raises(goodwill.NothingToReduce):
            ask(line, clerk, at=77)
        with pytest.raises(reasons.ReasonMissing):
            ask(line, clerk, reason=" ")
        with pytest.raises(verdicts.NotBetween):
            ask(line, clerk, 0)
        assert not Approval.objects.exists()

    def test_tells_other_reductions_apart(self, line):
        reductions.reduce_price(line, 500, "seller", by=None, at=make.day(12))
        assert goodwill.of_line(line) == []


class TestAlone:
    """Policy lets one person grant 1,500 of an order."""

    @pytest.fixture(autouse=True)
    def limit(self, line):
        draft = versions.draft(
            ConfirmationPolicy,
            valid_from=make.on(12),
            by=None,
            confirm_after_days=8,
            goodwill_alone=1_500,
        )
        versions.publish(draft, by=None, at=make.MONDAY)

    def test_is_granted_at_once_with_a_reason_that_stays(self, line, clerk):
        asked = ask(line, clerk, 1_500)
        assert (asked.state, asked.asked_by, asked.decided_by) == ("alone", clerk, clerk)
        [granted] = goodwill.of_order(line.order)
        assert (granted.line, granted.on, granted.amount) == (line.number, make.on(12), 1_500)
        entry = AuditEntry.objects.get(action="orderline.price_reduced")
        assert (entry.actor, entry.reason) == (clerk, "늦은 배송")
        assert AuditEntry.objects.get(action="approval.alone").actor == clerk
        with pytest.raises(reasons.ReasonMissing):
            ask(line, clerk, 1, reason=" ")

    def test_waits_for_a_second_person_above_it(self, line, clerk):
        asked = ask(line, clerk, 1_501)
        assert (asked.state, goodwill.of_order(line.order)) == ("asked", [])
        with pytest.raises(approvals.SamePerson):
            approvals.approve(asked, by=clerk, at=make.day(12))

    def test_counts_all_goodwill_of_the_order(self, line, clerk):
        """1,000 and 500 are granted; 1 more waits, and of another order nothing is used up."""
        assert [ask(line, clerk, amount).state for amount in (1_000, 500)] == ["alone", "alone"]
        assert goodwill.left_to_grant_alone(line.order, at=make.day(12)) == 0
        assert ask(line, clerk, 1).state == "asked"
        [other] = make.delivered(number="B-1")
        assert goodwill.left_to_grant_alone(other.order, at=make.day(12)) == 1_500
        assert goodwill.left_to_grant_alone(other.order, at=make.day(11)) == 0

    @given(amounts=st.lists(st.integers(1, 2_000), max_size=6))
    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],  # rolled back each time
    )
    def test_never_grants_more_than_it_says(self, line, clerk, amounts):
        with transaction.atomic():
            for amount in amounts:
                if ask(line, clerk, amount).state == "asked":
                    break
            assert sum(each.amount for each in goodwill.of_order(line.order)) <= 1_500
            transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    def test_two_at_once_grant_no_more_than_one_person_may(self, transactional_db):
        market = make.marketplace()
        clerk = make.user("clerk@example.org")
        with tenancy.use(market.pk):
            make.calendar()
            make.policy(goodwill_alone=1_000)
            make.seller()
            [line] = make.delivered()
            make.told(make.event("confirmed", 3))
        found = []

        def elsewhere():
            try:
                with tenancy.use(market.pk):
                    found.append(ask(line, clerk, 700).state)
            finally:
                connections.close_all()

        with tenancy.use(market.pk):
            assert ask(line, clerk, 700).state == "alone"
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join(timeout=0.5)
            assert thread.is_alive()
        thread.join(timeout=10)
        assert found == ["asked"]
        with tenancy.use(market.pk):
            assert [each.amount for each in goodwill.of_order(line.order)] == [700]


class TestStrangers:
    def test_of_another_marketplace_grant_nothing(self):
        market, other = make.marketplace("ours"), make.marketplace("theirs")
        stranger = desks.operator(other)[0]
        with tenancy.use(market.pk):
            make.calendar()
            make.policy()
            make.seller()
            [line] = make.delivered()
            make.told(make.event("confirmed", 3))
        at = reverse("admin:orders_order_decide", args=[line.order_id, "goodwill"])
        said = {"line": 1, "amount": "1", "funder": "seller", "reason": "x"}
        assert stranger.get(at).status_code == 404
        assert stranger.post(at, said).status_code == 404
        with tenancy.use(market.pk):
            assert not Approval.objects.exists()
            assert goodwill.of_line(line) == []
        owner = desks.operator(market)[0]
        assert owner.post(at, {**said, "line": 2}).status_code == 422
        assert owner.post(at, said).status_code == 302
        with tenancy.use(market.pk):
            assert Approval.objects.get().data["amount"] == 1
