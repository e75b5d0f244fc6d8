"""Jobs and their shards: begun once, counted, put aside, and no waiting for each other."""

import threading
from datetime import timedelta

import pytest
from django.db import connections

from marketplace import celery, jobs, states, tenancy
from marketplace.models import AuditEntry, JobRun, JobShard, OutboxMessage
from marketplace.tests import make


def begin(market, key="a", **words):
    with tenancy.use(market.pk):
        return jobs.begin("test", key, at=make.NOON, **words)


def cut(market, *weights):
    job = begin(market)
    with tenancy.use(market.pk):
        jobs.cut(job, [(n, n + 1, weight) for n, weight in enumerate(weights)])
        return list(JobShard.objects.order_by("number").values_list("pk", flat=True))


def elsewhere(call):
    """The result of a call on another connection; fails if it waits for ours."""
    results = []

    def run():
        try:
            results.append(call())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=10)
    assert not thread.is_alive(), "it waits"
    return results[0]


@pytest.mark.django_db
class TestBegin:
    def test_makes_a_running_job_once(self):
        market = make.marketplace()
        first, second = begin(market, total=7), begin(market, total=9)
        assert (first.pk, first.state, first.started_at) == (second.pk, "running", make.NOON)
        assert second.total == 7
        with tenancy.use(market.pk):
            assert JobRun.objects.count() == 1

    def test_takes_up_one_that_failed(self):
        market = make.marketplace()
        job = begin(market)
        with tenancy.use(market.pk):
            jobs.fail(job, "no rule", at=make.NOON)
            assert JobRun.objects.get().error == "no rule"
        again = begin(market)
        assert (again.pk, again.state, again.error) == (job.pk, "running", "")

    def test_leaves_one_that_is_done(self):
        market = make.marketplace()
        job = begin(market)
        with tenancy.use(market.pk):
            jobs.finish(job, at=make.NOON, counts={"lines": 3})
        assert begin(market).state == JobRun.State.DONE

    def test_is_each_marketplaces_own(self):
        market, stranger = make.marketplace(), make.marketplace("stranger")
        assert begin(market).pk != begin(stranger).pk


@pytest.mark.django_db
class TestHandOn:
    def hand_on(self, job, **words):
        said = {"at": make.NOON, "counts": {"lines": 3}, "attempts": 1, "part": 1, **words}
        jobs.hand_on(job, "next", **said)

    def test_ends_one_and_begins_the_next_as_one_by_one_would(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            for key in ("a", "b"):
                jobs.begin(jobs.NIGHT, key, at=make.NOON, total=2)
            job, other = begin(market, on=make.NOON.date(), total=7), begin(market, "b", total=7)
            self.hand_on(job)
            jobs.finish(other, at=make.NOON, counts={"lines": 3})
            said = ("state", "done", "total", "counts", "error", "finished_at")
            ended = JobRun.objects.filter(kind="test").order_by("key").values(*said)
            assert ended[0] == ended[1]
            assert ended[0]["done"] == 7
            told = ("action", "at", "actor", "object_type", "reason", "data")
            entries = AuditEntry.objects.order_by("pk")
            assert list(entries.values_list("object_key", flat=True)) == [
                str(job.pk),
                str(other.pk),
            ]
            assert entries.values(*told)[0] == entries.values(*told)[1]
            begun = JobRun.objects.get(kind="next")
            assert (begun.key, begun.on, begun.state) == ("a", make.NOON.date(), "running")
            assert (begun.attempts, begun.started_at, begun.counts) == (1, make.NOON, {})
            nights = JobRun.objects.filter(kind=jobs.NIGHT).order_by("key")
            assert list(nights.values_list("done", flat=True)) == [1, 0]

    def test_refuses_a_job_that_is_not_running(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            job = begin(market)
            jobs.fail(job, "no rule", at=make.NOON)
            with pytest.raises(states.IllegalMove):
                self.hand_on(job)
            assert not JobRun.objects.filter(kind="next").exists()
            assert JobRun.objects.get().state == "failed"


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    def test_begin_does_not_wait_for_whoever_is_changing_the_job(self):
        market = make.marketplace()
        job = begin(market)
        with tenancy.use(market.pk):
            jobs.finish(job, at=make.NOON)
            assert elsewhere(lambda: begin(market)).state == JobRun.State.RUNNING

    def test_attempt_does_not_wait_for_whoever_is_at_the_shard(self):
        market = make.marketplace()
        [shard] = cut(market, 1)

        def attempt():
            with tenancy.use(market.pk):
                return jobs.attempt(shard)

        with tenancy.use(market.pk):
            assert jobs.claim_shard(shard)
            assert elsewhere(attempt) is False
        with tenancy.use(market.pk):
            assert JobShard.objects.get().attempts == 0
        assert attempt()

    def test_claim_leaves_a_job_to_whoever_holds_it(self):
        market = make.marketplace()
        begin(market)

        def claim():
            with tenancy.use(market.pk):
                return jobs.claim("test", "a")

        with tenancy.use(market.pk):
            assert jobs.claim("test", "a")
            assert elsewhere(claim) is None
        assert claim()


@pytest.mark.django_db
class TestShards:
    def test_are_counted_and_put_aside_after_too_many_attempts(self):
        market = make.marketplace()
        bad, good = cut(market, 1, 5)
        with tenancy.use(market.pk):
            assert [jobs.attempt(bad) for _ in range(6)] == [True] * 5 + [False]
            job = JobRun.objects.get()
            assert jobs.undone(job) == [good]
            assert jobs.is_parked(job)
            assert jobs.release_parked(job) == 1
            assert jobs.undone(job) == [good, bad]  # the heaviest first

    def test_add_up_when_they_are_done(self):
        market = make.marketplace()
        shards = cut(market, 2, 3)
        with tenancy.use(market.pk):
            job = JobRun.objects.get()
            assert job.total == 5
            for number, shard in enumerate(shards, 1):
                jobs.finish_shard(jobs.claim_shard(shard), counts={"lines": number})
            assert not jobs.undone(job)
            assert jobs.totals(job) == {"lines": 3}
            jobs.refresh(job)
            assert JobRun.objects.get().done == 5
            assert jobs.claim_shard(shards[0]) is None
            assert not jobs.attempt(shards[0])


@pytest.mark.django_db
class TestAbandoned:
    def attempted(self, market):
        job = begin(market)
        with tenancy.use(market.pk):
            assert jobs.count_attempt(job, at=make.NOON)
        return job

    def left(self, market, after):
        with tenancy.use(market.pk):
            return jobs.abandoned(["test"], "test.asked", at=make.NOON + after)

    def test_holds_what_nobody_can_be_at_any_more(self):
        market = make.marketplace()
        job = self.attempted(market)
        assert self.left(market, jobs.ABANDONED_AFTER) == []
        assert self.left(market, jobs.ABANDONED_AFTER + timedelta(seconds=1)) == [job.pk]
        assert timedelta(seconds=celery.HARD_LIMIT) < jobs.ABANDONED_AFTER

    def test_holds_what_the_broker_lost(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            lost, waiting, done = (JobRun.objects.create(kind="test", key=key) for key in "abc")
            JobRun.objects.filter(pk=done.pk).update(state=JobRun.State.DONE)
            for job, after in ((lost, 0), (waiting, 59), (done, 0)):
                OutboxMessage.objects.create(
                    topic="test.asked",
                    payload={"job_id": job.pk},
                    created_at=make.NOON + timedelta(minutes=after),
                )
        assert self.left(market, jobs.ABANDONED_AFTER) == []
        assert self.left(market, timedelta(hours=1)) == [lost.pk]

    def test_leaves_out_what_was_begun_again_or_has_ended(self):
        market = make.marketplace()
        job, later = self.attempted(market), timedelta(hours=1)
        with tenancy.use(market.pk):
            assert jobs.count_attempt(job, at=make.NOON + later)
        assert self.left(market, later) == []
        with tenancy.use(market.pk):
            jobs.finish(job, at=make.NOON)
        assert self.left(market, 2 * later) == []

    def test_is_ended_in_the_marketplaces_language(self):
        market = make.marketplace(locale="ko")
        with tenancy.use(market.pk):
            job = jobs.begin("test", "a", at=make.NOON)
            jobs.give_up(job, at=make.NOON)
        assert job.state == JobRun.State.FAILED
        assert job.error.startswith("5번 시도했지만")


class TestQueues:
    def test_keep_what_waits_for_receivers_apart(self):
        def queue(task):
            return celery.app.amqp.router.route({}, task)["queue"].name

        assert queue("marketplace.tasks.sweep_webhooks") == "webhooks"
        assert queue("settlements.tasks.serve_shard") == "celery"
        queues = celery.app.amqp.queues.values()
        routes = {(queue.name, queue.exchange.name, queue.routing_key) for queue in queues}
        assert routes == {(name,) * 3 for name in ("celery", "webhooks")}
