"""Nights that two take at once, that come twice, or whose connection is lost half-way."""

import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, connection

from marketplace import tenancy
from marketplace.models import AuditEntry, JobRun, JobShard
from orders.models import OutcomeToSettle
from settlements import nights, runs, taking, tasks
from settlements.models import SettlementLine, Statement
from settlements.tests import make
from tests.faults import nights_apart
from tests.faults.at_once import at_once
from tests.faults.nights_apart import LAST_ON

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 9, 5, 3, tzinfo=UTC)  # LAST_ON has just been over in Seoul
FIRST = make.FIRST_OPEN_ON


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    nights_apart.shards_of(monkeypatch, 3)


@pytest.fixture(scope="module")
def remembered():
    return []


@pytest.fixture
def expected(remembered):
    """What an undisturbed marketplace with the same past comes to."""
    if not remembered:
        market = nights_apart.market("undisturbed")
        nights.close_day(market.pk, LAST_ON, at=AT)
        remembered.append(nights_apart.told(market))
    return remembered[0]


@pytest.fixture
def market():
    return nights_apart.market("disturbed")


def orchestrate(market):
    """Close all nights as one of several orchestrators that know nothing of each other."""
    on = FIRST
    while on <= LAST_ON:
        try:
            progress = nights.advance(market.pk, on, at=AT)
        except nights.NightBusy:
            time.sleep(0.002)
            continue
        for shard in progress.shards:
            nights.serve_shard(market.pk, shard, at=AT)
        if progress.is_closed:
            on += timedelta(days=1)


class TestAdvance:
    def test_closes_each_night_once_for_two_orchestrators(self, market, expected):
        at_once(lambda: orchestrate(market), lambda: orchestrate(market))
        assert nights_apart.told(market) == expected

    def test_tells_a_second_orchestrator_that_it_is_busy(self, market, monkeypatch):
        is_busy, may_go_on = threading.Event(), threading.Event()
        record_days = nights.performance.record_days

        def slowly(on):
            is_busy.set()
            assert may_go_on.wait(30)
            return record_days(on)

        monkeypatch.setattr(nights.performance, "record_days", slowly)

        def second():
            assert is_busy.wait(30)
            try:
                with pytest.raises(nights.NightBusy):
                    nights.advance(market.pk, FIRST, at=AT)
            finally:
                may_go_on.set()

        at_once(lambda: nights.advance(market.pk, FIRST, at=AT), second)

    def test_goes_on_after_losing_its_connection_at_any_statement(self, market, expected):
        lost = 0
        for on in (FIRST, LAST_ON):
            nights.close_day(market.pk, on - timedelta(days=1), at=AT)
            statement = 0
            while True:
                statement += 1
                before = _state_of(market)
                with _connection_lost_at(statement) as hit:
                    progress = _unless_lost(lambda on=on: nights.advance(market.pk, on, at=AT))
                if progress is None:
                    lost += 1
                    # What it had completed stands; of the step at hand there is nothing.
                    assert _state_of(market) >= before
                    with tenancy.use(market.pk):
                        JobRun.objects.update(attempts=0)
                    continue
                assert not hit
                for shard in progress.shards:
                    nights.serve_shard(market.pk, shard, at=AT)
                if progress.is_closed:
                    break
        assert lost > 50
        assert nights_apart.told(market) == expected


class TestServeShard:
    def test_is_done_by_one_of_two_at_once(self, market, expected, monkeypatch):
        shard, *_ = nights.advance(market.pk, FIRST, at=AT).shards
        has_begun, may_end = threading.Event(), threading.Event()
        settle = runs.settle

        def slowly(**words):
            has_begun.set()
            assert may_end.wait(30)
            return settle(**words)

        monkeypatch.setattr(runs, "settle", slowly)

        def second():
            assert has_begun.wait(30)
            began = time.monotonic()
            try:
                return nights.serve_shard(market.pk, shard, at=AT), time.monotonic() - began
            finally:
                may_end.set()

        first_did, (second_did, waited) = at_once(
            lambda: nights.serve_shard(market.pk, shard, at=AT), second
        )
        assert (first_did, second_did) == (True, False)
        assert waited < 5  # it went to other work instead of waiting for the first one's end
        with tenancy.use(market.pk):
            assert JobShard.objects.get(pk=shard).attempts == 1
        orchestrate(market)
        assert nights_apart.told(market) == expected

    @pytest.mark.parametrize("kind", ["settle", "statements"])
    def test_leaves_nothing_when_its_connection_is_lost_at_any_statement(
        self, market, expected, kind
    ):
        shard = _first_shard_of(market, kind)
        before = _state_of(market)
        statement = 0
        while True:
            statement += 1
            with _connection_lost_at(statement) as hit:
                served = _unless_lost(lambda: nights.serve_shard(market.pk, shard, at=AT))
            if served:
                break
            assert hit
            assert _state_of(market) == before
            with tenancy.use(market.pk):
                JobShard.objects.filter(pk=shard).update(attempts=0)
        assert statement > 15
        assert _state_of(market) > before
        orchestrate(market)
        assert nights_apart.told(market) == expected

    @pytest.mark.parametrize(
        ("on", "statements"),
        [
            (FIRST, (taking._NEXT_OUTCOMES, taking._ORDERS, runs._INSERT)),
            (nights_apart.RETURNED_ON, (taking._THESE_OUTCOMES, taking._BEFORE)),
        ],
        ids=["sales", "reversals"],
    )
    def test_leaves_nothing_when_its_connection_is_lost_while_lines_stream(
        self, market, expected, monkeypatch, on, statements
    ):
        """The driver's own errors, raised past Django, blame the database and not the seller."""
        nights.close_day(market.pk, on - timedelta(days=1), at=AT)
        shard, *_ = nights.advance(market.pk, on, at=AT).shards
        before = _state_of(market)
        for statement in statements:
            real = psycopg.Cursor.execute
            losses = []

            def loses(cursor, query, *words, at=statement, real=real, losses=losses, **more):
                if query is at and not losses:
                    _terminate(cursor.connection.info.backend_pid)
                    losses.append(query)
                return real(cursor, query, *words, **more)

            with monkeypatch.context() as patched:
                patched.setattr(psycopg.Cursor, "execute", loses)
                assert _unless_lost(lambda: nights.serve_shard(market.pk, shard, at=AT)) is None
            assert losses
            assert _state_of(market) == before
        with tenancy.use(market.pk):
            job = JobRun.objects.get(kind="night.settle", key=on.isoformat())
            assert not job.rows.exists()
        orchestrate(market)
        assert nights_apart.told(market) == expected


class TestTick:
    def test_does_no_harm_when_two_beats_send_it_at_once(self, market, expected, monkeypatch):
        monkeypatch.setattr(tasks.timezone, "now", lambda: AT)

        def beat():
            for _ in range(3):
                tasks.tick()
                tasks.resume()

        at_once(beat, beat)
        tasks.tick()  # whichever gave way to the other, a later one finds all done
        assert nights_apart.told(market) == expected


class TestResume:
    @pytest.fixture
    def taken_up(self, monkeypatch):
        days = []
        monkeypatch.setattr(tasks.timezone, "now", lambda: AT)
        monkeypatch.setattr(tasks.close_day, "delay", lambda *, on, **_: days.append(on))
        return days

    def test_takes_up_the_next_of_several_missed_nights(self, market, taken_up):
        nights.close_day(market.pk, FIRST, at=AT)  # and its worker died before it began another
        tasks.resume()
        assert taken_up == ["2026-09-02"]

    def test_leaves_a_night_that_failed_to_the_hourly_tick(self, market, taken_up, monkeypatch):
        def cannot_be_done(on):
            raise ValueError("no figures")

        with monkeypatch.context() as patched:
            patched.setattr(nights.performance, "record_days", cannot_be_done)
            with pytest.raises(nights.NightFailed):
                nights.advance(market.pk, FIRST, at=AT)
        tasks.resume()
        assert taken_up == []
        tasks.tick()
        assert taken_up == ["2026-09-01"]


class TestServeShardTask:
    def test_starts_nothing_when_it_comes_twice(self, market, monkeypatch):
        started = []
        monkeypatch.setattr(tasks.close_day, "delay", lambda **words: started.append(words))
        shards = nights.advance(market.pk, FIRST, at=AT).shards
        for _ in range(3):
            for shard in shards:
                tasks.serve_shard(marketplace_id=market.pk, on=FIRST.isoformat(), shard_id=shard)
        assert len(started) == 1


def _first_shard_of(market, kind):
    """Orchestrate up to the first night whose step has shards, and name the heaviest of them."""
    on = FIRST
    while True:
        progress = nights.advance(market.pk, on, at=AT)
        if progress.step == kind and progress.shards:
            return progress.shards[0]
        for shard in progress.shards:
            nights.serve_shard(market.pk, shard, at=AT)
        if progress.is_closed:
            on += timedelta(days=1)


def _state_of(market):
    """How far the nights are, in what they leave; each figure only ever grows."""
    with tenancy.use(market.pk):
        return (
            JobRun.objects.filter(state=JobRun.State.DONE).count(),
            JobShard.objects.filter(is_done=True).count(),
            SettlementLine.objects.count(),
            Statement.objects.exclude(state=Statement.State.OPEN).count(),
            -OutcomeToSettle.objects.count(),
            AuditEntry.objects.count(),
        )


def _unless_lost(call):
    """What a call returns, or None when its connection was lost; the next one gets a new one."""
    try:
        return call()
    except (OperationalError, InterfaceError, psycopg.OperationalError):
        return None
    finally:
        connection.close_if_unusable_or_obsolete()


class _connection_lost_at:  # noqa: N801 (reads as what it says)
    """The server ends the connection just before its n-th statement."""

    def __init__(self, number):
        self._left = number
        self._hit = []

    def __enter__(self):
        self._wrapper = connection.execute_wrapper(self._count)
        self._wrapper.__enter__()
        return self._hit

    def __exit__(self, *failure):
        self._wrapper.__exit__(*failure)

    def _count(self, execute, sql, params, many, context):
        self._left -= 1
        if not self._left:
            self._hit.append(sql)
            _terminate(context["connection"].connection.info.backend_pid)
        return execute(sql, params, many, context)


def _terminate(pid):
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
