"""The last day on which things may stay as they are, and the first that a night tells of."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from marketplace import approvals, reasons, states, tenancy, versions
from marketplace.models import Approval, AuditEntry
from marketplace.tests import make as people
from orders import claims, exchanging
from orders.models import Claim, OrderEvent, OutcomeToSettle
from settlements import adjusting, holding, left_too_long, lost_lines, payouts, sentinels
from settlements.holding import Terms
from settlements.models import (
    DayClose,
    Hold,
    Payout,
    PayoutBatch,
    PayoutItem,
    RevenueReport,
    SentinelPolicy,
    Statement,
)
from settlements.sentinel_limits import USUAL
from settlements.tests import make

ON = date(2026, 10, 20)
DAY = timedelta(days=1)
CONDITION = Terms(reason="legal", note="분쟁", condition="판결")


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def at(on, hour=12, minute=0):
    """A time of a day in Seoul."""
    return datetime.combine(on, time(hour, minute), UTC) - timedelta(hours=9)


def ago(days):
    return ON - timedelta(days=days)


class TestLimits:
    def test_are_those_of_the_version_of_the_day(self, market):
        policy = SentinelPolicy.objects.get()
        names = USUAL.__slots__
        assert [getattr(policy, name) for name in names] == [getattr(USUAL, name) for name in names]
        draft = versions.revise(policy, valid_from=ON, by=None, at=make.AT)
        draft.claim_days = 1
        draft.save()
        versions.publish(draft, by=None, at=make.AT)
        assert left_too_long.limits_on(ON - DAY).claim_days == 30
        assert left_too_long.limits_on(ON).claim_days == 1

    def test_are_the_usual_ones_where_nobody_said_any(self, market):
        assert left_too_long.limits_on(date(2020, 1, 1)) == USUAL


class TestUnconfirmed:
    def line(self, **fields):
        given = {"status": "delivered", "delivered_on": ago(9), "confirm_due_on": ON, **fields}
        return make.placed(make.seller(), **given)

    @pytest.mark.parametrize(
        ("fields", "count"),
        [
            ({}, 1),
            ({"paid_on": None}, 1),
            ({"confirm_due_on": ON + DAY}, 0),
            ({"confirm_due_on": None}, 1),  # no rule gave it a day
            ({"confirm_due_on": None, "delivered_on": ON}, 0),
            ({"status": "shipped"}, 0),
        ],
    )
    def test_finds_what_should_be_confirmed_by_now(self, market, fields, count):
        self.line(**fields)
        assert left_too_long.unconfirmed(ON).count() == count

    def test_leaves_out_what_a_claim_holds_or_held_when_the_day_was_over(self, market):
        line = self.line()
        asked = {"type": "return", "quantity": 1, "fault": "buyer", "by": None}
        claim = claims.request(line, at=at(ago(1)), **asked)
        assert not left_too_long.unconfirmed(ON).exists()
        claims.reject(claim, reason="아님", by=None, at=at(ON + DAY, 0, 5))
        assert not left_too_long.unconfirmed(ON).exists()
        assert left_too_long.unconfirmed(ON + DAY).get() == line

    def test_leaves_what_was_told_of_later_to_the_next_night(self, market):
        line = self.line()
        event = {"source": "shop", "source_id": "1", "kind": "delivered", "order_number": "O1"}
        OrderEvent.objects.create(occurred_at=at(ago(9)), received_at=at(ON + DAY, 0), **event)
        assert not left_too_long.unconfirmed(ON).exists()
        assert left_too_long.unconfirmed(ON + DAY).get() == line


class TestUndelivered:
    @pytest.mark.parametrize(
        ("age", "status", "count"),
        [(60, "paid", 0), (61, "paid", 1), (61, "shipped", 1), (61, "delivered", 0)],
    )
    def test_finds_what_was_paid_long_ago(self, market, age, status, count):
        make.placed(make.seller(), paid_on=ago(age), status=status)
        assert left_too_long.undelivered(ON, USUAL).count() == count


class TestClaims:
    """Of Wednesday 14 October: three business days to answer are over on Monday the 19th."""

    def claim(self, kind="return", on=date(2026, 10, 14)):
        line = make.sold(make.seller(), paid_on=ago(40), confirmed_on=ago(39))
        asked = {"type": kind, "quantity": 1, "fault": "buyer", "by": None}
        return claims.request(line, at=at(on, 23, 59), **asked)

    def test_finds_those_not_answered_by_the_last_day(self, market):
        claim = self.claim()
        assert not left_too_long.claims(date(2026, 10, 18), USUAL).exists()
        assert left_too_long.claims(date(2026, 10, 19), USUAL).get() == claim
        claims.approve(claim, by=None, at=at(date(2026, 10, 19)))
        assert not left_too_long.claims(date(2026, 10, 19), USUAL).exists()

    def test_finds_exchanges_whose_replacement_is_late(self, market):
        claim = claims.approve(self.claim("exchange"), by=None, at=at(date(2026, 10, 14), 23, 59))
        claim = exchanging.collect(claim, by=None, at=at(date(2026, 10, 14), 23, 59))
        assert not left_too_long.claims(date(2026, 10, 18), USUAL).exists()
        assert left_too_long.claims(date(2026, 10, 19), USUAL).get() == claim

    @pytest.mark.parametrize(("age", "count"), [(30, 0), (31, 1)])
    def test_finds_those_that_never_end(self, market, age, count):
        claims.approve(self.claim(on=ago(age)), by=None, at=at(ago(age)))
        assert left_too_long.claims(ON, USUAL).count() == count
        Claim.objects.update(state="completed")
        assert not left_too_long.claims(ON, USUAL).exists()


class TestApprovals:
    @pytest.mark.parametrize(("moment", "count"), [(at(ago(7), 0), 0), (at(ago(8), 23, 59), 1)])
    def test_finds_what_waits_for_a_second_person(self, market, moment, count):
        row = make.payable(make.seller())
        given = {"reason": "legal", "note": "분쟁", "by": people.user(), "at": moment}
        holding.ask_to_exclude(row, **given)
        assert left_too_long.approvals(ON, USUAL).count() == count


class TestBatches:
    @pytest.mark.parametrize(
        ("state", "fields", "count"),
        [
            ("preparing", {"on": ago(4)}, 1),
            ("prepared", {"on": ago(4)}, 1),
            ("prepared", {"on": ago(3)}, 0),
            ("approved", {"on": ago(4)}, 1),
            ("scheduled", {"on": ago(9), "scheduled_at": at(ago(4), 23, 59)}, 1),
            ("scheduled", {"on": ago(9), "scheduled_at": at(ago(3), 0)}, 0),
            ("executing", {"on": ago(9), "executed_on": ago(4)}, 1),
            ("executing", {"on": ago(9), "executed_on": ago(3)}, 0),
            ("stopped", {"on": ago(9), "executed_on": ago(4)}, 1),
            ("awaiting", {"on": ago(9), "executed_on": ago(4)}, 1),
            ("completed", {"on": ago(9), "executed_on": ago(4)}, 0),
            ("cancelled", {"on": ago(9)}, 0),
        ],
    )
    def test_finds_those_that_nobody_takes_further(self, market, state, fields, count):
        make.account(seller := make.seller())
        make.payable(seller)
        payouts.prepare(on=make.FIRST_OPEN_ON, at=make.AT)
        PayoutBatch.objects.update(state=state, **fields)
        assert left_too_long.batches(ON, USUAL).count() == count

    def test_leaves_those_whose_results_are_awaited_to_their_payouts(self, market):
        make.account(seller := make.seller())
        make.payable(seller)
        payouts.prepare(on=make.FIRST_OPEN_ON, at=make.AT)
        PayoutBatch.objects.update(state="awaiting", executed_on=ago(9))
        Payout.objects.update(state="sent", sent_at=at(ago(9)))
        assert not left_too_long.batches(ON, USUAL).exists()


class TestStatementsWithoutPayout:
    @pytest.mark.parametrize(
        ("statement", "payout", "is_live", "count"),
        [
            ("in_payout", "prepared", True, 0),
            ("in_payout", "unknown", True, 0),
            ("in_payout", "prepared", False, 1),
            ("in_payout", "failed", True, 1),
            ("payable", "prepared", True, 1),
            ("payable", "failed", False, 0),
            ("paid", "paid", True, 0),
        ],
    )
    def test_finds_those_that_differ(self, market, statement, payout, is_live, count):
        make.account(seller := make.seller())
        make.payable(seller)
        payouts.prepare(on=make.FIRST_OPEN_ON, at=make.AT)
        Payout.objects.update(state=payout, sent_at=make.AT)
        PayoutItem.objects.update(is_live=is_live)
        Statement.objects.update(state=statement)
        assert left_too_long.statements_without_payout(ON).count() == count


class TestUnpaid:
    @pytest.mark.parametrize(("age", "count"), [(30, 0), (31, 1)])
    def test_finds_what_could_not_be_paid(self, market, age, count):
        make.payable(make.seller(), due_on=ago(age))
        assert left_too_long.unpaid(ON, USUAL).count() == count

    @pytest.mark.parametrize("of_statement", [True, False])
    def test_leaves_out_what_is_held(self, market, of_statement):
        row = make.payable(seller := make.seller(), due_on=ago(31))
        make.payable(make.seller("B"), 500, due_on=ago(31))
        held = {"statement": row} if of_statement else {}
        hold = holding.hold_payment(seller, CONDITION, by=None, at=at(ON), **held)
        assert left_too_long.unpaid(ON, USUAL).get().seller.code == "B"
        holding.release(hold, reason="끝", by=None, at=at(ON))
        assert left_too_long.unpaid(ON, USUAL).count() == 2


class TestHolds:
    @pytest.mark.parametrize(("moment", "count"), [(at(ago(90), 0), 0), (at(ago(91), 23, 59), 1)])
    def test_finds_conditions_that_nobody_looks_at(self, market, moment, count):
        hold = holding.hold_amount(make.seller(), 1_000, CONDITION, by=None, at=moment)
        assert left_too_long.holds(ON, USUAL).count() == count
        holding.keep(hold, reason="소송 진행 중", by=None, at=at(ago(90), 0))
        assert not left_too_long.holds(ON, USUAL).exists()
        assert left_too_long.holds(ON + DAY, USUAL).get() == hold
        entry = AuditEntry.objects.get(action="hold.kept")
        assert (entry.object_key, entry.reason) == (str(hold.pk), "소송 진행 중")

    def test_leaves_out_those_that_end_on_a_day(self, market):
        terms = Terms(reason="legal", note="분쟁", condition="판결", release_on=ON + 9 * DAY)
        holding.hold_amount(make.seller(), 1_000, terms, by=None, at=at(ago(91)))
        assert not left_too_long.holds(ON, USUAL).exists()

    def test_are_kept_by_a_reason_and_while_they_are_in_force(self, market):
        hold = holding.hold_amount(make.seller(), 1_000, CONDITION, by=None, at=at(ago(91)))
        with pytest.raises(reasons.ReasonMissing):
            holding.keep(hold, reason=" ", by=None, at=at(ON))
        holding.release(hold, reason="끝", by=None, at=at(ON))
        with pytest.raises(states.IllegalMove):
            holding.keep(hold, reason="아직", by=None, at=at(ON))
        ends = Terms(reason="legal", note="분쟁", release_on=ON + DAY)
        dated = holding.hold_amount(make.seller("B"), 1_000, ends, by=None, at=at(ON))
        with pytest.raises(holding.NoCondition):
            holding.keep(dated, reason="아직", by=None, at=at(ON))
        assert not Hold.objects.filter(reviewed_at__isnull=False).exists()


class TestProvisionalReports:
    @pytest.mark.parametrize(
        ("age", "state", "count"), [(45, "provisional", 0), (46, "provisional", 1)]
    )
    def test_finds_those_without_a_final_version(self, market, age, state, count):
        RevenueReport.objects.create(
            seller=make.seller(),
            stream="ads",
            on=ago(age),
            version=1,
            amount=1,
            state=state,
            reported_at=at(ago(age)),
        )
        assert left_too_long.provisional_reports(ON, USUAL).count() == count


class TestWaiting:
    def test_leaves_what_came_in_after_the_day_to_the_next_night(self, market):
        line = make.sold(make.seller(), paid_on=ago(1), confirmed_on=ago(1))
        assert left_too_long.waiting_outcomes(ON).get().outcome.line == line
        event = {"source": "shop", "source_id": "1", "kind": "confirmed", "order_number": "O1"}
        OrderEvent.objects.create(occurred_at=at(ago(1)), received_at=at(ON + DAY, 0), **event)
        assert not left_too_long.waiting_outcomes(ON).exists()
        assert left_too_long.waiting_outcomes(ON + DAY).exists()

    def test_leaves_adjustments_approved_after_the_day_to_the_next_night(self, market):
        asker, decider = people.user("a@example.org"), people.user("b@example.org")
        adjusting.request(
            make.seller(),
            amount=-1_000,
            basis_on=ON,
            tax_kind="outside_scope",
            reason_code="penalty",
            reason="지연",
            by=asker,
            at=at(ON),
        )
        approvals.approve(Approval.objects.get(), by=decider, at=at(ON + DAY, 0))
        assert not left_too_long.waiting_adjustments(ON).exists()
        assert left_too_long.waiting_adjustments(ON + DAY).count() == 1


class TestLostLines:
    """Each outcome is looked at by the night that it came in before, and by the next one."""

    def test_is_looked_for_in_what_two_nights_brought(self, market):
        seller = make.seller()
        lines = []
        for number in range(4):
            on = make.FIRST_OPEN_ON + number * DAY
            long_past = make.FIRST_OPEN_ON - 300 * DAY  # its own date does not matter
            lines.append(
                make.sold(seller, number=str(number), paid_on=long_past, confirmed_on=long_past)
            )
            DayClose.objects.create(day=on)
            lost_lines.remember(on)
        OutcomeToSettle.objects.all().delete()
        last = make.FIRST_OPEN_ON + 3 * DAY
        assert lost_lines.find(last).unsettled == [line.pk for line in lines[2:]]
        assert lost_lines.find(last - DAY).unsettled == [line.pk for line in lines[1:]]
        assert lost_lines.find(last + DAY).unsettled == [lines[3].pk]

    def test_begins_with_the_days_before_where_no_night_has_looked_yet(self, market):
        seller = make.seller()
        for number in range(4):
            on = ago(3 - number)
            make.sold(seller, number=str(number), paid_on=on, confirmed_on=on)
        OutcomeToSettle.objects.all().delete()
        assert len(lost_lines.find(ON).unsettled) == 3
        assert lost_lines.find(ON + 9 * DAY).unsettled == []


def test_lost_lines_are_told_to_their_own_marketplace_alone(db):
    ours, theirs = make.market(), make.market("theirs")
    with tenancy.use(ours.pk):
        line = make.sold(make.seller(), paid_on=ON, confirmed_on=ON)
        OutcomeToSettle.objects.all().delete()
    with tenancy.use(theirs.pk):
        assert lost_lines.find(ON) == lost_lines.Orphans([], [])
        assert not any(sentinels.watch(ON, at=make.AT).values())
    with tenancy.use(ours.pk):
        assert lost_lines.find(ON) == lost_lines.Orphans([line.pk], [])
