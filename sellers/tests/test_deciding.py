"""What operators decide about sellers, the whole table of it."""

import pytest

from marketplace import approvals, reasons, states, tenancy
from marketplace.models import Approval, AuditEntry, Change
from marketplace.tests.make import user
from sellers import deciding, leaving
from sellers.models import Seller
from sellers.tests import make

pytestmark = pytest.mark.django_db
State = Seller.State

WALKS = {  # how a seller comes to stand in each state, by decisions alone
    State.ONBOARDING: [],
    State.ACTIVE: [deciding.approve],
    State.RESTRICTED: [deciding.approve, deciding.restrict],
    State.SUSPENDED: [deciding.approve, deciding.suspend],
    State.TERMINATING: [deciding.approve, deciding.begin_termination],
    State.TERMINATED: [
        deciding.approve,
        deciding.begin_termination,
        deciding.finish_termination,
    ],
}
ALLOWED = {  # from: decision → to; everything else is refused
    State.ONBOARDING: {deciding.approve: State.ACTIVE, deciding.reject: State.TERMINATED},
    State.ACTIVE: {
        deciding.restrict: State.RESTRICTED,
        deciding.suspend: State.SUSPENDED,
        deciding.begin_termination: State.TERMINATING,
    },
    State.RESTRICTED: {
        deciding.reinstate: State.ACTIVE,
        deciding.suspend: State.SUSPENDED,
        deciding.begin_termination: State.TERMINATING,
    },
    State.SUSPENDED: {
        deciding.reinstate: State.ACTIVE,
        deciding.restrict: State.RESTRICTED,
        deciding.begin_termination: State.TERMINATING,
    },
    State.TERMINATING: {
        deciding.reinstate: State.ACTIVE,
        deciding.finish_termination: State.TERMINATED,
    },
    State.TERMINATED: {},
}
TYPES = {
    deciding.approve: "seller.approved",
    deciding.reject: "seller.rejected",
    deciding.restrict: "seller.restricted",
    deciding.suspend: "seller.suspended",
    deciding.reinstate: "seller.reinstated",
    deciding.begin_termination: "seller.terminating",
    deciding.finish_termination: "seller.terminated",
}
HARMFUL = [d for d in TYPES if d not in (deciding.approve, deciding.reinstate)]
EVERY_CASE = [(state, decision) for state in State for decision in TYPES]


@pytest.fixture(autouse=True)
def market():
    with tenancy.use(make.marketplace().pk) as marketplace:
        yield marketplace


def in_state(state, code="apple") -> Seller:
    seller = Seller.objects.create(code=code, name=code, joined_on=make.JOINED)
    for decision in WALKS[state]:
        seller = decision(seller, by=None, at=make.AT, reason="walk")
    return seller


def name(value):
    return getattr(value, "__name__", str(value))


class TestTheTable:
    @pytest.mark.parametrize(("state", "decision"), EVERY_CASE, ids=name)
    def test_is_walked_as_written_and_no_other_way(self, state, decision):
        seller, other = in_state(state), in_state(state, "pear")
        before = set(Change.objects.values_list("pk", flat=True))
        wanted = ALLOWED[state].get(decision)
        decide = {"by": None, "at": make.AT, "reason": "complaints"}
        if wanted is None:
            with pytest.raises((states.IllegalMove, deciding.NotWaiting)):
                decision(seller, **decide)
            assert not Change.objects.exclude(pk__in=before).exists()
        else:
            assert decision(seller, **decide).state == wanted
            [change] = Change.objects.exclude(pk__in=before)
            assert change.type == TYPES[decision]
            assert (change.object_id, change.seller_id) == (seller.public_id, seller.pk)
        seller.refresh_from_db()
        other.refresh_from_db()
        assert seller.state == (wanted or state)
        assert other.state == state

    def test_leads_to_every_state_that_the_model_allows(self):
        by_decisions = {old: set(decisions.values()) for old, decisions in ALLOWED.items()}
        assert by_decisions == Seller.MOVES


class TestDecision:
    def test_stands_in_the_audit_trail_with_its_reason(self):
        seller, operator = in_state(State.ACTIVE), user()
        deciding.suspend(seller, by=operator, at=make.AT, reason=" forged goods ")
        entry = AuditEntry.objects.get(action="seller.suspended")
        assert (entry.actor, entry.at, entry.object_key) == (operator, make.AT, str(seller.pk))
        assert entry.reason == "forged goods"
        assert entry.data == {"from": "active", "to": "suspended"}

    @pytest.mark.parametrize("decision", HARMFUL, ids=name)
    def test_that_harms_needs_a_reason(self, decision):
        state = next(state for state in State if decision in ALLOWED[state])
        seller = in_state(state)
        with pytest.raises(reasons.ReasonMissing):
            decision(seller, by=None, at=make.AT, reason="  ")
        seller.refresh_from_db()
        assert seller.state == state

    def test_made_by_two_at_once_is_refused_to_the_second(self):
        first = in_state(State.ONBOARDING)
        second = Seller.objects.get(pk=first.pk)
        deciding.approve(first, by=None, at=make.AT)
        with pytest.raises(deciding.NotWaiting):
            deciding.reject(second, by=None, at=make.AT, reason="no papers")
        second.refresh_from_db()
        assert second.state == State.ACTIVE


class TestAskToSuspend:
    def test_waits_for_a_second_person(self):
        seller, first, second = in_state(State.ACTIVE), user(), user("second@example.org")
        deciding.ask_to_suspend(seller, by=first, at=make.AT, reason="forged goods")
        seller.refresh_from_db()
        assert seller.state == State.ACTIVE
        approval = Approval.objects.get()
        with pytest.raises(approvals.SamePerson):
            approvals.approve(approval, by=first, at=make.AT)
        approvals.approve(approval, by=second, at=make.AT)
        seller.refresh_from_db()
        assert seller.state == State.SUSPENDED
        entry = AuditEntry.objects.get(action="seller.suspended")
        assert (entry.actor, entry.reason) == (second, "forged goods")

    def test_is_refused_where_it_could_never_happen(self):
        seller = in_state(State.TERMINATED)
        with pytest.raises(states.IllegalMove):
            deciding.ask_to_suspend(seller, by=user(), at=make.AT, reason="x")
        assert not Approval.objects.exists()


class TestAskToReinstate:
    @pytest.mark.parametrize("state", [State.RESTRICTED, State.SUSPENDED, State.TERMINATING])
    def test_waits_for_a_second_person(self, state):
        seller, first, second = in_state(state), user(), user("second@example.org")
        deciding.ask_to_reinstate(seller, by=first, at=make.AT, reason="It was a mistake")
        seller.refresh_from_db()
        assert seller.state == state
        approval = Approval.objects.get()
        with pytest.raises(approvals.SamePerson):
            approvals.approve(approval, by=first, at=make.AT)
        approvals.approve(approval, by=second, at=make.AT)
        seller.refresh_from_db()
        assert seller.state == State.ACTIVE
        entry = AuditEntry.objects.filter(action="seller.active").latest("pk")
        assert (entry.actor, entry.reason) == (second, "It was a mistake")

    @pytest.mark.parametrize("state", [State.ONBOARDING, State.ACTIVE, State.TERMINATED])
    def test_is_refused_where_there_is_nothing_to_lift(self, state):
        seller = in_state(state)
        with pytest.raises(states.IllegalMove):
            deciding.ask_to_reinstate(seller, by=user(), at=make.AT, reason="x")
        assert not Approval.objects.exists()

    def test_needs_a_reason(self):
        with pytest.raises(reasons.ReasonMissing):
            deciding.ask_to_reinstate(in_state(State.SUSPENDED), by=user(), at=make.AT, reason=" ")


class TestAskToTerminate:
    def test_begins_at_once_where_nothing_was_stopped(self):
        seller = in_state(State.ACTIVE)
        deciding.ask_to_terminate(seller, by=user(), at=make.AT, reason="It asked to leave")
        seller.refresh_from_db()
        assert seller.state == State.TERMINATING
        assert not Approval.objects.exists()

    @pytest.mark.parametrize("state", [State.RESTRICTED, State.SUSPENDED])
    def test_brings_listings_of_a_stopped_seller_back_by_two_people_only(self, state):
        seller, second = in_state(state), user("second@example.org")
        deciding.ask_to_terminate(seller, by=user(), at=make.AT, reason="It asked to leave")
        seller.refresh_from_db()
        assert seller.state == state
        approvals.approve(Approval.objects.get(), by=second, at=make.AT)
        seller.refresh_from_db()
        assert seller.state == State.TERMINATING


class TestFinishTermination:
    def test_is_refused_with_what_is_open(self, monkeypatch):
        monkeypatch.setattr(leaving, "obstacles", lambda seller: ["2 open claims", "₩500 owed"])
        seller = in_state(State.TERMINATING)
        with pytest.raises(deciding.StillOpen, match="2 open claims, ₩500 owed"):
            deciding.finish_termination(seller, by=None, at=make.AT, reason="x")
        seller.refresh_from_db()
        assert seller.state == State.TERMINATING
