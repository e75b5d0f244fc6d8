"""What operators decide about sellers, the whole table of it."""

import pytest

from marketplace import approvals, reasons, states, tenancy
from marketplace.models import Approval, AuditEntry, Change
from marketplace.tests.make import user
from sellers import deciding
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
