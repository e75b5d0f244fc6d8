"""The legal deadline: watched it only warns; switched on by two people it refuses terms."""

from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace import approvals, calendar_days, tenancy, versions
from marketplace.models import Approval
from marketplace.tests import make as people
from settlements import (
    contracting,
    deadline_packs,
    deadlines,
    forecasts,
    holding,
    nights,
    payouts,
    sentinel_words,
    sentinels,
)
from settlements.deadline_packs import Breach
from settlements.models import (
    DeadlineGuard,
    Hold,
    Payout,
    SellerBalance,
    SellerContract,
    SettlementTerms,
    Statement,
)
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
LATEST, LATE = date(2026, 9, 28), date(2026, 9, 29)  # 20 days later, and past them
PAGE = "/admin/settlements/deadlineguard/guard/"


@pytest.fixture
def market():
    return make.market("ours", first_open_on=SEP_8)


def watch(days=20, warning_days=5):
    return deadlines.watch(
        pack=f"kr-intermediary-{days}", warning_days=warning_days, by=None, at=make.AT
    )


def slow_terms(valid_from=date(2026, 10, 1)):
    """Monthly on the last day: what is confirmed early in a month waits for four weeks."""
    draft = versions.revise(
        SettlementTerms.objects.get(), valid_from=valid_from, by=None, at=make.AT
    )
    SettlementTerms.objects.filter(pk=draft.pk).update(cycle="monthly", cycle_arg=31)
    draft.refresh_from_db()
    return draft


class TestTerms:
    def test_are_published_as_long_as_it_only_watches(self, market):
        with tenancy.use(market.pk):
            watch()
            deadlines.publish_terms(slow_terms(), by=None, at=make.AT)
            assert SettlementTerms.objects.published().count() == 2

    def test_are_refused_once_it_is_switched_on(self, market):
        with tenancy.use(market.pk):
            guard = watch()
            deadlines.enforce(guard, by=None, at=make.AT, refuses_terms=True)
            draft = slow_terms()
            with pytest.raises(deadlines.PaysTooLate, match="2026-10-01") as refused:
                deadlines.publish_terms(draft, by=None, at=make.AT)
            assert refused.value.params["latest_on"] == date(2026, 10, 21)
            draft.refresh_from_db()
            assert draft.state == "draft"
            watch(days=40)  # still refuses, but these pay in time
            deadlines.publish_terms(draft, by=None, at=make.AT)

    def test_of_a_contract_are_refused_likewise(self, market):
        with tenancy.use(market.pk):
            deadlines.enforce(watch(), by=None, at=make.AT, refuses_terms=True)
            draft = contracting.draft(
                make.seller(), valid_from=date(2026, 10, 1), by=None, at=make.AT
            )
            SellerContract.objects.filter(pk=draft.pk).update(
                lag_days=30, lag_kind="calendar", cycle="daily", holiday="next"
            )
            draft.refresh_from_db()
            with pytest.raises(deadlines.PaysTooLate):
                contracting.publish(draft, by=None, at=make.AT)

    def test_in_force_that_pay_too_late_are_told_of(self, market):
        with tenancy.use(market.pk):
            watch()
            slow = deadlines.publish_terms(slow_terms(), by=None, at=make.AT)
            [(terms, breach)] = deadlines.late_by_terms(deadlines.watched()[1], on=SEP_8)
            assert (terms, breach.basis_on) == (slow, date(2026, 10, 1))

    def test_of_contracts_are_told_of_as_long_as_they_are_in_force(self, market):
        with tenancy.use(market.pk):
            watch()
            pack = deadlines.watched()[1]
            seller = make.seller()
            slow = {"lag_days": 30, "lag_kind": "calendar", "cycle": "daily", "holiday": "next"}
            late = make.contract(seller, valid_from=SEP_8, **slow)
            make.contract(make.seller("B"), valid_from=SEP_8, **slow | {"lag_days": 14})
            [(contract, breach)] = deadlines.late_by_terms(pack, on=SEP_8)
            assert (contract, breach) == (
                late,
                Breach(SEP_8, date(2026, 10, 8), date(2026, 9, 28)),
            )
            ends = date(2026, 10, 1)
            now = datetime(2026, 9, 9, 3, tzinfo=UTC)
            make.contract(seller, valid_from=ends, at=now)  # pays as it pays everybody
            assert [each[0] for each in deadlines.late_by_terms(pack, on=SEP_8)] == [late]
            assert list(deadlines.late_by_terms(pack, on=ends)) == []


class TestCalendar:
    @pytest.fixture
    def draft(self, market):
        """From 1 October on, closed up to the 24th, a Saturday: the next three business days are
        26 to 28 October."""
        first = date(2026, 10, 1)
        closed = {first + timedelta(days=count): "휴업" for count in range(24)}
        with tenancy.use(market.pk):
            return calendar_days.draft(
                "KR", first, date(2027, 12, 31), valid_from=first, by=None, at=make.AT, add=closed
            )

    def test_is_told_of_and_published_as_long_as_it_only_watches(self, market, draft):
        with tenancy.use(market.pk):
            watch()
            pack = deadlines.watched()[1]
            [(calendar, (terms, breach))] = deadlines.late_calendars(pack, on=SEP_8)
            assert (calendar, terms) == (draft, SettlementTerms.objects.get())
            assert breach == Breach(date(2026, 10, 1), date(2026, 10, 28), date(2026, 10, 21))
            assert (
                list(deadlines.late_calendars(deadline_packs.pack("kr-intermediary-30"), on=SEP_8))
                == []
            )
            deadlines.publish_calendar(draft, by=None, at=make.AT)
            draft.refresh_from_db()
            assert draft.state == "published"

    def test_is_refused_once_it_is_switched_on(self, market, draft):
        with tenancy.use(market.pk):
            deadlines.enforce(watch(), by=None, at=make.AT, refuses_terms=True)
            asker, decider = people.user("a@example.org"), people.user("b@example.org")
            asked = approvals.ask(
                "publish_calendar", draft, by=asker, at=make.AT, reason="휴업", data={}
            )
            with pytest.raises(deadlines.CalendarPaysTooLate, match="2026-10-28") as refused:
                approvals.approve(asked, by=decider, at=make.AT)
            assert refused.value.params["latest_on"] == date(2026, 10, 21)
            draft.refresh_from_db()
            assert draft.state == "draft"
            watch(days=30)  # still refuses, but with this one everything is in time
            deadlines.publish_calendar(draft, by=None, at=make.AT)

    def test_is_refused_for_the_contract_that_it_would_make_late(self, market, draft):
        with tenancy.use(market.pk):
            deadlines.enforce(watch(days=30), by=None, at=make.AT, refuses_terms=True)
            slow = {"lag_days": 8, "lag_kind": "business", "cycle": "daily", "holiday": "next"}
            make.contract(make.seller(), valid_from=SEP_8, **slow)
            with pytest.raises(deadlines.CalendarPaysTooLate, match="상점 A v1"):
                deadlines.publish_calendar(draft, by=None, at=make.AT)


def in_batch():
    """A statement with money of 8 September, in a batch that was prepared and no more."""
    make.account(seller := make.seller())
    row = make.payable(seller, due_on=SEP_8)
    Statement.objects.filter(pk=row.pk).update(first_basis_on=SEP_8)
    payouts.prepare(on=SEP_8, at=make.AT)
    return row


def closed(seller, on, *, net, carry_in=0, carry_out=0):
    """A statement of a day's money, closed on that day."""
    payout = net + carry_in - carry_out
    return Statement.objects.create(
        seller=seller,
        state="payable" if payout else "closed",
        due_on=on,
        closed_on=on,
        first_basis_on=on,
        last_basis_on=on,
        net=net,
        carry_in=carry_in,
        payable=net + carry_in,
        payout=payout,
        carry_out=carry_out,
    )


class TestNear:
    def test_warns_so_many_days_before_the_latest_one(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            open_ = Statement.objects.create(
                seller=seller, due_on=date(2026, 10, 31), first_basis_on=SEP_8, net=1_000
            )
            latest = SEP_8 + timedelta(days=20)
            assert not deadlines.near(latest).exists()  # nothing is watched
            watch(warning_days=5)
            assert not deadlines.near(latest - timedelta(days=6)).exists()
            assert deadlines.near(latest - timedelta(days=5)).get() == open_
            assert deadlines.near(latest + timedelta(days=1)).get() == open_
            assert sentinels.watch(latest, at=make.AT)["deadline_near"] == 1

    def test_is_no_sentinel_where_nothing_is_watched(self, market):
        with tenancy.use(market.pk):
            assert "deadline_near" not in sentinels.watch(SEP_8, at=make.AT)


class TestPast:
    def test_finds_what_is_closed_and_unpaid_after_the_latest_day(self, market):
        with tenancy.use(market.pk):
            row = make.payable(make.seller(), due_on=SEP_8)
            Statement.objects.filter(pk=row.pk).update(first_basis_on=SEP_8)
            latest = SEP_8 + timedelta(days=20)
            late = latest + timedelta(days=1)
            assert not deadlines.past(late).exists()  # nothing is watched
            watch()
            assert not deadlines.past(latest).exists()
            assert deadlines.past(late).get() == row
            assert sentinels.watch(late, at=make.AT)["unpaid_past_deadline"] == 1
            assert [told.title for told in sentinel_words.told(late, {}, at=make.AT)].count(
                sentinel_words.TITLES["unpaid_past_deadline"]
            ) == 1

    def test_counts_what_is_held_and_not_what_is_excluded(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            row = make.payable(seller, due_on=SEP_8)
            Statement.objects.filter(pk=row.pk).update(first_basis_on=SEP_8)
            watch()
            late = SEP_8 + timedelta(days=21)
            terms = holding.Terms(reason="legal", note="소송", condition="판결")
            holding.hold_payment(seller, terms, statement=row, by=None, at=make.AT)
            assert deadlines.past(late).get() == row
            holding.exclude(row, reason="legal", note="소송", by=None, at=make.AT)
            assert not deadlines.past(late).exists()

    def test_finds_what_is_in_a_batch_that_nobody_approved(self, market):
        with tenancy.use(market.pk):
            row = in_batch()
            watch()
            assert not deadlines.past(LATEST).exists()
            assert deadlines.past(LATE).get() == row

    @pytest.mark.parametrize(
        ("sent_at", "is_late"),  # 29 September begins in Seoul at 15:00 UTC of the 28th
        [
            (datetime(2026, 9, 28, 14, 59, tzinfo=UTC), False),
            (datetime(2026, 9, 28, 15, 0, tzinfo=UTC), True),
        ],
    )
    def test_leaves_out_what_was_sent_in_time(self, market, sent_at, is_late):
        with tenancy.use(market.pk):
            in_batch()
            Payout.objects.update(state="sent", sent_at=sent_at)
            watch()
            assert deadlines.past(LATE).exists() is is_late

    def test_finds_what_is_carried_below_the_minimum_payout(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            first = closed(seller, SEP_8, net=400, carry_out=400)
            second = closed(seller, date(2026, 9, 9), net=300, carry_in=400, carry_out=700)
            SellerBalance.objects.create(seller=seller, carry=700)
            watch()
            assert not deadlines.past(LATEST).exists()
            assert deadlines.past(LATE).get() == first
            assert set(deadlines.past(LATE + timedelta(days=1))) == {first, second}

    def test_follows_what_was_carried_into_the_statement_that_pays_it(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            carried = closed(seller, SEP_8, net=400, carry_out=400)
            payable = closed(seller, date(2026, 9, 25), net=900, carry_in=400)
            SellerBalance.objects.create(seller=seller)
            watch()
            assert deadlines.past(LATE).get() == carried  # what pays it has not been paid
            Statement.objects.filter(pk=payable.pk).update(state="paid")
            assert not deadlines.past(LATE).exists()

    def test_forgets_what_was_carried_and_a_debt_took(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            closed(seller, SEP_8, net=400, carry_out=400)
            closed(seller, date(2026, 9, 9), net=-900, carry_in=400, carry_out=-500)
            SellerBalance.objects.create(seller=seller, carry=-500)
            watch()
            assert not deadlines.past(LATE).exists()


class TestHeldPast:
    """100,000 in gold, held; net 96,700."""

    @pytest.mark.parametrize("kind", ["line", "amount"])
    def test_finds_what_holds_keep_after_the_latest_day(self, market, kind):
        with tenancy.use(market.pk):
            seller = make.seller()
            line = make.sold(seller, unit_price=100_000, category="gold", confirmed_on=SEP_8)
            terms = holding.Terms(reason="legal", note="소송", condition="판결")
            if kind == "line":
                hold = holding.hold_line(line, terms, by=None, at=make.AT)
            else:
                hold = holding.hold_amount(seller, 96_700, terms, by=None, at=make.AT)
        nights.close_day(market.pk, date(2026, 9, 11), at=make.AT)
        with tenancy.use(market.pk):
            hold.refresh_from_db()
            assert hold.taken == 96_700
            assert not deadlines.held_past(LATE).exists()  # nothing is watched
            watch()
            assert not deadlines.held_past(LATEST).exists()
            assert deadlines.held_past(LATE).get() == hold
            assert sentinels.watch(LATE, at=make.AT)["held_past_deadline"] == 1
            Hold.objects.update(taken=0)
            assert not deadlines.held_past(LATE).exists()


class TestMeter:
    def test_adds_what_is_expected_and_what_is_owed(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, number="1", unit_price=100_000, category="gold", confirmed_on=SEP_8)
        nights.close_day(market.pk, SEP_8, at=make.AT)
        with tenancy.use(market.pk):
            forecasts.keep(SEP_8, first_seller=0, end_seller=2**62)
            watch()
            meter = deadlines.meter(deadlines.watched()[1])
            assert (meter.expected, meter.owed, meter.apart) == (96_700, 0, 48_350)
            due_on = Statement.objects.get().due_on
        nights.close_day(market.pk, due_on, at=make.AT)
        with tenancy.use(market.pk):
            forecasts.keep(due_on, first_seller=0, end_seller=2**62)
            meter = deadlines.meter(deadlines.watched()[1])
            assert meter.owed == 96_700


class TestPage:
    @pytest.fixture
    def enter(self, client, market):
        def enter(role, into=market):
            user = people.user(f"{role}@example.org")
            people.membership(into, user, role)
            client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
            client.force_login(user)
            client.post("/admin/choose-marketplace/", {"marketplace": into.slug})
            return client

        return enter

    def test_watches_and_says_that_it_is_a_draft(self, enter, market):
        client = enter("finance")
        assert "No legal deadline is watched" in client.get(PAGE).content.decode()
        client.post(PAGE, {"pack": "kr-intermediary-20", "warning_days": 7})
        with tenancy.use(market.pk):
            guard = DeadlineGuard.objects.get()
        assert (guard.pack, guard.warning_days, guard.refuses_terms) == (
            "kr-intermediary-20",
            7,
            False,
        )
        assert "Draft: not verified as enacted law" in client.get(PAGE).content.decode()

    def test_is_switched_on_by_a_second_person(self, enter, market):
        with tenancy.use(market.pk):
            watch()
        enter("finance").post(PAGE, {"reason": "Our lawyers say so"})
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
            assert not DeadlineGuard.objects.get().refuses_terms
            with pytest.raises(approvals.SamePerson):
                approvals.approve(approval, by=approval.asked_by, at=make.AT)
        page = f"/admin/marketplace/approval/{approval.pk}/change/"
        client = enter("owner")
        assert "Refuses terms that pay too late" in client.get(page).content.decode()
        client.post(page, {"decision": "approve", "reason": "Yes"})
        with tenancy.use(market.pk):
            assert DeadlineGuard.objects.get().refuses_terms

    def test_names_what_is_wrong(self, enter, market):
        answer = enter("finance").post(PAGE, {"pack": "x", "warning_days": 61})
        assert answer.status_code == 422
        assert set(answer.context["watch_form"].errors) == {"pack", "warning_days"}

    @pytest.mark.parametrize("role", ["support", "viewer"])
    def test_is_only_looked_at_by_others(self, enter, market, role):
        client = enter(role)
        assert client.get(PAGE).status_code == 200
        given = {"pack": "kr-intermediary-20", "warning_days": 7}
        assert client.post(PAGE, given).status_code == 403

    def test_shows_nothing_of_another_marketplace(self, enter, market):
        with tenancy.use(market.pk):
            watch()
        theirs = make.market("theirs")
        answer = enter("owner", theirs).get(PAGE)
        assert answer.context["guard"] is None
