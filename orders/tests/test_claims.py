"""Claims from request to completion, and what they do to lines, clocks and sales."""

import threading

import pytest
from django.db import connections

from marketplace import states, tenancy
from marketplace.models import AuditEntry, Change
from orders import claims
from orders.models import Claim, OrderLine, Outcome, PerformanceTouch
from orders.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market")]
State, Status = Claim.State, OrderLine.Status


def request(line, quantity=1, *, kind="return", day=5, **fields):
    fields = {"fault": "buyer", "by": None, **fields}
    return claims.request(line, type=kind, quantity=quantity, at=make.day(day), **fields)


def complete(line, quantity=1, *, day=6, **fields):
    claim = request(line, quantity, **fields)
    claims.approve(claim, by=None, at=make.day(day))
    return claims.complete(claim, by=None, at=make.day(day))


def in_state(line, state):
    """A claim that has walked to a state."""
    claim = request(line)
    by = {"by": None, "at": make.day(6)}
    if state in (State.APPROVED, State.COMPLETED):
        claim = claims.approve(claim, **by)
    if state == State.COMPLETED:
        claim = claims.complete(claim, **by)
    if state == State.REJECTED:
        claim = claims.reject(claim, **by)
    if state == State.WITHDRAWN:
        claim = claims.withdraw(claim, **by)
    assert claim.state == state
    return claim


class TestRequest:
    def test_asks_for_units_and_announces_it(self):
        [line] = make.delivered(make.line(quantity=3))
        customer = make.user()
        claim = request(line, 2, fault="seller", reason="broken", by=customer, source_id="c-1")
        [stored] = Claim.objects.all()
        assert stored == claim
        assert (stored.type, stored.fault, stored.quantity) == ("return", "seller", 2)
        assert (stored.state, stored.requested_at) == ("requested", make.day(5))
        assert (stored.seller_id, stored.reason) == (line.seller_id, "broken")
        assert stored.public_id.startswith("clm_")
        [change] = Change.objects.filter(type="claim.requested")
        assert (change.object_id, change.seller_id) == (claim.public_id, line.seller_id)
        assert (change.at, change.data) == (make.day(5), {})
        [entry] = AuditEntry.objects.filter(action="claim.requested")
        assert (entry.actor, entry.at, entry.object_key) == (customer, make.day(5), str(claim.pk))
        line.refresh_from_db()
        assert (line.status, line.units_left) == ("delivered", 3)

    @pytest.mark.parametrize(("quantity", "claimable"), [(4, 3), (100, 3)])
    def test_refuses_more_than_the_line_has(self, quantity, claimable):
        [line] = make.delivered(make.line(quantity=3))
        with pytest.raises(claims.MoreThanClaimable) as refused:
            request(line, quantity)
        assert refused.value.params == {"asked": quantity, "claimable": claimable}
        assert not Claim.objects.exists()

    def test_leaves_the_units_of_open_claims_to_them(self):
        [line] = make.delivered(make.line(quantity=3))
        first = request(line, 2)
        assert claims.claimable(line) == 1
        with pytest.raises(claims.MoreThanClaimable):
            request(line, 2)
        claims.approve(first, by=None, at=make.day(6))
        with pytest.raises(claims.MoreThanClaimable):
            request(line, 2)
        claims.reject(first, by=None, at=make.day(6))
        assert request(line, 3).quantity == 3

    @pytest.mark.parametrize("quantity", [0, -1, True, 1.0])
    def test_refuses_what_is_no_number_of_units(self, quantity):
        [line] = make.delivered()
        with pytest.raises(claims.Refused) as refused:
            request(line, quantity)
        assert refused.value.code == "not_between"

    @pytest.mark.parametrize("kind", Claim.Type)
    @pytest.mark.parametrize("status", Status)
    def test_is_possible_in_these_statuses_and_no_others(self, kind, status):
        [line] = make.accepted()
        OrderLine.objects.filter(pk=line.pk).update(
            status=status, paid_on=make.on(0), confirmed_on=make.on(1)
        )
        allowed = {
            "cancel": set(Status) - {Status.CANCELLED, Status.RETURNED},
            "return": {Status.SHIPPED, Status.DELIVERED, Status.CONFIRMED},
            "exchange": {Status.SHIPPED, Status.DELIVERED, Status.CONFIRMED},
        }
        if status in allowed[kind]:
            assert request(line, kind=kind).type == kind
        else:
            with pytest.raises(claims.NotClaimable):
                request(line, kind=kind)

    def test_is_the_same_claim_under_the_same_senders_id(self):
        [line] = make.delivered(make.line(quantity=3))
        claim = request(line, 2, source="shop", source_id="c-1")
        assert request(line, 2, source="shop", source_id="c-1") == claim
        with pytest.raises(claims.ClaimDiffers):
            request(line, 1, source="shop", source_id="c-1")
        assert Claim.objects.count() == 1
        assert Change.objects.filter(type="claim.requested").count() == 1


class TestMoves:
    BY = {
        State.APPROVED: claims.approve,
        State.REJECTED: claims.reject,
        State.WITHDRAWN: claims.withdraw,
        State.COMPLETED: claims.complete,
    }

    WALKED = (
        State.REQUESTED,
        State.APPROVED,
        State.REJECTED,
        State.WITHDRAWN,
        State.COMPLETED,
    )

    @pytest.mark.parametrize("old", WALKED)
    @pytest.mark.parametrize("new", BY)
    def test_walk_the_table_and_nothing_else(self, old, new):
        [line] = make.delivered(make.line(quantity=3))
        claim = in_state(line, old)
        operator = make.user()
        entries, told = AuditEntry.objects.count(), Change.objects.count()
        before = OrderLine.objects.values().get()
        if new in Claim.MOVES[old]:
            moved = self.BY[new](claim, by=operator, at=make.day(7), reason="so it is")
            assert moved.state == Claim.objects.get().state == new
            entry = AuditEntry.objects.get(action=f"claim.{new}", actor=operator)
            assert (entry.reason, entry.data) == ("so it is", {"from": old, "to": new})
            assert Change.objects.filter(type=f"claim.{new}").count() == 1
        else:
            with pytest.raises(states.IllegalMove):
                self.BY[new](claim, by=operator, at=make.day(7))
            assert Claim.objects.get().state == old
            assert AuditEntry.objects.count() == entries
            assert Change.objects.count() == told
            assert OrderLine.objects.values().get() == before

    def test_of_a_stale_claim_are_refused(self):
        [line] = make.delivered()
        claim = request(line)
        claims.withdraw(Claim.objects.get(), by=None, at=make.day(6))
        with pytest.raises(states.IllegalMove):
            claims.approve(claim, by=None, at=make.day(6))

    def test_remember_when(self):
        [line] = make.delivered(make.line(quantity=3))
        claim = in_state(line, State.APPROVED)
        assert (claim.decided_at, claim.completed_on) == (make.day(6), None)
        claim = claims.complete(claim, by=None, at=make.day(8))
        assert (claim.decided_at, claim.completed_on) == (make.day(6), make.on(8))


class TestComplete:
    def test_takes_units_back_before_confirmation_without_an_outcome(self):
        [line] = make.delivered(make.line(quantity=3))
        complete(line, 2)
        line.refresh_from_db()
        assert (line.status, line.units_left) == ("delivered", 1)
        complete(line, 1)
        line.refresh_from_db()
        assert (line.status, line.units_left, line.cancelled_on) == ("returned", 0, None)
        assert not Outcome.objects.exists()

    def test_cancels_and_remembers_whose_fault_it_was(self):
        [line] = make.accepted()
        complete(line, kind="cancel", fault="seller")
        line.refresh_from_db()
        assert (line.status, line.units_left) == ("cancelled", 0)
        assert (line.cancelled_on, line.cancelled_by_seller) == (make.on(6), True)

    def test_reverses_after_confirmation(self):
        [line] = make.delivered(make.line(quantity=3, platform_discount=1_000))
        make.told(make.event("confirmed", 9))
        complete(line, 2, day=15)
        line.refresh_from_db()
        assert (line.status, line.units_left) == ("confirmed", 1)
        reversal = Outcome.objects.get(sequence=1)
        assert (reversal.kind, reversal.cause) == ("reversal", "return")
        assert (reversal.rate_on, reversal.basis_on) == (make.on(0), make.on(15))
        assert (reversal.quantity, reversal.list_amount) == (1, 10_000)
        assert reversal.platform_discount == 334
        assert (line.seller_id, make.on(15)) in PerformanceTouch.objects.values_list(
            "seller_id", "on"
        )

    def test_gives_shipping_back_only_by_a_claim_on_it(self):
        goods, charge = make.delivered(make.line(), make.shipping(2))
        make.told(make.event("confirmed", 9))
        complete(goods, day=15)
        charge.refresh_from_db()
        assert (charge.status, charge.units_left) == ("confirmed", 1)
        complete(charge, kind="cancel", day=16)
        charge.refresh_from_db()
        assert (charge.status, charge.units_left) == ("cancelled", 0)

    def test_refuses_units_that_are_gone_by_now(self):
        [line] = make.delivered(make.line(quantity=3))
        claim = request(line, 2)
        claims.approve(claim, by=None, at=make.day(6))
        make.told(make.event("cancelled", 6, 1, quantity=2))
        with pytest.raises(claims.MoreThanClaimable):
            claims.complete(claim, by=None, at=make.day(7))
        assert Claim.objects.get().state == "approved"
        line.refresh_from_db()
        assert line.units_left == 1
        assert claims.reject(claim, by=None, at=make.day(7)).state == "rejected"


class TestClock:
    def due_on(self):
        return OrderLine.objects.get().confirm_due_on

    def test_stands_still_while_a_claim_is_open(self):
        [line] = make.delivered(make.line(quantity=3))
        assert self.due_on() == make.on(10)
        claims.withdraw(request(line, day=4), by=None, at=make.day(7))
        assert self.due_on() == make.on(13)

    def test_counts_overlapping_claims_once(self):
        [line] = make.delivered(make.line(quantity=3))
        first, second = request(line, day=4), request(line, day=5)
        claims.reject(first, by=None, at=make.day(6))
        claims.withdraw(second, by=None, at=make.day(8))
        assert self.due_on() == make.on(14)

    def test_runs_on_after_a_part_was_returned(self):
        [line] = make.delivered(make.line(quantity=3))
        claim = request(line, day=4)
        claims.approve(claim, by=None, at=make.day(5))
        claims.complete(claim, by=None, at=make.day(9))
        assert self.due_on() == make.on(15)


class TestStranger:
    @pytest.fixture(autouse=True)
    def market(self, db):
        """A claim of ours, and a stranger's marketplace."""
        self.own, self.strangers = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(self.own.pk):
            make.calendar()
            make.policy()
            make.seller()
            [self.line] = make.delivered(make.line(quantity=3))
            self.claim = request(self.line)

    def test_can_make_no_claim_on_our_lines(self):
        with tenancy.use(self.strangers.pk), pytest.raises(OrderLine.DoesNotExist):
            request(self.line)

    @pytest.mark.parametrize("deed", list(TestMoves.BY.values()))
    def test_can_decide_nothing_about_our_claims(self, deed):
        with tenancy.use(self.strangers.pk), pytest.raises(OrderLine.DoesNotExist):
            deed(self.claim, by=None, at=make.day(6))
        with tenancy.use(self.own.pk):
            assert Claim.objects.get().state == "requested"


class TestAgree:
    def test_cancels_at_once_what_never_left(self):
        [line] = make.accepted(make.order(lines=[make.line(quantity=2)]))
        make.told(make.event("paid", 0))
        claim = claims.agree(request(line, kind="cancel", day=1), by=None, at=make.day(2))
        assert (claim.state, claim.completed_on) == ("completed", make.on(2))
        line.refresh_from_db()
        assert (line.units_left, line.status) == (1, "paid")

    def test_waits_for_goods_that_have_left(self):
        [line] = make.delivered()
        claim = claims.agree(request(line), by=None, at=make.day(6))
        assert claim.state == "approved"
        line.refresh_from_db()
        assert line.units_left == 1


class TestRefuse:
    def test_keeps_why_for_the_buyer_and_out_of_the_audit_trail(self):
        [line] = make.delivered()
        claim = claims.refuse(request(line), reason="Worn", by=None, at=make.day(6))
        assert (claim.state, claim.answer) == ("rejected", "Worn")
        entry = AuditEntry.objects.get(action="claim.rejected")
        assert entry.reason == "refused_by_seller"

    def test_wants_a_reason(self):
        [line] = make.delivered()
        claim = request(line)
        with pytest.raises(claims.ReasonMissing):
            claims.refuse(claim, reason="  ", by=None, at=make.day(6))
        claim.refresh_from_db()
        assert claim.state == "requested"


class TestCancelBySeller:
    def test_is_a_completed_claim_of_the_sellers_fault(self):
        [line] = make.accepted(make.order(lines=[make.line(quantity=2)]))
        make.told(make.event("paid", 0))
        told = {"reason": "Out of stock", "by": None, "at": make.day(1)}
        claim = claims.cancel_by_seller(line, quantity=2, **told)
        assert (claim.type, claim.fault, claim.state) == ("cancel", "seller", "completed")
        line.refresh_from_db()
        assert (line.status, line.cancelled_by_seller) == ("cancelled", True)

    def test_refuses_what_has_left(self):
        [line] = make.delivered()
        with pytest.raises(claims.NotClaimable):
            claims.cancel_by_seller(line, quantity=1, reason="x", by=None, at=make.day(6))

    def test_leaves_nothing_behind_when_refused(self):
        [line] = make.accepted()
        with pytest.raises(claims.ReasonMissing):
            claims.cancel_by_seller(line, quantity=1, reason="", by=None, at=make.day(1))
        with pytest.raises(claims.HasLeft):
            claims.cancel_by_seller(line, quantity=2, reason="x", by=None, at=make.day(1))
        assert not Claim.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    @pytest.fixture(autouse=True)
    def market(self, transactional_db):
        """Committed, so that a second connection sees it."""
        self.own = make.opened()
        with tenancy.use(self.own.pk):
            [self.line] = make.delivered(make.line(quantity=3))

    def elsewhere(self, deed):
        """Start a deed in another connection; it must wait for what this one has locked."""
        found = []

        def run():
            try:
                with tenancy.use(self.own.pk):
                    found.append(deed())
            except claims.Refused as refused:
                found.append(refused.code)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()
        return thread, found

    def test_two_claims_at_once_get_no_more_than_there_is(self):
        with tenancy.use(self.own.pk):
            request(self.line, 2)
            thread, found = self.elsewhere(lambda: request(self.line, 2))
        thread.join(timeout=10)
        assert found == ["more_than_claimable"]
        with tenancy.use(self.own.pk):
            assert Claim.objects.count() == 1

    def test_a_completion_and_an_event_at_once_take_each_their_own(self):
        with tenancy.use(self.own.pk):
            claim = request(self.line, 2)
            claims.approve(claim, by=None, at=make.day(6))
        with tenancy.use(self.own.pk):
            claims.complete(claim, by=None, at=make.day(6))
            thread, found = self.elsewhere(
                lambda: make.told(make.event("cancelled", 6, 1, quantity=1))[0].result
            )
        thread.join(timeout=10)
        assert found == ["accepted"]
        with tenancy.use(self.own.pk):
            assert OrderLine.objects.get().units_left == 0

    def test_one_of_two_decisions_at_once_is_refused(self):
        with tenancy.use(self.own.pk):
            claim = request(self.line)
        with tenancy.use(self.own.pk):
            claims.reject(Claim.objects.get(), by=None, at=make.day(6))
            thread, found = self.elsewhere(
                lambda: claims.withdraw(claim, by=None, at=make.day(6)).state
            )
        thread.join(timeout=10)
        assert found == ["illegal_move"]
