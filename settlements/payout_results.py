"""Files of results that a bank gives back: each taken once, row by row, with a report.

A row that does not fit stops no other: an unknown payout, another amount, a row that cannot be
read become exceptions for people.
"""

import hashlib
from collections import Counter
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from marketplace import audit, jobs, tenancy
from marketplace.models import JobRow, JobRun
from marketplace.refusals import Refused, gettext_noop
from settlements import payout_exceptions, payout_sending, transfer_files
from settlements.gateways.interface import Answer, Outcome
from settlements.models import Payout, PayoutBatch, PayoutException
from settlements.transfer_files import Result

KIND = "payout.results"


class NoFileBank(Refused):
    code = "payout_batch_has_no_file"
    message = gettext_noop("The bank of this batch takes no file; its results come by themselves.")


class NotSentYet(Refused):
    code = "payout_batch_not_sent"
    message = gettext_noop("The file is there once every payout of the batch stands in it.")


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
    """Write down every result of a file; the job returned lists its rows.

    Results may be partial, and of other batches too. Raises NoFileBank, ResultFileRepeated,
    NotAResultFile.
    """
    _refuse_without_file(batch)
    digest = hashlib.sha256(content).hexdigest()
    known = JobRun.objects.filter(kind=KIND, key=digest).first()
    if known is not None:
        before = timezone.localtime(known.finished_at)
        raise ResultFileRepeated(at=before.strftime("%Y-%m-%d %H:%M"))
    exponent = tenancy.current().currency_exponent
    results = transfer_files.read(batch.policy.gateway, content, exponent=exponent)
    job = jobs.begin(KIND, digest, at=at, by=by, total=len(results))
    payouts = Payout.objects.filter(public_id__in={result.reference for result in results})
    keys = dict(payouts.values_list("public_id", "pk"))
    rows = []
    # In the order of their payouts, so that two files wait for each other and do not deadlock.
    for result in sorted(results, key=lambda each: (each.reference, each.row)):
        came_to = _recorded(result, keys, name=name, by=by, at=at)
        rows.append(_told(job, result, came_to, name))
    jobs.report(job, sorted(rows, key=lambda row: row.row_number))
    counts = dict(Counter(row.head for row in rows))
    jobs.finish(job, at=at, by=by, counts={"batch": batch.pk, **counts})
    audit.record("payoutbatch.results_taken", by=by, at=at, obj=batch, data={"sha256": digest})
    return job


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
