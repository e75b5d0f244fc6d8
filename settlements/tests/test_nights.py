"""The night by command and by task: order, rehearsal, failure, what was put aside."""

from datetime import UTC, date, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from marketplace import jobs, states, tenancy
from marketplace.models import (
    AuditEntry,
    Change,
    JobRun,
    JobShard,
    Marketplace,
    OutboxMessage,
)
from orders.models import OutcomeToSettle
from settlements import nights, runs, tasks
from settlements.models import SettlementLine, Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

FIRST = make.FIRST_OPEN_ON


@pytest.fixture
def market():
    return make.market()


class TestCommand:
    def test_closes_the_days_that_were_missed(self, market, capsys):
        call_command("close_day", market.slug, on=date(2026, 9, 3))
        assert capsys.readouterr().out.splitlines() == [
            "2026-09-01",
            "2026-09-02",
            "2026-09-03",
            "jangteo: closed up to 2026-09-03",
        ]

    def test_prints_what_a_night_would_do(self, market, capsys):
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=FIRST)
        call_command("close_day", market.slug, on=FIRST, dry_run=True, step="settle")
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == "settle\tlines=1 reversals=0 reports=0 adjustments=0"
        market.refresh_from_db()
        assert market.last_closed_on is None

    def test_refuses_a_step_alone(self, market):
        with pytest.raises(CommandError, match="closed whole"):
            call_command("close_day", market.slug, on=FIRST, step="settle")

    def test_names_an_unknown_marketplace(self):
        with pytest.raises(CommandError, match="no marketplace “nowhere”"):
            call_command("close_day", "nowhere", on=FIRST)

    def test_refuses_a_day_that_is_not_over(self, market):
        with pytest.raises(CommandError, match="2999-01-01 is not over yet"):
            call_command("close_day", market.slug, on=date(2999, 1, 1))

    def test_refuses_an_archived_marketplace(self, market):
        with tenancy.use(market.pk):
            states.move(market, Marketplace.State.ARCHIVED, by=None, at=make.AT)
        with pytest.raises(CommandError, match="archived"):
            call_command("close_day", market.slug, on=FIRST)


class TestDueOn:
    def test_waits_for_the_closing_hour_in_the_marketplaces_zone(self, market):
        # The day of 1 September ends in Seoul at 15:00 UTC; it closes at two in the night.
        assert nights.due_on(market, at=datetime(2026, 9, 1, 16, 59, tzinfo=UTC)) is None
        assert nights.due_on(market, at=datetime(2026, 9, 1, 17, 0, tzinfo=UTC)) == FIRST

    def test_names_the_oldest_missed_day(self, market):
        assert nights.due_on(market, at=datetime(2026, 9, 20, tzinfo=UTC)) == FIRST


class TestTick:
    def test_runs_every_missed_night_of_every_marketplace(self, market, monkeypatch):
        other = make.market("other", zone="America/Sao_Paulo")
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=FIRST)
        now = datetime(2026, 9, 3, 0, 0, tzinfo=UTC)  # 09:00 in Seoul, 21:00 the day before there
        monkeypatch.setattr(tasks.timezone, "now", lambda: now)
        tasks.tick()
        market.refresh_from_db()
        other.refresh_from_db()
        assert market.last_closed_on == date(2026, 9, 2)
        assert other.last_closed_on == date(2026, 9, 1)
        with tenancy.use(market.pk):
            assert SettlementLine.objects.count() == 1
            assert AuditEntry.objects.filter(action="marketplace.day_closed").count() == 2
            assert OutboxMessage.objects.filter(topic="night.closed").count() == 2
            nights = Change.objects.filter(type="night.closed").order_by("object_id")
            assert [night.object_id for night in nights] == ["2026-09-01", "2026-09-02"]
        with tenancy.use(other.pk):
            assert not SettlementLine.objects.exists()

    def test_does_nothing_twice(self, market, monkeypatch):
        now = datetime(2026, 9, 2, 0, 0, tzinfo=UTC)
        monkeypatch.setattr(tasks.timezone, "now", lambda: now)
        tasks.tick()
        with tenancy.use(market.pk):
            before = AuditEntry.objects.count()
        tasks.tick()
        tasks.resume()
        tasks.close_day(marketplace_id=market.pk, on=FIRST.isoformat())
        with tenancy.use(market.pk):
            assert AuditEntry.objects.count() == before

    def test_lets_a_failing_marketplace_stop_no_other(self, market, monkeypatch):
        other = make.market("other")
        performance = nights.performance.record_days

        def fails_for_the_first(on):
            if tenancy.current_id() == market.pk:
                raise ValueError("broken figures")
            return performance(on)

        monkeypatch.setattr(nights.performance, "record_days", fails_for_the_first)
        with pytest.raises(nights.NightFailed, match=r"performance.*broken figures"):
            nights.advance(market.pk, FIRST, at=make.AT)
        nights.close_day(other.pk, FIRST, at=make.AT)
        other.refresh_from_db()
        assert other.last_closed_on == FIRST
        with tenancy.use(market.pk):
            night = JobRun.objects.get(kind=nights.NIGHT)
            assert (night.state, night.error) == (JobRun.State.FAILED, "broken figures")
        monkeypatch.undo()
        nights.close_day(market.pk, FIRST, at=make.AT)
        with tenancy.use(market.pk):
            assert JobRun.objects.get(kind=nights.NIGHT).state == JobRun.State.DONE


class TestShards:
    def test_are_put_aside_after_failing_too_often_and_released(self, market, monkeypatch):
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=FIRST)

        def database_gone(**_):
            raise OperationalError("terminating connection")

        monkeypatch.setattr(runs, "settle", database_gone)
        progress = nights.advance(market.pk, FIRST, at=make.AT)
        [shard] = progress.shards
        for _ in range(jobs.MAX_ATTEMPTS):
            with pytest.raises(OperationalError):
                nights.serve_shard(market.pk, shard, at=make.AT)
        assert not nights.serve_shard(market.pk, shard, at=make.AT)
        with pytest.raises(nights.NightFailed, match="failed too often"):
            nights.advance(market.pk, FIRST, at=make.AT)
        monkeypatch.undo()
        call_command("close_day", market.slug, on=FIRST, release=True)
        with tenancy.use(market.pk):
            assert JobShard.objects.get(pk=shard).is_done
            assert SettlementLine.objects.count() == 1

    def test_of_a_stranger_cannot_be_served(self, market):
        stranger = make.market("stranger")
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=FIRST)
        [shard] = nights.advance(market.pk, FIRST, at=make.AT).shards
        assert not nights.serve_shard(stranger.pk, shard, at=make.AT)
        with tenancy.use(market.pk):
            assert OutcomeToSettle.objects.count() == 1

    @pytest.mark.parametrize(
        ("weights", "limit", "ranges"),
        [
            ([], 10, []),
            ([(3, 5)], 10, [(3, 4, 5)]),
            ([(3, 5), (7, 5), (9, 1)], 10, [(3, 9, 10), (9, 10, 1)]),
            ([(1, 50), (2, 1), (3, 50)], 10, [(1, 2, 50), (2, 3, 1), (3, 4, 50)]),
        ],
    )
    def test_are_half_open_ranges_that_leave_no_seller_out(self, weights, limit, ranges):
        assert nights.ranges(weights, limit) == ranges


class TestCheck:
    def test_raises_a_sentinel_for_money_that_is_stuck(self, market, monkeypatch):
        with tenancy.use(market.pk):
            make.sold(make.seller(), confirmed_on=FIRST)

        def cannot_be_served(**_):
            raise ValueError("no rule")

        monkeypatch.setattr(runs, "settle", cannot_be_served)
        nights.close_day(market.pk, FIRST, at=make.AT)
        with tenancy.use(market.pk):
            message = OutboxMessage.objects.get(topic="sentinel.raised")
            assert message.payload == {
                "on": "2026-09-01",
                "sentinel": "waiting_outcomes",
                "count": 1,
            }
            row = JobRun.objects.get(kind="night.settle").rows.get()
            assert (row.head, row.key, row.code) == ("failed", "A", "ValueError")
        monkeypatch.undo()
        nights.close_day(market.pk, date(2026, 9, 2), at=make.AT)
        with tenancy.use(market.pk):
            assert not OutcomeToSettle.objects.exists()
            assert Statement.objects.get().lines == 1
