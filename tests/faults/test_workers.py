"""Real workers that die again and again over the same task."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection

from marketplace import embedded, jobs, scratch, tenancy
from marketplace.models import JobRun, JobShard
from settlements import nights
from settlements.crashes import broker
from settlements.crashes.workers import Crew
from settlements.models import SettlementLine
from settlements.tests import make

AT = datetime(2026, 9, 2, 3, tzinfo=UTC)  # the first day has just been over in Seoul
FIRST = make.FIRST_OPEN_ON


@pytest.mark.django_db(transaction=True)
class TestTaskThatKillsItsWorker:
    def test_is_put_aside_and_the_others_go_on(self, monkeypatch, tmp_path):
        market, other = make.market(), make.market("other")
        first, deadly, last = _sellers_with_a_line(market)
        _sellers_with_a_line(other)
        monkeypatch.setenv("JANGTEO_DEADLY_SELLER", str(deadly.pk))
        with _crew(tmp_path, app="tests.faults.deadly_app") as crew:
            crew.start(1)
            _until(lambda: _night(market).state == JobRun.State.FAILED, crew)
            _until(lambda: _night(other).state == JobRun.State.DONE, crew)
        # The beat may have had the failed night tried once more as the workers ended: ask again.
        with pytest.raises(nights.NightFailed, match="failed too often"):
            nights.advance(market.pk, FIRST, at=AT)
        with tenancy.use(market.pk):
            settled = set(SettlementLine.objects.values_list("seller_id", flat=True))
            assert settled == {first.pk, last.pk}
            [shard] = JobShard.objects.filter(is_done=False)
            assert (shard.first_key, shard.attempts) == (deadly.pk, jobs.MAX_ATTEMPTS)
        with tenancy.use(other.pk):
            assert SettlementLine.objects.count() == 3

        nights.release(market.pk, FIRST)
        nights.close_day(market.pk, FIRST, at=AT)
        with tenancy.use(market.pk):
            assert SettlementLine.objects.count() == 3
            assert _night(market).state == JobRun.State.DONE

    def test_does_so_too_as_a_step_without_shards(self, monkeypatch, tmp_path):
        market, other = make.market(), make.market("other")
        for place in (market, other):
            _sellers_with_a_line(place)
        monkeypatch.setenv("JANGTEO_DEADLY_MARKETPLACE", str(market.pk))
        with _crew(tmp_path, app="tests.faults.deadly_app") as crew:
            crew.start(1)
            _until(lambda: _night(market).state == JobRun.State.FAILED, crew)
            _until(lambda: _night(other).state == JobRun.State.DONE, crew)
        with tenancy.use(market.pk):
            step = JobRun.objects.get(kind="night.performance")
            assert (step.state, step.attempts) == (JobRun.State.FAILED, jobs.MAX_ATTEMPTS)
            assert "never came to its end" in step.error
            assert not SettlementLine.objects.exists()
        with tenancy.use(other.pk):
            assert SettlementLine.objects.count() == 3

        nights.close_day(market.pk, FIRST, at=AT)
        with tenancy.use(market.pk):
            assert SettlementLine.objects.count() == 3


def _sellers_with_a_line(market):
    with tenancy.use(market.pk):
        sellers = [make.seller(code) for code in "ABC"]
        for seller in sellers:
            make.sold(seller, number=f"O-{seller.code}", confirmed_on=FIRST)
        return sellers


@contextmanager
def _crew(folder, **words):
    """Workers on the test's own database, ended and forgotten after the block."""
    if settings.EMBEDDED_BROKER:
        embedded.start_broker()
    database = connection.settings_dict["NAME"]
    name = f"{scratch.PREFIX}{database}"
    with (folder / "workers.log").open("w") as log:
        crew = Crew(
            1,
            name=name,
            database=database,
            broker_url=settings.CELERY_BROKER_URL,
            clock=AT,
            log=log,
            lines_a_shard=1,
            **words,
        )
        try:
            with crew:
                yield crew
        finally:
            broker.forget(name, settings.CELERY_BROKER_URL)


def _night(market):
    with tenancy.use(market.pk):
        return JobRun.objects.filter(kind=nights.NIGHT).first() or JobRun()


def _until(is_so, crew):
    """Play the beat, whose hour does not come again meanwhile, until something is so."""
    deadline = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < deadline
        crew.check()  # only processes of its pool may die
        crew.remind("settlements.tasks.resume")
        time.sleep(0.3)
