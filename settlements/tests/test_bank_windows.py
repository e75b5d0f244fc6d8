"""Maintenance of the bank: when a moment is in it, and what it keeps from happening."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from marketplace import states, tenancy
from marketplace.models import AuditEntry
from settlements import bank_windows, keeping_windows, payout_sending, payouts, tasks
from settlements.bank_windows import Recurring, Window
from settlements.models import BankWindow, PayoutBatch, PayoutPolicy
from settlements.tests import make
from settlements.tests.test_payout_pages import decide, operator

SEOUL = ZoneInfo("Asia/Seoul")
EVERY_DAY = frozenset(range(7))
AT = make.AT
PAGES = "/admin/settlements/bankwindow/"


def seoul(day, hour, minute=0, second=0):
    """A moment of September 2026; the 14th is a Monday."""
    return datetime(2026, 9, day, hour, minute, second, tzinfo=SEOUL)


NIGHTLY = Recurring(weekdays=EVERY_DAY, since=time(23, 30), to=time(0, 30), zone=SEOUL, note="야간")
SUNDAY = Window(begins=seoul(20, 0, 30), ends=seoul(20, 6), note="차세대 이전")


class TestWindowAt:
    @pytest.mark.parametrize(
        ("moment", "begins"),
        [
            (seoul(14, 23, 27, 59), None),
            (seoul(14, 23, 28), 14),  # a call begun now may last into it
            (seoul(14, 23, 59), 14),
            (seoul(15, 0, 0), 14),
            (seoul(15, 0, 29, 59), 14),
            (seoul(15, 0, 30), None),
            (seoul(15, 23, 30), 15),
        ],
    )
    def test_is_half_open_and_crosses_midnight(self, moment, begins):
        found = bank_windows.window_at(moment.astimezone(UTC), [NIGHTLY])
        assert (found and found.begins.astimezone(SEOUL).day) == begins

    def test_of_a_weekday_only_begins_on_it(self):
        sundays = Recurring(weekdays=frozenset({6}), since=time(22), to=time(4), zone=SEOUL)
        assert bank_windows.window_at(seoul(20, 3), [sundays]) is None
        assert bank_windows.window_at(seoul(20, 22), [sundays]).ends == seoul(21, 4)
        assert bank_windows.window_at(seoul(21, 3), [sundays]).begins == seoul(20, 22)

    def test_same_time_twice_is_a_whole_day(self):
        sundays = Recurring(weekdays=frozenset({6}), since=time(0), to=time(0), zone=SEOUL)
        assert bank_windows.window_at(seoul(20, 12), [sundays]).ends == seoul(21, 0)

    def test_goes_by_the_clock_on_the_wall_when_the_clocks_change(self):
        zone = ZoneInfo("America/New_York")  # an hour back on 1 November 2026
        nightly = Recurring(weekdays=EVERY_DAY, since=time(23), to=time(3), zone=zone)
        found = bank_windows.window_at(datetime(2026, 11, 1, 7, 30, tzinfo=UTC), [nightly])
        assert found.ends - found.begins == timedelta(hours=5)


class TestNextFree:
    def test_is_the_moment_itself_where_nothing_is_closed(self):
        assert bank_windows.next_free(seoul(14, 12), [NIGHTLY, SUNDAY]) == seoul(14, 12)

    def test_passes_windows_that_follow_each_other(self):
        assert bank_windows.next_free(seoul(19, 23, 45), [SUNDAY, NIGHTLY]) == seoul(20, 6)

    def test_knows_that_hours_leave_none(self):
        whole = Recurring(weekdays=EVERY_DAY, since=time(9), to=time(9), zone=SEOUL)
        halves = [
            Recurring(weekdays=EVERY_DAY, since=time(0), to=time(12), zone=SEOUL),
            Recurring(weekdays=EVERY_DAY, since=time(12), to=time(0), zone=SEOUL),
        ]
        assert bank_windows.leaves_none_free([whole], since=AT)
        assert bank_windows.leaves_none_free(halves, since=AT)
        assert not bank_windows.leaves_none_free(halves[:1], since=AT)

    def test_finds_what_comes_next(self):
        assert bank_windows.coming(seoul(20, 0, 10), [NIGHTLY, SUNDAY]) == SUNDAY
        assert bank_windows.coming(seoul(20, 0, 30), [NIGHTLY, SUNDAY]).begins == seoul(20, 23, 30)
        assert bank_windows.coming(seoul(20, 7), [SUNDAY]) is None


@pytest.fixture
def market(db):
    return make.market("ours")


@pytest.fixture
def batch(market):
    """An approved batch of one payout."""
    with tenancy.use(market.pk):
        row = make.seller()
        make.account(row)
        make.payable(row)
        [batch] = payouts.prepare(on=make.FIRST_OPEN_ON, at=AT)
        states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
    return batch


def announced(market, begins_at, hours=2, note="공지"):
    with tenancy.use(market.pk):
        span = {"begins_at": begins_at, "ends_at": begins_at + timedelta(hours=hours)}
        return keeping_windows.announce(**span, note=note, by=None, at=AT)


class TestPayouts:
    def test_are_neither_scheduled_nor_executed_in_a_window(self, market, batch):
        announced(market, AT)
        with tenancy.use(market.pk):
            with pytest.raises(keeping_windows.BankClosed) as refused:
                payouts.schedule(batch, by=None, at=AT, scheduled_at=AT + timedelta(minutes=5))
            assert refused.value.params["field"] == "scheduled_at"
            with pytest.raises(keeping_windows.BankClosed, match="Choose 2026-09-01 14:00"):
                payouts.execute(batch, by=None, at=AT)
            payouts.schedule(batch, by=None, at=AT, scheduled_at=AT + timedelta(hours=2))

    def test_scheduled_before_the_bank_announced_it_go_after_it(self, market, batch):
        soon = AT + timedelta(minutes=5)
        with tenancy.use(market.pk):
            payouts.schedule(batch, by=None, at=AT, scheduled_at=soon)
        announced(market, AT)
        with tenancy.use(market.pk):
            tasks._execute_scheduled(soon)
            batch.refresh_from_db()
            assert batch.state == "scheduled"
            tasks._execute_scheduled(AT + timedelta(hours=2))
            batch.refresh_from_db()
            assert batch.state == "executing"

    def test_go_on_once_the_window_is_ended(self, market, batch):
        with tenancy.use(market.pk):
            payouts.execute(batch, by=None, at=AT)
            payout = batch.rows.get()
        window = announced(market, AT + timedelta(hours=1))
        during = AT + timedelta(hours=1, minutes=30)
        payout_sending.serve(market.pk, payout.pk, now=lambda: during)
        with tenancy.use(market.pk):
            payout.refresh_from_db()
            assert payout.state == "prepared"
            keeping_windows.end(window, by=None, at=during, reason="점검 취소")
        payout_sending.serve(market.pk, payout.pk, now=lambda: during)
        with tenancy.use(market.pk):
            payout.refresh_from_db()
            assert payout.state == "paid"

    def test_in_a_file_are_not_held_up(self, market, batch):
        announced(market, AT)
        with tenancy.use(market.pk):
            policy = PayoutPolicy(gateway=PayoutPolicy.Gateway.BANK_CSV)
            assert keeping_windows.closed_at(policy, AT) is None
            assert keeping_windows.closed_at(batch.policy, AT).note == "공지"

    def test_of_another_marketplace_are_sent(self, market, batch):
        announced(make.market("theirs"), AT)
        with tenancy.use(market.pk):
            payouts.execute(batch, by=None, at=AT)


class TestKeeping:
    def test_refuses_what_is_over_or_leaves_no_time(self, market):
        with tenancy.use(market.pk):
            for begins, ends in ((AT, AT), (AT - timedelta(days=2), AT - timedelta(days=1))):
                with pytest.raises(keeping_windows.WindowEndsFirst):
                    keeping_windows.announce(begins_at=begins, ends_at=ends, by=None, at=AT)
            said = {"weekdays": list(EVERY_DAY), "by": None, "at": AT}
            first = keeping_windows.enter_recurring(from_time=time(0), to_time=time(12), **said)
            with pytest.raises(keeping_windows.NeverFree):
                keeping_windows.enter_recurring(from_time=time(12), to_time=time(0), **said)
            keeping_windows.end(first, by=None, at=AT, reason="바뀜")
            keeping_windows.enter_recurring(from_time=time(12), to_time=time(0), **said)

    @pytest.mark.parametrize("weekdays", [[], [7]])
    def test_database_refuses_hours_of_no_weekday(self, market, weekdays):
        with tenancy.use(market.pk), pytest.raises(IntegrityError), transaction.atomic():
            BankWindow.objects.create(
                weekdays=weekdays, from_time=time(1), to_time=time(2), entered_at=AT
            )


class TestPages:
    def test_take_hours_and_show_them_on_the_batch(self, market, batch):
        client = operator(market)
        sent = {"weekdays": ["0", "6"], "from_time": "23:30", "to_time": "00:30", "note": "야간"}
        page = client.post(f"{PAGES}weekly/", sent, follow=True).content.decode()
        assert "Mon, Sun 23:30 – 00:30" in page
        page = client.get(f"/admin/settlements/payoutbatch/{batch.pk}/change/").content.decode()
        assert "Maintenance of the bank" in page
        assert "야간" in page
        with tenancy.use(market.pk):
            entry = AuditEntry.objects.get(action="bankwindow.entered")
            assert (entry.actor.email, entry.reason) == ("finance@example.org", "야간")
            row = BankWindow.objects.get()
        decide(client, row, "end", reason="은행이 바뀜")
        with tenancy.use(market.pk):
            assert BankWindow.objects.get().state == "ended"

    def test_say_what_is_wrong_with_a_span(self, market):
        client = operator(market)
        sent = {"begins_at": "2020-01-02T00:00", "ends_at": "2020-01-01T00:00", "note": ""}
        page = client.post(f"{PAGES}once/", sent)
        assert page.status_code == 422
        assert "Write an end that is after the beginning" in page.content.decode()

    def test_are_closed_to_those_who_may_not_decide(self, market):
        assert operator(market, "viewer", "viewer").get(f"{PAGES}weekly/").status_code == 403
