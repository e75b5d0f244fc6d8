"""Exchanges from request to arrival: what they do to clocks and money, and what they leave."""

import threading

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace import reasons, states, tenancy
from marketplace.models import AuditEntry, Change
from orders import (
    arbitrating,
    claim_deadlines,
    claims,
    confirming,
    exchanging,
    refunds,
    return_shipping,
    shipping,
)
from orders.models import Claim, OrderLine, Outcome, Payment
from orders.return_shipping import Terms
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]
State, Status = Claim.State, OrderLine.Status
NUMBER, OTHER = "689123456784", "689123456795"


def ask(line, quantity=1, *, day=5, **fields):
    fields = {"fault": "seller", "by": None, **fields}
    return claims.request(line, type="exchange", quantity=quantity, at=make.day(day), **fields)


def sent(claim, *, day=8, number=NUMBER):
    return exchanging.resend(claim, carrier="cj", tracking_number=number, by=None, at=make.day(day))


def walked(line, to, quantity=1, **fields):
    """An exchange that has walked to a state: asked on day 5, collected on 7, sent on 8."""
    claim = ask(line, quantity, **fields)
    if to == State.WITHDRAWN:
        return claims.withdraw(claim, by=None, at=make.day(6))
    if to == State.REJECTED:
        return claims.reject(claim, by=None, at=make.day(6))
    if to != State.REQUESTED:
        claim = claims.approve(claim, by=None, at=make.day(6))
    if to in (State.COLLECTED, State.REDELIVERING, State.COMPLETED):
        claim = exchanging.collect(claim, by=None, at=make.day(7))
    if to in (State.REDELIVERING, State.COMPLETED):
        claim = sent(claim)
    if to == State.COMPLETED:
        claim = claims.complete(claim, by=None, at=make.day(10))
    if to == State.ARBITRATION:
        words = {"side": "seller", "reason": "not mine", "by": None}
        claim = arbitrating.begin(claim, at=make.day(7), **words)
    assert claim.state == to
    return claim


class TestMoves:
    LEGAL = {
        State.REQUESTED: {
            State.APPROVED,
            State.REJECTED,
            State.WITHDRAWN,
            State.ARBITRATION,
        },
        State.APPROVED: {State.COLLECTED, State.REJECTED, State.ARBITRATION},
        State.COLLECTED: {State.REDELIVERING, State.REJECTED, State.ARBITRATION},
        State.REDELIVERING: {State.COMPLETED, State.ARBITRATION},
        State.ARBITRATION: set(),  # only its decision leads out of it
        State.REJECTED: set(),
        State.WITHDRAWN: set(),
        State.COMPLETED: set(),
    }
    BY = {
        State.APPROVED: claims.approve,
        State.REJECTED: claims.reject,
        State.WITHDRAWN: claims.withdraw,
        State.COMPLETED: claims.complete,
        State.COLLECTED: exchanging.collect,
        State.REDELIVERING: lambda claim, by, at: exchanging.resend(
            claim, carrier="cj", tracking_number=NUMBER, by=by, at=at
        ),
        State.ARBITRATION: lambda claim, by, at: arbitrating.begin(
            claim, side="seller", reason="not mine", by=by, at=at
        ),
    }

    @pytest.mark.parametrize("old", State)
    @pytest.mark.parametrize("new", BY)
    def test_walk_the_table_and_nothing_else(self, old, new):
        [line] = make.delivered(make.line(quantity=3))
        claim = walked(line, old)
        operator, before = make.user(), OrderLine.objects.values().get()
        entries, told = AuditEntry.objects.count(), Change.objects.count()
        if new in self.LEGAL[old]:
            assert self.BY[new](claim, by=operator, at=make.day(11)).state == new
            entry = AuditEntry.objects.get(action=f"claim.{new}", actor=operator)
            assert entry.data == {"from": old, "to": new}
            [change] = Change.objects.filter(type=f"claim.{new}")
            assert (change.object_id, change.seller_id) == (claim.public_id, line.seller_id)
            after = OrderLine.objects.values().get()
            assert after | {"confirm_due_on": None} == before | {"confirm_due_on": None}
            return
        if (old, new) == (State.REDELIVERING, State.REDELIVERING):
            assert self.BY[new](claim, by=operator, at=make.day(11)).state == new  # told again
        else:
            with pytest.raises(states.IllegalMove):
                self.BY[new](claim, by=operator, at=make.day(11))
        assert Claim.objects.get().state == old
        assert (AuditEntry.objects.count(), Change.objects.count()) == (entries, told)
        assert OrderLine.objects.values().get() == before

    @pytest.mark.parametrize("kind", ["cancel", "return"])
    @pytest.mark.parametrize("old", [State.REQUESTED, State.APPROVED])
    @pytest.mark.parametrize("new", [State.COLLECTED, State.REDELIVERING])
    def test_belong_to_exchanges_alone(self, kind, old, new):
        [line] = make.delivered()
        words = {"quantity": 1, "fault": "buyer", "by": None}
        claim = claims.request(line, type=kind, at=make.day(5), **words)
        if old == State.APPROVED:
            claim = claims.approve(claim, by=None, at=make.day(6))
        with pytest.raises(states.IllegalMove):
            self.BY[new](claim, by=None, at=make.day(7))
        with pytest.raises(IntegrityError), transaction.atomic():
            Claim.objects.update(state=new, resent_at=make.day(7), resent_carrier="cj")

    @settings(max_examples=25, deadline=None)
    @given(steps=st.lists(st.sampled_from([*BY, "convert"]), max_size=9))
    def test_however_mixed_never_take_more_than_there_is(self, steps):
        """Whatever is tried in whatever order, units come back only by a return."""
        with transaction.atomic():
            [line] = make.delivered(make.line(quantity=2))
            claim = ask(line)
            for step in steps:
                try:
                    if step == "convert":
                        exchanging.convert(claim, reason="sold out", by=None, at=make.day(9))
                    else:
                        self.BY[step](claim, by=None, at=make.day(9))
                except (states.IllegalMove, exchanging.NotConvertible):
                    continue
            claim, line = Claim.objects.get(), OrderLine.objects.get()
            is_taken_back = (claim.type, claim.state) == ("return", "completed")
            assert line.units_left == 2 - is_taken_back
            kept = claim.quantity if claim.state in Claim.OPEN_STATES else 0
            assert claims.claimable(line) == line.units_left - kept
            transaction.set_rollback(True)

    @pytest.mark.parametrize("is_confirmed", [False, True])
    def test_reach_their_end_though_the_units_have_left_meanwhile(self, is_confirmed):
        """The shop takes all back on day 9; the replacement arrives on day 10, and is paid for."""
        [line] = make.delivered(make.line(quantity=2))
        if is_confirmed:
            make.told(make.event("confirmed", 3))
        terms = Terms(3_000, 2_500, "direct")
        claim = walked(line, State.REDELIVERING, 2, fault="buyer", shipping_terms=terms)
        make.told(make.event("cancelled", 9))
        before = OrderLine.objects.values().get()
        sold = list(Outcome.objects.order_by("pk").values())
        claim = claims.complete(claim, by=None, at=make.day(10))
        assert (claim.state, claim.completed_on) == ("completed", make.on(10))
        assert OrderLine.objects.values().get(pk=line.pk) == before
        assert (before["status"], before["units_left"]) == ("cancelled", 0)
        assert list(Outcome.objects.filter(line=line).order_by("pk").values()) == sold
        assert OrderLine.objects.get(stream="return_shipping").list_amount == 5_500


class TestRequest:
    def test_keeps_its_units_and_no_others(self):
        [line] = make.delivered(make.line(quantity=3))
        with pytest.raises(claims.MoreThanClaimable):
            ask(line, 4)
        claim = walked(line, State.REDELIVERING, 2)
        assert claims.claimable(line) == 1
        with pytest.raises(claims.MoreThanClaimable):
            ask(line, 2)
        claims.complete(claim, by=None, at=make.day(10))
        line.refresh_from_db()
        assert (line.status, line.units_left, claims.claimable(line)) == ("delivered", 3, 3)
        assert ask(line, 3, day=11).state == "requested"  # a buyer may ask again

    def test_is_of_goods_alone(self):
        _, charge = make.delivered(make.line(), make.shipping(2))
        with pytest.raises(claims.NoGoods) as refused:
            ask(charge)
        assert refused.value.params["line"] == 2

    def test_repeated_is_the_same_also_as_a_return(self):
        [line] = make.delivered(make.line(quantity=2))
        told = {"source": "shop", "source_id": "c-1"}
        claim = ask(line, **told)
        exchanging.convert(claim, reason="sold out", by=None, at=make.day(6))
        assert ask(line, **told) == claim
        words = {"fault": "seller", "by": None, "at": make.day(6), **told}
        with pytest.raises(claims.ClaimDiffers):
            claims.request(line, type="return", quantity=1, **words)


class TestResend:
    def test_records_the_parcel_and_corrects_its_number(self):
        [line] = make.delivered()
        claim = walked(line, State.COLLECTED)
        assert claim.collected_at == make.day(7)
        claim = sent(claim, number="6891 2345 6784")
        assert (claim.resent_carrier, claim.resent_number) == ("cj", NUMBER)
        assert claim.resent_at == make.day(8)
        claim = sent(claim, day=9, number=OTHER)
        assert (claim.state, claim.resent_number) == ("redelivering", OTHER)
        assert claim.resent_at == make.day(8)
        entry = AuditEntry.objects.get(action="claim.parcel_corrected")
        assert entry.data["resent_number"] == {"from": NUMBER, "to": OTHER}
        assert Change.objects.filter(type="claim.redelivering").count() == 2

    def test_refuses_the_number_of_another_parcel(self):
        first, second = make.accepted(make.order(lines=[make.line(), make.line(2)]))
        make.told(make.event("paid", 0))
        seller = first.seller
        told = {"carrier": "cj", "tracking_number": NUMBER, "by": None, "at": make.day(1)}
        shipping.ship(first.order, seller, **told)
        one, two = walked(first, State.COLLECTED), walked(second, State.COLLECTED)
        with pytest.raises(shipping.TrackingNumberUsed) as refused:
            sent(one)
        assert refused.value.params["field"] == "tracking_number"
        sent(one, number=OTHER)
        with pytest.raises(shipping.TrackingNumberUsed):
            sent(two, number=OTHER)
        assert Claim.objects.get(pk=two.pk).state == "collected"


class TestClock:
    def test_begins_anew_when_the_replacement_has_arrived(self):
        """Delivered on day 2, due on day 10; the replacement arrives on day 10: due on day 18."""
        [line] = make.delivered(make.line(quantity=3))
        claim = walked(line, State.REDELIVERING)
        assert not OrderLine.objects.due_for_confirmation(make.on(60)).exists()
        claims.complete(claim, by=None, at=make.day(10))
        line.refresh_from_db()
        assert line.confirm_due_on == make.on(18)
        again = claims.request(
            line, type="return", quantity=1, fault="buyer", by=None, at=make.day(12)
        )
        claims.withdraw(again, by=None, at=make.day(15))
        line.refresh_from_db()
        assert line.confirm_due_on == make.on(21)

    def test_runs_on_where_it_was_turned_down(self):
        """Open from day 5 to day 9: four days more than day 10."""
        [line] = make.delivered()
        claims.reject(walked(line, State.COLLECTED), by=None, at=make.day(9))
        line.refresh_from_db()
        assert (line.status, line.confirm_due_on) == ("delivered", make.on(14))

    @pytest.fixture
    def exchanged(self, market):
        """A line on its way; an exchange is asked for on day 5, and completed on day 10."""
        [line] = make.accepted()
        make.told(make.event("paid", 0), make.event("shipped", 1))
        walked(line, State.COMPLETED)
        return line

    def test_begins_with_the_replacement_where_delivery_is_told_later(self, exchanged):
        make.told(make.event("delivered", 3))
        exchanged.refresh_from_db()
        assert (exchanged.status, exchanged.delivered_on) == ("delivered", make.on(3))
        assert exchanged.confirm_due_on == make.on(18)

    def test_begins_with_the_replacement_where_the_rule_is_published_later(self, exchanged):
        make.told(make.event("delivered", 3))
        OrderLine.objects.update(confirm_due_on=None)
        assert confirming.confirm_due(make.on(17), at=make.NIGHT) == 0
        exchanged.refresh_from_db()
        assert exchanged.confirm_due_on == make.on(18)

    def test_asks_as_often_for_many_that_were_delivered_as_for_one(self):
        def queries(*numbers):
            lines = make.accepted(*(make.order(number) for number in numbers))
            for kind, day in (("paid", 0), ("shipped", 1)):
                make.told(*(make.event(kind, day, order=number) for number in numbers))
            for line in lines:
                claims.withdraw(ask(line), by=None, at=make.day(9))
            with CaptureQueriesContext(connection) as captured:
                make.told(*(make.event("delivered", 2, order=number) for number in numbers))
            return len(captured)

        one = queries("A-1")
        assert queries(*(f"B-{number}" for number in range(12))) <= one
        due = OrderLine.objects.values_list("confirm_due_on", flat=True).distinct()
        assert list(due) == [make.on(14)]  # four days after day 10

    def test_gives_the_days_of_shipping_for_the_replacement(self):
        """Collected on Monday the 9th: three business days are over with Thursday the 12th."""
        [line] = make.delivered()
        claim = walked(line, State.COLLECTED)
        for day, is_overdue in ((10, False), (11, True)):
            claim_deadlines.add_to([claim], at=make.day(day))
            assert (claim.resend_by, claim.is_overdue) == (make.on(10), is_overdue)
        claim = sent(claim)
        claim_deadlines.add_to([claim], at=make.day(30))
        assert (claim.resend_by, claim.is_overdue) == (None, False)


class TestMoney:
    @pytest.mark.parametrize("is_confirmed", [False, True])
    def test_leaves_the_sale_as_it_is(self, is_confirmed):
        line, charge = make.delivered(make.line(quantity=2), make.shipping(2))
        if is_confirmed:
            make.told(make.event("confirmed", 3))
        before = list(Outcome.objects.order_by("pk").values())
        assert len(before) == 2 * is_confirmed
        walked(line, State.COMPLETED, 2, shipping_terms=Terms(3_000, 0, "charged"))
        assert list(Outcome.objects.order_by("pk").values()) == before
        for row in (line, charge):
            row.refresh_from_db()
            assert row.units_left == row.quantity
        assert refunds.due([line.order_id]).get(line.order_id, 0) == 0
        assert OrderLine.objects.count() == 2

    def test_a_buyer_at_fault_pays_both_ways(self):
        """3,000 back and 2,500 there again, where shipping had been paid, too: 5,500."""
        line, _ = make.delivered(make.line(), make.shipping(2))
        terms = Terms(3_000, 2_500, "direct", is_advanced=True)
        claim = walked(line, State.COMPLETED, fault="buyer", shipping_terms=terms)
        [sold] = OrderLine.objects.filter(stream="return_shipping")
        assert (sold.list_amount, sold.confirmed_on) == (5_500, make.on(10))
        assert claim.shipping_line == sold
        assert Payment.objects.get(kind="return_shipping").amount == 5_500
        assert claim.shipping_effect.back_to_us == 3_000  # the way back alone
        assert [one.line_id for one in Outcome.objects.all()] == [sold.pk]

    @pytest.mark.parametrize(
        ("terms", "fault", "refusal", "field"),
        [
            (Terms(1, 0, "deducted"), "buyer", return_shipping.NothingToDeductFrom, "paid"),
            (Terms(1, 1, "charged"), "buyer", return_shipping.PaidOtherwise, "paid"),
            (Terms(1, 1, "charged"), "seller", return_shipping.OutboundNotCharged, "outbound_cost"),
            (Terms(1, 0, "direct"), "carrier", return_shipping.NotBorneByBuyer, "paid"),
        ],
    )
    def test_burdens_nobody_who_is_not_at_fault(self, terms, fault, refusal, field):
        [line] = make.delivered()
        with pytest.raises(refusal) as refused:
            ask(line, fault=fault, shipping_terms=terms)
        assert refused.value.params["field"] == field
        claim = ask(line, fault=fault)
        found = {"paid": terms.paid, "return_cost": terms.return_cost}
        with pytest.raises(refusal):
            claims.approve(
                claim, by=None, at=make.day(6), **found, outbound_cost=terms.outbound_cost
            )

    def test_gives_no_shipping_back_where_the_seller_is_at_fault(self):
        terms = Terms(3_000, 0, "charged")
        assert return_shipping.effect(terms, "seller").gives_outbound_back
        assert not return_shipping.effect(terms, "seller", is_exchange=True).gives_outbound_back


class TestConvert:
    TERMS = Terms(3_000, 2_500, "direct")

    @pytest.mark.parametrize(
        ("state", "then"),
        [("requested", "requested"), ("approved", "approved"), ("collected", "approved")],
    )
    def test_carries_the_facts_over(self, state, then):
        [line] = make.delivered(make.line(quantity=3))
        told = {"fault": "buyer", "reason": "change_of_mind", "shipping_terms": self.TERMS}
        claim = walked(line, state, 2, **told)
        before = Claim.objects.values().get()
        operator = make.user()
        exchanging.convert(claim, reason=" sold out ", by=operator, at=make.day(9))
        after = Claim.objects.values().get()
        changed = {name: new for name, new in after.items() if new != before[name]}
        expected = {"type": "return", "converted_at": make.day(9), "outbound_cost": 0}
        assert changed == expected | ({"state": "approved"} if state == "collected" else {})
        assert after["state"] == then
        entry = AuditEntry.objects.get(action="claim.converted")
        assert (entry.actor, entry.reason) == (operator, "sold out")
        assert entry.data == {"outbound_cost": {"from": 2_500, "to": 0}}
        assert Change.objects.filter(type="claim.converted").count() == 1
        assert claims.claimable(line) == 1
        claim = Claim.objects.get()
        if then == "requested":
            claim = claims.approve(claim, by=None, at=make.day(9))
        claims.complete(claim, by=None, at=make.day(10))
        line.refresh_from_db()
        assert (line.units_left, line.status) == (1, "delivered")
        assert OrderLine.objects.get(stream="return_shipping").list_amount == 3_000

    def test_may_say_anew_how_shipping_is_paid(self):
        [line] = make.delivered()
        claim = walked(line, State.COLLECTED, fault="buyer", shipping_terms=self.TERMS)
        found = {"paid": "deducted", "outbound_cost": 2_000}
        claim = exchanging.convert(claim, reason="sold out", by=None, at=make.day(9), **found)
        assert claim.shipping_terms == Terms(3_000, 2_000, "deducted")

    @pytest.mark.parametrize("state", ["redelivering", "rejected", "withdrawn", "completed"])
    def test_comes_too_late(self, state):
        [line] = make.delivered()
        claim = walked(line, state)
        with pytest.raises(exchanging.NotConvertible):
            exchanging.convert(claim, reason="sold out", by=None, at=make.day(11))
        assert Claim.objects.get().type == "exchange"

    def test_wants_a_reason_and_an_exchange(self):
        [line] = make.delivered()
        claim = ask(line)
        with pytest.raises(reasons.ReasonMissing):
            exchanging.convert(claim, reason=" ", by=None, at=make.day(6))
        exchanging.convert(claim, reason="sold out", by=None, at=make.day(6))
        with pytest.raises(exchanging.NotConvertible):
            exchanging.convert(claim, reason="again", by=None, at=make.day(6))


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """An exchange of ours whose goods are back, and a stranger's marketplace."""
        self.own, self.strangers = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(self.own.pk):
            make.calendar()
            make.policy()
            make.seller()
            [line] = make.delivered(make.line(quantity=3))
            self.claim = walked(line, State.COLLECTED)

    @pytest.mark.parametrize(
        "deed",
        [
            lambda claim: exchanging.collect(claim, by=None, at=make.day(8)),
            sent,
            lambda claim: exchanging.convert(claim, reason="x", by=None, at=make.day(8)),
        ],
    )
    def test_takes_no_step_of_ours(self, deed):
        with tenancy.use(self.strangers.pk), pytest.raises(OrderLine.DoesNotExist):
            deed(self.claim)
        with tenancy.use(self.own.pk):
            assert Claim.objects.get().state == "collected"


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    @pytest.fixture(autouse=True)
    def market(self, transactional_db):
        """Committed, so that a second connection sees it."""
        self.own = make.opened()
        with tenancy.use(self.own.pk):
            [line] = make.delivered(make.line(quantity=2))
            self.claim = walked(line, State.COLLECTED)

    def test_of_a_replacement_and_a_refund_at_once_one_is_refused(self):
        """Goods are back; one sends the replacement while another makes it a return."""
        found = []

        def convert():
            try:
                with tenancy.use(self.own.pk):
                    exchanging.convert(self.claim, reason="none left", by=None, at=make.day(9))
            except claims.Refused as refused:
                found.append(refused.code)
            finally:
                connections.close_all()

        with tenancy.use(self.own.pk):
            sent(Claim.objects.get())
            thread = threading.Thread(target=convert)
            thread.start()
            thread.join(timeout=0.5)
            assert thread.is_alive()
        thread.join(timeout=10)
        assert found == ["not_convertible"]
        with tenancy.use(self.own.pk):
            assert Claim.objects.values_list("type", "state").get() == ("exchange", "redelivering")
