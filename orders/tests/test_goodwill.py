"""Goodwill: who bears it, who approves, and what it does to the order."""

import pytest
from django.urls import reverse

from marketplace import approvals, reasons, tenancy
from marketplace.models import Approval, AuditEntry
from marketplace.tests import desks
from orders import claims, goodwill, reductions, refunds, verdicts
from orders.models import Outcome, OutcomeToSettle
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
