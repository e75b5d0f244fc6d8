"""Long work and its parts: begun once, repeated safely, visible while it runs.

A job is known by kind and key, so whoever begins it again finds the first one. A part of it (a
shard) is claimed by locking its row and marked done in the transaction of its effect: after a
crash it is either done or untouched. A part that keeps failing is parked, so that it cannot hold
up the others for ever.
"""

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import F, Sum
from django.utils import translation

from marketplace import audit, states, tenancy
from marketplace.models import JobRow, JobRun, JobShard, OutboxMessage
from marketplace.models.jobs import MAX_ATTEMPTS
from marketplace.refusals import Refused, gettext_noop

NIGHT = "night"  # the kind of the job that closes a business day
# Longer than any task may run (marketplace.celery): whoever was at it is not at it any more.
ABANDONED_AFTER = timedelta(minutes=15)


class TriedTooOften(Refused):
    code = "job_tried_too_often"
    message = gettext_noop(
        "This was tried %(times)s times and never came to an end. The log of the workers says why."
    )


def begin(
    kind: str, key: str, *, at: datetime, by=None, on: date | None = None, total: int = 0
) -> JobRun:
    """The job of this kind and key, made and running if it is new. A failed one is taken up."""
    jobs = JobRun.objects.filter(kind=kind, key=key)
    job = jobs.first()
    if job is None:  # only then: an insert would wait for whoever is just changing the row
        new = JobRun(
            kind=kind, key=key, on=on, total=total, state=JobRun.State.RUNNING, started_at=at
        )
        JobRun.objects.bulk_create([new], ignore_conflicts=True)
        job = jobs.get()
    startable = (JobRun.State.QUEUED, JobRun.State.FAILED)
    if job.state in startable:  # of two that begin it at once, the second finds it running
        job = JobRun.objects.select_for_update(no_key=True).get(pk=job.pk)
    if job.state in startable:
        started = {
            "started_at": job.started_at or at,
            "finished_at": None,
            "error": "",
            "attempts": 0,
        }
        states.move(job, JobRun.State.RUNNING, by=by, at=at, changes=started)
    return job


def hand_on(job: JobRun, to: str, *, at: datetime, counts: dict, attempts: int, part: int) -> None:
    """End a job well, and begin the one of kind `to` that comes after it in the same night.

    The night itself is told how many of its parts are done. Nobody else can begin the next job
    before this transaction ends; `attempts` of it are counted at once, by whoever goes on with
    it. Raises states.IllegalMove when the job is not running.
    """
    told = audit.entry(
        f"jobrun.{JobRun.State.DONE}",
        by=None,
        at=at,
        obj=job,
        data={"from": str(JobRun.State.RUNNING), "to": str(JobRun.State.DONE)},
    )
    values = {
        "marketplace": tenancy.current_id(),
        "job": job.pk,
        "kind": to,
        "key": job.key,
        "on": job.on,
        "at": at,
        "counts": json.dumps(job.counts | counts),
        "attempts": attempts,
        "night": NIGHT,
        "part": part,
        "action": told.action,
        "object_type": told.object_type,
        "object_key": told.object_key,
        "data": json.dumps(told.data),
    }
    with connection.cursor() as cursor:
        cursor.execute(_HAND_ON, values)
        if not cursor.rowcount:
            raise states.IllegalMove(old=job.state, new=JobRun.State.DONE)


# What finish(), progress() and a new row would do one after the other: a quiet night does little
# else at each of its steps.
_HAND_ON = """
WITH ended AS (
    UPDATE marketplace_jobrun
    SET state = 'done', finished_at = %(at)s, done = total, counts = %(counts)s::jsonb
    WHERE marketplace_id = %(marketplace)s AND id = %(job)s AND state = 'running'
    RETURNING id
), told AS (
    INSERT INTO marketplace_auditentry
        (marketplace_id, at, action, object_type, object_key, reason, data)
    SELECT %(marketplace)s, %(at)s, %(action)s, %(object_type)s, %(object_key)s, '',
        %(data)s::jsonb
    FROM ended
), night AS (
    UPDATE marketplace_jobrun SET done = %(part)s
    WHERE marketplace_id = %(marketplace)s AND kind = %(night)s AND key = %(key)s
), begun AS (
    INSERT INTO marketplace_jobrun
        (marketplace_id, kind, key, "on", state, done, total, counts, error, attempts, started_at)
    SELECT %(marketplace)s, %(kind)s, %(key)s, %(on)s, 'running', 0, 0, '{}', '', %(attempts)s,
        %(at)s
    FROM ended
    ON CONFLICT DO NOTHING
)
SELECT id FROM ended
"""


def claim(kind: str, key: str) -> JobRun | None:
    """Lock a job for the rest of the transaction; None while somebody else holds it."""
    rows = JobRun.objects.select_for_update(skip_locked=True, no_key=True)
    return rows.filter(kind=kind, key=key).first()


def count_attempt(job: JobRun, *, at: datetime) -> bool:
    """Count an attempt at a job that is done whole; False when there were too many.

    To be committed before the attempt begins, so that one that kills its process counts. From
    then on the job has started at that attempt.
    """
    if job.attempts >= MAX_ATTEMPTS:
        return False
    JobRun.objects.filter(pk=job.pk).update(attempts=F("attempts") + 1, started_at=at)
    return True


def give_up(job: JobRun, *, at: datetime, by=None) -> None:
    """End a job that was tried too often, and say so in the marketplace's language."""
    with translation.override(tenancy.current().locale):
        told = TriedTooOften(times=MAX_ATTEMPTS).text(translation.gettext)
    fail(job, told, at=at, by=by)


def abandoned(kinds: Iterable[str], topic: str, *, at: datetime) -> list[int]:
    """The ids of jobs of these kinds that nobody can be at any more.

    Those that run for too long, and those that were handed out through the outbox (by messages of
    a topic that name their `job_id`) and never began: the broker has lost them.
    """
    long_ago = at - ABANDONED_AFTER
    found = JobRun.objects.filter(kind__in=kinds)
    running = found.filter(state=JobRun.State.RUNNING, started_at__lt=long_ago)
    queued = found.filter(state=JobRun.State.QUEUED)
    asked = OutboxMessage.objects.filter(topic=topic, created_at__lt=long_ago)
    waiting = list(queued.values_list("pk", flat=True))
    lost = asked.filter(payload__job_id__in=waiting).values_list("payload__job_id", flat=True)
    return sorted({*running.values_list("pk", flat=True), *(lost if waiting else ())})


def progress(job: JobRun, done: int, *, counts: dict | None = None) -> None:
    """Tell how far a job has come. Visible to others when the transaction ends."""
    job.done = done
    if counts is not None:
        job.counts = counts
    JobRun.objects.filter(pk=job.pk).update(done=done, counts=job.counts)


def finish(job: JobRun, *, at: datetime, by=None, counts: dict | None = None) -> None:
    """End a job well. Its `done` becomes its total."""
    changes = {"finished_at": at, "done": F("total"), "counts": job.counts | (counts or {})}
    states.move(job, JobRun.State.DONE, by=by, at=at, changes=changes)


def fail(job: JobRun, error: str, *, at: datetime, by=None) -> None:
    """End a job badly; it can be begun again."""
    states.move(job, JobRun.State.FAILED, by=by, at=at, changes={"finished_at": at, "error": error})


def report(job: JobRun, rows: Iterable[JobRow]) -> None:
    """Add rows that a person should look at."""
    JobRow.objects.bulk_create(rows, batch_size=2000)


def cut(job: JobRun, parts: Iterable[tuple[int, int, int]]) -> int:
    """Give a job its shards, from (first key, end key, weight); returns how many.

    Its counts say how many, too, so that it is cut once. Without any it is for its end, in the
    same transaction, to write that down.
    """
    shards = [
        JobShard(job=job, number=number, first_key=first, end_key=end, weight=weight)
        for number, (first, end, weight) in enumerate(parts)
    ]
    job.counts = job.counts | {"shards": len(shards)}
    if not shards:
        return 0
    JobShard.objects.bulk_create(shards, batch_size=2000)
    job.total = sum(shard.weight for shard in shards)
    JobRun.objects.filter(pk=job.pk).update(total=job.total, counts=job.counts)
    return len(shards)


def attempt(shard_id: int) -> bool:
    """Count an attempt at a shard, in a transaction of its own.

    False when it is done, parked, or just being done by another: that one's end is not waited
    for, and a task that comes twice is no attempt.
    """
    shard = claim_shard(shard_id)
    if shard is None or shard.attempts >= MAX_ATTEMPTS:
        return False
    shard.attempts += 1
    shard.save(update_fields=["attempts"])
    return True


def claim_shard(shard_id: int) -> JobShard | None:
    """Lock an undone shard for the rest of the transaction; None when done or held by another."""
    return (
        JobShard.objects.select_for_update(skip_locked=True)
        .filter(pk=shard_id, is_done=False)
        .first()
    )


def finish_shard(shard: JobShard, *, counts: dict) -> None:
    """Mark a shard done, in the transaction of its effect."""
    shard.is_done = True
    shard.counts = counts
    shard.error = ""
    shard.save(update_fields=["is_done", "counts", "error"])


def undone(job: JobRun) -> list[int]:
    """The ids of shards that still have to be done and are not parked, heaviest first."""
    return list(
        JobShard.objects.filter(job=job, is_done=False, attempts__lt=MAX_ATTEMPTS)
        .order_by("-weight", "number")
        .values_list("pk", flat=True)
    )


def is_parked(job: JobRun) -> bool:
    """Whether a shard of the job has failed too often and waits for a person."""
    return JobShard.objects.filter(job=job, is_done=False, attempts__gte=MAX_ATTEMPTS).exists()


def release_parked(job: JobRun) -> int:
    """Let parked shards be tried again; returns how many there were."""
    return JobShard.objects.filter(job=job, is_done=False, attempts__gte=MAX_ATTEMPTS).update(
        attempts=0
    )


def totals(job: JobRun) -> dict[str, int]:
    """The counts of all shards of a job, added up."""
    sums: dict[str, int] = {}
    for counts in JobShard.objects.filter(job=job, is_done=True).values_list("counts", flat=True):
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
    return sums


def refresh(job: JobRun) -> None:
    """Take a job's progress from its shards."""
    done = JobShard.objects.filter(job=job, is_done=True).aggregate(Sum("weight"))["weight__sum"]
    progress(job, done or 0)
