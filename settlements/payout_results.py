"""Files of results that a bank gives back: each taken once, row by row, with a report.

A row that does not fit stops no other: an unknown payout, another amount, a row that cannot be
read become exceptions for people. A file of many rows is kept for a worker, who takes it part by
part; what a part wrote down stays when the worker dies, and the next one goes on behind it.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext

from marketplace import audit, jobs, outbox, tenancy
from marketplace.models import JobRow, JobRun
from marketplace.refusals import Refused, gettext_noop
from settlements import payout_exceptions, payout_sending, transfer_files
from settlements.gateways.interface import Answer, Outcome
from settlements.models import Payout, PayoutBatch, PayoutException
from settlements.transfer_files import Result

KIND: Final = "payout.results"
TOPIC: Final = "payout_results.uploaded"  # by which the outbox hands a file to a worker
AT_ONCE: Final = 200  # rows that are taken while whoever uploads them waits
PART: Final = 500  # rows that a worker takes in one transaction


class NoFileBank(Refused):
    code = "payout_batch_has_no_file"
    message = gettext_noop("The bank of this batch takes no file; its results come by themselves.")


class NotSentYet(Refused):
    code = "payout_batch_not_sent"
    message = gettext_noop("The file is there once every payout of the batch stands in it.")


class ResultFileUnderWay(Refused):
    code = "result_file_under_way"
    message = gettext_noop(
        "This file is being taken: %(done)s of %(total)s rows so far. Nothing was changed."
    )


class ResultFileRepeated(Refused):
    code = "result_file_repeated"
    message = gettext_noop("This file was taken before, at %(at)s. Nothing was changed.")


@transaction.atomic
def file_of(batch: PayoutBatch, *, by, at: datetime) -> bytes:
    """The bank's file of a batch: the same bytes however often it is asked for.

    Raises NoFileBank, and NotSentYet before the batch's payouts have been handed over.
    """
    rows = PayoutBatch.objects.select_for_update(of=("self",), no_key=True)
    batch = rows.select_related("policy").get(pk=batch.pk)
    _refuse_without_file(batch)
    if batch.state not in (PayoutBatch.State.AWAITING, PayoutBatch.State.COMPLETED):
        raise NotSentYet()
    payouts = Payout.objects.filter(batch=batch).exclude(state=Payout.State.STOPPED)
    transfers = [
        payout_sending.transfer_of(payout)
        for payout in payouts.select_related("batch__policy").order_by("public_id")
    ]
    exponent = tenancy.current().currency_exponent
    content = transfer_files.write(batch.policy.gateway, transfers, exponent=exponent)
    digest = hashlib.sha256(content).hexdigest()
    if not batch.file_hash:
        PayoutBatch.objects.filter(pk=batch.pk).update(file_hash=digest)
    elif batch.file_hash != digest:
        raise RuntimeError(f"the file of {batch.public_id} is not what it was")
    data = {"sha256": digest, "transfers": len(transfers)}
    audit.record("payoutbatch.file_taken", by=by, at=at, obj=batch, data=data)
    return content


@transaction.atomic
def take(batch: PayoutBatch, content: bytes, *, name: str, by, at: datetime) -> JobRun:
    """Write down every result of a file; the job returned lists its rows, or will list them.

    Results may be partial, and of other batches too. More than AT_ONCE of them are left to a
    worker. Raises NoFileBank, ResultFileRepeated, ResultFileUnderWay, NotAResultFile.
    """
    _refuse_without_file(batch)
    digest = hashlib.sha256(content).hexdigest()
    _refuse_repeated(digest)
    exponent = tenancy.current().currency_exponent
    results = transfer_files.read(batch.policy.gateway, content, exponent=exponent)
    told = {"batch": batch.pk, "file": name[:200]}
    job, _ = JobRun.objects.get_or_create(
        kind=KIND, key=digest, defaults={"total": len(results), "counts": told}
    )
    if len(results) <= AT_ONCE:
        job = jobs.begin(KIND, digest, at=at, by=by)
        _take_part(job, _in_order(results), by=by, at=at)
        _finish(job, by=by, at=at)
    else:
        _keep(job, content)
        outbox.add(TOPIC, job_id=job.pk, user_id=by.pk if by else None)
    audit.record("payoutbatch.results_taken", by=by, at=at, obj=batch, data={"sha256": digest})
    return job


def run(marketplace_id: int, job_id: int, *, by, at: datetime) -> bool:
    """Take a file that was left to a worker; False when it is done or in other hands.

    Must not be called within a transaction: each part is committed with how far it has come.
    """
    with tenancy.use(marketplace_id, durable=True):
        job = JobRun.objects.get(kind=KIND, pk=job_id)
        if job.state == JobRun.State.DONE:
            return False
        job = jobs.begin(KIND, job.key, at=at, by=by)
        is_tried = jobs.count_attempt(job, at=at)
        if not is_tried:
            jobs.give_up(job, at=at, by=by)
            return False
        batch = PayoutBatch.objects.select_related("policy").get(pk=job.counts["batch"])
        exponent = tenancy.current().currency_exponent
        content = _path(job).read_bytes()
    results = _in_order(transfer_files.read(batch.policy.gateway, content, exponent=exponent))
    while True:
        with tenancy.use(marketplace_id, durable=True):
            held = jobs.claim(KIND, job.key)
            if held is None or held.state != JobRun.State.RUNNING:
                return False
            part = results[held.done : held.done + PART]
            if not part:
                _finish(held, by=by, at=at)
                break
            _take_part(held, part, by=by, at=at)
    _path(job).unlink(missing_ok=True)
    return True


def _refuse_repeated(digest: str) -> None:
    known = JobRun.objects.filter(kind=KIND, key=digest).first()
    if known is None or known.state == JobRun.State.FAILED:
        return
    if known.finished_at is None:
        raise ResultFileUnderWay(done=known.done, total=known.total)
    before = timezone.localtime(known.finished_at)
    raise ResultFileRepeated(at=before.strftime("%Y-%m-%d %H:%M"))


def _in_order(results: Sequence[Result]) -> list[Result]:
    """By their payouts, so that two files wait for each other and do not deadlock."""
    return sorted(results, key=lambda each: (each.reference, each.row))


def _take_part(job: JobRun, results: Sequence[Result], *, by, at: datetime) -> None:
    name = job.counts["file"]
    payouts = Payout.objects.filter(public_id__in={result.reference for result in results})
    keys = dict(payouts.values_list("public_id", "pk"))
    rows = [
        _told(job, result, _recorded(result, keys, name=name, by=by, at=at), name)
        for result in results
    ]
    jobs.report(job, sorted(rows, key=lambda row: row.row_number))
    jobs.progress(job, job.done + len(results))


def _finish(job: JobRun, *, by, at: datetime) -> None:
    heads = JobRow.objects.filter(job=job).order_by().values_list("head").annotate(Count("pk"))
    jobs.finish(job, at=at, by=by, counts=dict(heads))


def _path(job: JobRun) -> Path:
    return Path(settings.MEDIA_ROOT) / "payout-results" / str(job.marketplace_id) / job.key


def _keep(job: JobRun, content: bytes) -> None:
    path = _path(job)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(path)


def _recorded(result: Result, keys: dict[str, int], *, name: str, by, at: datetime) -> str:
    kinds = PayoutException.Kind
    source = f"{name}:{result.row}"
    if result.problem is not None:
        return payout_exceptions.raise_unknown(
            result.reference, kinds.UNREADABLE, at=at, source=source
        )
    if result.reference not in keys:
        return payout_exceptions.raise_unknown(
            result.reference, kinds.UNKNOWN_ID, at=at, source=source, found=result.amount
        )
    outcome = Outcome.PAID if result.is_paid else Outcome.FAILED
    answer = Answer(outcome, result.code, result.said, result.amount)
    return payout_sending.record(keys[result.reference], answer, at=at, by=by, source=source)


def _told(job: JobRun, result: Result, came_to: str, name: str) -> JobRow:
    problem = result.problem
    return JobRow(
        job=job,
        head=str(came_to),
        source=name[:200],
        row_number=result.row,
        key=result.reference[:120],
        code=result.code or "-",
        reason=(problem.text(gettext) if problem else result.said or result.code)[:500],
        amount=None if problem else result.amount,
    )


def _refuse_without_file(batch: PayoutBatch) -> None:
    if not batch.policy.writes_file:
        raise NoFileBank()
