import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from marketplace import approvals, calendar_days, states, tenancy, versions
from marketplace.models import (
    Approval,
    AuditEntry,
    CalendarVersion,
    LegalIdentity,
    Marketplace,
    User,
)
from marketplace.tests import make

pytestmark = pytest.mark.django_db
State = Approval.State
LATER = make.NOON + timedelta(hours=1)


@pytest.fixture
def market(db):
    with tenancy.use(make.marketplace().pk) as marketplace:
        yield marketplace


@pytest.fixture
def asker(market):
    return make.user("asker@example.org")


@pytest.fixture
def decider(market):
    return make.user("decider@example.org")


def draft(company="장터 주식회사"):
    return versions.draft(LegalIdentity, valid_from=make.FIRST_OPEN_ON, by=None, company=company)


def ask(version, by, kind="publish_legal_identity"):
    return approvals.ask(kind, version, by=by, at=make.NOON, reason="New address")


class TestAsk:
    def test_changes_nothing_but_leaves_a_request(self, market, asker):
        version = draft()
        approval = ask(version, asker)
        version.refresh_from_db()
        assert version.state == "draft"
        assert (approval.state, approval.asked_by, approval.reason) == (
            State.ASKED,
            asker,
            "New address",
        )
        assert list(Approval.objects.waiting().about(version)) == [approval]
        [entry] = AuditEntry.objects.all()
        assert (entry.action, entry.actor, entry.reason) == ("approval.asked", asker, "New address")

    def test_is_done_once_at_a_time_per_object(self, market, asker, decider):
        version = draft()
        first = ask(version, asker)
        with pytest.raises(approvals.AlreadyAsked):
            ask(version, decider)
        approvals.withdraw(first, by=asker, at=LATER)
        assert ask(version, decider).state == State.ASKED

    def test_is_refused_for_a_rule_in_force(self, market, asker):
        version = versions.publish(draft(), by=None, at=make.NOON)
        with pytest.raises(versions.NotADraft):
            ask(version, asker)

    def test_does_it_at_once_where_a_test_market_needs_no_second_person(self, market, asker):
        Marketplace.objects.filter(pk=market.pk).update(needs_second_person=False)
        version = draft()
        approval = ask(version, asker)
        version.refresh_from_db()
        assert (version.state, version.published_by) == ("published", asker)
        assert (approval.state, approval.decided_by) == (State.ALONE, asker)

    def test_leaves_nothing_of_what_is_refused_at_once(self, market, asker):
        Marketplace.objects.filter(pk=market.pk).update(needs_second_person=False)
        versions.publish(draft(), by=None, at=make.NOON)
        with pytest.raises(versions.BeginsWithAnother):
            ask(draft(), asker)
        assert not Approval.objects.exists()


class TestApprove:
    def test_carries_out_the_process_of_its_kind(self, market, asker, decider):
        version = draft()
        approval = approvals.approve(ask(version, asker), by=decider, at=LATER, reason="Checked")
        version.refresh_from_db()
        assert (version.state, version.published_by, version.published_at) == (
            "published",
            decider,
            LATER,
        )
        approval.refresh_from_db()
        assert (approval.state, approval.decided_by, approval.decided_at, approval.decision) == (
            State.APPROVED,
            decider,
            LATER,
            "Checked",
        )
        actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
        assert list(actions) == ["approval.asked", "approval.approved", "legalidentity.published"]

    def test_goes_through_the_checks_of_its_own_app(self, market, asker, decider):
        day = make.FIRST_OPEN_ON
        calendar = calendar_days.draft(
            "KR", day + timedelta(days=9), day + timedelta(days=99), valid_from=day, by=None
        )
        approval = ask(calendar, asker, "publish_calendar")
        with pytest.raises(calendar_days.OutsideCalendar):
            approvals.approve(approval, by=decider, at=LATER)
        approval.refresh_from_db()
        assert (approval.state, approval.decided_by) == (State.ASKED, None)

    def test_refuses_the_person_who_asked(self, market, asker):
        version = draft()
        approval = ask(version, asker)
        with pytest.raises(approvals.SamePerson):
            approvals.approve(approval, by=asker, at=LATER)
        version.refresh_from_db()
        assert version.state == "draft"

    def test_refuses_what_was_changed_after_it_was_asked_for(self, market, asker, decider):
        version = draft()
        approval = ask(version, asker)
        LegalIdentity.objects.filter(pk=version.pk).update(company="다른 회사")
        with pytest.raises(approvals.ChangedSince):
            approvals.approve(approval, by=decider, at=LATER)
        version.refresh_from_db()
        assert version.state == "draft"

    def test_sees_a_changed_part_as_well(self, market, asker, decider):
        day = make.FIRST_OPEN_ON
        calendar = calendar_days.draft("KR", day, day + timedelta(days=9), valid_from=day, by=None)
        approval = ask(calendar, asker, "publish_calendar")
        calendar_days.add_day(calendar, day + timedelta(days=3), "창립일", by=asker, at=LATER)
        with pytest.raises(approvals.ChangedSince):
            approvals.approve(approval, by=decider, at=LATER)
        assert not CalendarVersion.objects.published().exists()

    def test_says_when_the_object_is_gone(self, market, asker, decider):
        version = draft()
        approval = ask(version, asker)
        version.delete()
        with pytest.raises(approvals.Gone):
            approvals.approve(approval, by=decider, at=LATER)

    def test_decides_once(self, market, asker, decider):
        approval = ask(draft(), asker)
        stale = Approval.objects.get(pk=approval.pk)
        approvals.refuse(approval, by=decider, at=LATER, reason="Wrong")
        with pytest.raises(states.IllegalMove):
            approvals.approve(stale, by=decider, at=LATER)


class TestRefuse:
    def test_leaves_the_draft_to_be_asked_for_again(self, market, asker, decider):
        version = draft()
        approval = approvals.refuse(ask(version, asker), by=decider, at=LATER, reason="Wrong")
        version.refresh_from_db()
        assert (version.state, approval.state, approval.decision) == (
            "draft",
            State.REFUSED,
            "Wrong",
        )
        assert ask(version, asker).state == State.ASKED

    def test_refuses_the_person_who_asked(self, market, asker):
        with pytest.raises(approvals.SamePerson):
            approvals.refuse(ask(draft(), asker), by=asker, at=LATER, reason="Wrong")


class TestWithdraw:
    def test_belongs_to_the_person_who_asked(self, market, asker, decider):
        approval = ask(draft(), asker)
        with pytest.raises(approvals.NotYours):
            approvals.withdraw(approval, by=decider, at=LATER)
        assert approvals.withdraw(approval, by=asker, at=LATER).state == State.WITHDRAWN


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("to", State)
def test_moves_end_with_the_decision(state, to):
    assert (to in Approval.MOVES[state]) is (state == State.ASKED and to != State.ASKED)


class TestTheDatabase:
    @pytest.mark.parametrize("state", [State.APPROVED, State.REFUSED])
    def test_lets_nobody_decide_on_his_own_request(self, market, asker, state):
        approval = ask(draft(), asker)
        with (
            pytest.raises(IntegrityError, match="approval_is_decided_by_another"),
            transaction.atomic(),
        ):
            Approval.objects.filter(pk=approval.pk).update(
                state=state, decided_by=asker, decided_at=LATER
            )

    def test_lets_no_second_request_wait(self, market, asker):
        approval = ask(draft(), asker)
        approval.pk = None
        with (
            pytest.raises(IntegrityError, match="approval_is_asked_once_at_a_time"),
            transaction.atomic(),
        ):
            Approval.objects.bulk_create([approval])

    def test_lets_only_a_test_market_do_without_a_second_person(self, market):
        Marketplace.objects.filter(pk=market.pk).update(needs_second_person=False)
        with (
            pytest.raises(IntegrityError, match="only_a_test_needs_no_second_person"),
            transaction.atomic(),
        ):
            states.move(market, market.State.LIVE, by=None, at=make.NOON)


class TestKinds:
    @pytest.mark.parametrize("code", approvals.KINDS)
    def test_name_a_model_its_right_and_a_process(self, code):
        kind = approvals.KINDS[code]
        assert kind.permission.startswith(f"{kind.object_model._meta.app_label}.change_")
        assert callable(approvals.import_string(kind.process))

    def test_publish_every_rule_that_has_versions(self):
        rules = [
            model
            for model in approvals.apps.get_models()
            if issubclass(model, approvals.VersionedRule)
        ]
        assert {approvals.publishing(model) for model in rules} == {
            code for code in approvals.KINDS if code.startswith("publish_")
        }


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_one_decides_and_the_other_is_refused(self):
        market = make.marketplace()
        asker, first, second = (make.user(f"{name}@example.org") for name in "abc")
        with tenancy.use(market.pk):
            version = draft()
            key = ask(version, asker).pk
        together = threading.Barrier(2, timeout=10)
        outcomes = []

        def decide(who, decision):
            with tenancy.use(market.pk):
                approval = Approval.objects.get(pk=key)
                by = User.objects.get(pk=who.pk)
                together.wait()
                try:
                    decision(approval, by=by, at=LATER, reason="Decided")
                except states.IllegalMove:
                    outcomes.append("refused")
                else:
                    outcomes.append("decided")

        with (
            make.another_connection(lambda: decide(first, approvals.approve)),
            make.another_connection(lambda: decide(second, approvals.refuse)),
        ):
            pass
        assert sorted(outcomes) == ["decided", "refused"]
        with tenancy.use(market.pk):
            approval = Approval.objects.get(pk=key)
            version.refresh_from_db()
            assert (version.state == "published") is (approval.state == State.APPROVED)
            assert approval.decided_by in (first, second)

    def test_one_asks_and_the_other_is_refused(self):
        market = make.marketplace()
        people = [make.user(f"{name}@example.org") for name in "ab"]
        with tenancy.use(market.pk):
            version = draft()
        together = threading.Barrier(2, timeout=10)
        refused = []

        def work(who):
            with tenancy.use(market.pk):
                together.wait()
                try:
                    ask(version, who)
                except approvals.AlreadyAsked:
                    refused.append(who)

        with (
            make.another_connection(lambda: work(people[0])),
            make.another_connection(lambda: work(people[1])),
        ):
            pass
        assert len(refused) == 1
        with tenancy.use(market.pk):
            assert Approval.objects.count() == 1
