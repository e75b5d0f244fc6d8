"""Who bears return shipping, by what law and trade say, and what it does to order and outcomes."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.models import AuditEntry
from orders import claims, intake, outcomes, refunds, return_shipping, returning, verdicts
from orders.models import Claim, OrderLine, Outcome, OutcomeToSettle, Payment
from orders.return_shipping import BUYER, CARRIER, PLATFORM, SELLER, Terms
from orders.tests import make
from orders.verdicts import LARGEST_NUMBER

FAULTS = (BUYER, SELLER, CARRIER, PLATFORM)
WAYS = ("", *return_shipping.PAID_BY_BUYER, return_shipping.CHARGED)
terms_drawn = st.builds(
    Terms,
    return_cost=st.integers(0, return_shipping.LARGEST),
    outbound_cost=st.integers(0, return_shipping.LARGEST),
    paid=st.sampled_from(WAYS),
    is_advanced=st.booleans(),
)


class TestRules:
    @pytest.mark.parametrize(
        ("reason", "fault", "borne_by"),
        [
            ("change_of_mind", "buyer", "buyer"),
            ("defective", "seller", "seller"),
            (" Wrong_Item ", "seller", "seller"),
            ("stop_ignored", "seller", "seller"),
            ("damaged", "carrier", "seller"),
        ],
    )
    def test_fault_follows_from_the_reason_and_bearer_from_the_fault(self, reason, fault, borne_by):
        assert return_shipping.fault(reason, None) == fault
        assert return_shipping.bearer(fault) == borne_by
        assert return_shipping.fault(reason, "platform") == "platform"

    def test_asks_who_is_at_fault_where_words_alone_tell_nothing(self):
        with pytest.raises(return_shipping.FaultMissing) as refused:
            return_shipping.fault("색이 달라요", None)
        assert refused.value.params["field"] == "fault"

    @pytest.mark.parametrize(
        ("terms", "fault", "effect"),
        [
            (Terms(3_000, 2_500, "deducted"), BUYER, (BUYER, 5_500, 0, 5_500, 0, False)),
            (Terms(3_000, 0, "direct"), BUYER, (BUYER, 0, 3_000, 3_000, 0, False)),
            (Terms(3_000, 0, "enclosed"), BUYER, (BUYER, 0, 0, 0, 0, False)),
            (Terms(3_000, 0, "deducted", True), BUYER, (BUYER, 3_000, 0, 3_000, 3_000, False)),
            (Terms(3_000, 0, "charged"), SELLER, (SELLER, 0, 0, 0, 0, True)),
            (Terms(3_000, 0, "charged", True), CARRIER, (SELLER, 0, 0, 0, 3_000, True)),
            (Terms(3_000, 0, "charged", True), PLATFORM, (PLATFORM, 0, 0, 0, 0, True)),
        ],
    )
    def test_effect(self, terms, fault, effect):
        return_shipping.check(terms, fault)
        assert astuple(return_shipping.effect(terms, fault)) == effect

    @pytest.mark.parametrize(
        ("terms", "fault", "refusal", "field"),
        [
            (Terms(3_000), BUYER, return_shipping.PaidOtherwise, "paid"),
            (Terms(3_000, 0, "charged"), BUYER, return_shipping.PaidOtherwise, "paid"),
            (Terms(3_000, 0, "deducted"), SELLER, return_shipping.NotBorneByBuyer, "paid"),
            (Terms(3_000), CARRIER, return_shipping.NotBorneByBuyer, "paid"),
            (Terms(0, 1, "charged"), SELLER, return_shipping.OutboundNotCharged, "outbound_cost"),
            (Terms(1_000_001, 0, "deducted"), BUYER, verdicts.NotBetween, "return_cost"),
            (Terms(0, -1, "deducted"), BUYER, verdicts.NotBetween, "outbound_cost"),
        ],
    )
    def test_refuses_to_burden_who_is_not_at_fault(self, terms, fault, refusal, field):
        with pytest.raises(refusal) as refused:
            return_shipping.check(terms, fault)
        assert refused.value.params["field"] == field

    @given(terms_drawn, st.sampled_from(FAULTS))
    def test_no_money_comes_from_nowhere(self, terms, fault):
        try:
            return_shipping.check(terms, fault)
        except return_shipping.Refused:
            return
        effect = return_shipping.effect(terms, fault)
        assert effect.to_seller == effect.deducted + effect.paid_directly
        assert effect.to_seller in (0, terms.total)
        assert effect.back_to_us in (0, terms.return_cost)
        if effect.bearer != BUYER:
            assert effect.to_seller == 0
        if effect.bearer == PLATFORM:
            assert effect.back_to_us == 0
        if effect.back_to_us:
            assert terms.is_advanced


def ask(line, terms, *, fault="buyer", quantity=1, **fields):
    told = {"type": "return", "by": None, "at": make.day(5), "fault": fault, **fields}
    return claims.request(line, quantity=quantity, shipping_terms=terms, **told)


def done(line, terms, *, day=6, **fields):
    claim = ask(line, terms, **fields)
    claims.approve(claim, by=None, at=make.day(day))
    return claims.complete(claim, by=None, at=make.day(day))


def due(line):
    return refunds.due([line.order_id])[line.order_id]


@pytest.mark.django_db
@pytest.mark.usefixtures("market")
class TestClaims:
    def test_a_change_of_mind_pays_both_ways_out_of_the_refund(self):
        """20,000 come back less 3,000 for the return and 2,500 that had been free: 14,500."""
        [line] = make.delivered(make.line(unit_price=20_000, tax_kind="exempt"))
        claim = done(line, Terms(3_000, 2_500, "deducted"), fault=None, reason="change_of_mind")
        assert (claim.fault, claim.shipping_effect.bearer) == ("buyer", "buyer")
        [sold] = OrderLine.objects.filter(stream="return_shipping")
        assert claim.shipping_line == sold
        assert (sold.number, sold.list_amount, sold.quantity, sold.units_left) == (2, 5_500, 1, 1)
        assert (sold.status, sold.paid_on, sold.confirmed_on) == ("confirmed", *[make.on(6)] * 2)
        assert (sold.seller_id, sold.tax_kind, sold.title) == (line.seller_id, "exempt", "")
        [outcome] = Outcome.objects.all()
        assert (outcome.line_id, outcome.cause, outcome.kind) == (
            sold.pk,
            "return_shipping",
            "sale",
        )
        assert (outcome.rate_on, outcome.basis_on) == (make.on(6), make.on(6))
        assert OutcomeToSettle.objects.get().outcome_id == outcome.pk
        assert due(line) == 14_500

    def test_what_is_paid_directly_is_not_taken_from_the_refund(self):
        [line] = make.delivered(make.line(unit_price=20_000))
        done(line, Terms(3_000, 0, "direct"))
        paid = Payment.objects.get(kind="return_shipping")
        assert (paid.sequence, paid.amount, paid.provider_id) == (2, 3_000, "")
        assert due(line) == 20_000
        assert OrderLine.objects.get(stream="return_shipping").list_amount == 3_000

    @pytest.mark.parametrize(
        ("terms", "fault"),
        [(Terms(3_000, 0, "enclosed"), "buyer"), (Terms(3_000, 0, "charged"), "seller")],
    )
    def test_what_does_not_pass_through_us_makes_no_line(self, terms, fault):
        [line] = make.delivered(make.line(unit_price=20_000))
        claim = done(line, terms, fault=fault)
        assert claim.shipping_line is None
        assert OrderLine.objects.count() == 1
        assert not Outcome.objects.exists()
        assert due(line) == 20_000

    @pytest.mark.parametrize("is_confirmed", [False, True])
    def test_a_seller_at_fault_gives_shipping_back_with_the_last_unit(self, is_confirmed):
        """Two units and 3,000 of shipping: one unit back is 10,000, the other is 13,000."""
        line, shipping = make.delivered(make.line(quantity=2), make.shipping(2))
        if is_confirmed:
            make.told(make.event("confirmed", 3))
        done(line, Terms(2_500, 0, "charged"), fault="seller")
        assert due(line) == 10_000
        done(line, Terms(2_500, 0, "charged"), fault="seller", day=7)
        shipping.refresh_from_db()
        assert (shipping.units_left, shipping.status) == (0, "cancelled")
        assert due(line) == 23_000
        backs = Outcome.objects.filter(line=shipping, kind="reversal")
        assert [back.cause for back in backs] == ["shipping_given_back"] * is_confirmed
        assert OrderLine.objects.filter(stream="return_shipping").count() == 0

    def test_a_buyer_at_fault_gets_no_shipping_back(self):
        line, shipping = make.delivered(make.line(), make.shipping(2))
        done(line, Terms(2_500, 0, "deducted"))
        shipping.refresh_from_db()
        assert (shipping.units_left, shipping.status) == (1, "confirmed")
        assert due(line) == 7_500

    @pytest.mark.parametrize(
        ("terms", "refusal", "field"),
        [
            (Terms(9_000, 1_001, "deducted"), returning.MoreThanRefund, "return_cost"),
            (Terms(3_000), return_shipping.PaidOtherwise, "paid"),
        ],
    )
    def test_refuses_what_the_claim_cannot_bear(self, terms, refusal, field):
        [line] = make.delivered(make.line(quantity=3))
        with pytest.raises(refusal) as refused:
            ask(line, terms)
        assert refused.value.params["field"] == field
        assert not Claim.objects.exists()
        assert ask(line, Terms(9_000, 1_000, "deducted")).state == "requested"

    def test_charges_no_outbound_shipping_where_the_buyer_has_paid_it(self):
        line, _ = make.delivered(make.line(), make.shipping(2))
        with pytest.raises(returning.OutboundWasPaid) as refused:
            ask(line, Terms(3_000, 2_500, "deducted"))
        assert refused.value.params["paid"] == "3,000"

    def test_knows_no_return_of_what_was_never_sent(self):
        [line] = make.accepted()
        make.told(make.event("paid", 0))
        with pytest.raises(returning.NothingSent):
            ask(line, Terms(3_000, 0, "deducted"), type="cancel")

    def test_a_stop_request_that_was_ignored_is_the_sellers(self):
        [line] = make.delivered(make.line())
        terms = Terms(3_000, 0, "charged", is_advanced=True)
        claim = done(line, terms, type="cancel", fault=None, reason="stop_ignored")
        assert (claim.fault, claim.shipping_effect.back_to_us) == ("seller", 3_000)

    def test_whoever_decides_overrules_with_a_reason(self):
        [line] = make.delivered(make.line())
        claim = ask(line, Terms(3_000, 0, "deducted"), fault=None, reason="change_of_mind")
        found = {"fault": "seller", "paid": "charged"}
        with pytest.raises(claims.OverruledWithoutReason):
            claims.approve(claim, by=None, at=make.day(6), **found)
        with pytest.raises(return_shipping.NotBorneByBuyer):
            claims.approve(claim, by=None, at=make.day(6), fault="seller", reason="사진")
        claim = claims.approve(claim, by=None, at=make.day(6), reason="사진에 흠집", **found)
        assert (claim.fault, claim.shipping_paid, claim.return_cost) == ("seller", "charged", 3_000)
        [entry] = AuditEntry.objects.filter(action="claim.corrected")
        assert entry.reason == "사진에 흠집"
        assert entry.data == {
            "fault": {"from": "buyer", "to": "seller"},
            "shipping_paid": {"from": "deducted", "to": "charged"},
        }

    def test_stays_when_the_whole_order_is_told_of_again(self):
        """The shop repeats its order and cancels what is left of it: neither knows the charge."""
        order = make.order("A-1", [make.line(unit_price=20_000, quantity=2)])
        [line] = make.accepted(order)
        make.told(*[make.event(kind, n) for n, kind in enumerate(("paid", "shipped", "delivered"))])
        line.refresh_from_db()
        done(line, Terms(3_000, 0, "direct"))
        [verdict] = intake.accept_many([order], at=make.NIGHT)
        assert verdict.result == "repeated"
        make.told(make.event("cancelled", 8))
        line.refresh_from_db()
        assert line.units_left == 0
        assert OrderLine.objects.get(stream="return_shipping").units_left == 1
        assert due(line) == 40_000

    def test_is_given_back_by_what_names_its_line(self):
        [line] = make.delivered(make.line(unit_price=20_000))
        claim = done(line, Terms(3_000, 0, "deducted"))
        make.told(make.event("cancelled", 8, claim.shipping_line.number))
        assert due(line) == 20_000
        assert outcomes.after_taking_back(claim.shipping_line_id, 0)[1].list_amount == 0

    @pytest.mark.parametrize(
        ("number", "free"),
        [(7, 8), (LARGEST_NUMBER - 1, LARGEST_NUMBER), (LARGEST_NUMBER, 1)],
    )
    def test_has_a_number_of_its_own(self, number, free):
        [line] = make.delivered(make.line(number))
        claim = done(line, Terms(3_000, 0, "deducted"))
        assert claim.shipping_line.number == free

    @pytest.mark.parametrize("said", ["line", "payment"])
    def test_is_no_word_for_orders(self, said):
        if said == "line":
            order = make.order("A-1", [make.line(stream="return_shipping")])
        else:
            order = make.order("A-1", payments=(make.NewPayment(1, "return_shipping", 10_000),))
        [verdict] = intake.accept_many([order], at=make.NIGHT)
        assert (verdict.result, verdict.code) == ("refused", "of_claims")
