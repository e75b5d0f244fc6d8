"""Exports that a worker writes to a file, asked for by a person or through the API.

Each is a JobRun of kind `export.<what>`. Its key begins with the public id of the seller that it
is limited to, if it is; `export.statement_file` is one statement's, for its seller. When it is done
its file lies under MEDIA_ROOT, in a folder of its marketplace, and is served to those who may have
it. Files are kept for a week. What is in them is the business of settlements.exports and
settlements.statement_files.
"""

import hashlib
import io
import uuid
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction

from marketplace import audit, jobs, outbox, tenancy
from marketplace.models import JobRun
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller
from settlements import exports, statement_files, table_files
from settlements.exports import Part
from settlements.models import Statement

PREFIX = "export."
EXPORTS = tuple(PREFIX + kind for kind in exports.KINDS)
JOBS = (*EXPORTS, statement_files.KIND)
TOPIC = "export.asked"  # by which the outbox hands an export to a worker
KEPT = timedelta(days=7)
FOR_SELLERS = ("orders", "settlement_lines", "statements")  # the journal is the marketplace's own
CANCELLED = "cancelled"  # the error of an export that nobody waits for any more


class FileGone(Refused):
    code = "export_file_gone"
    message = gettext_noop("The file of this export is no longer kept. Ask for a new one.")


class NotCancellable(Refused):
    code = "export_not_cancellable"
    message = gettext_noop("The export is being written or has ended.")


def rows(seller: Seller | None = None):
    """The exports of the marketplace in use, or of one of its sellers, newest first."""
    found = JobRun.objects.filter(kind__in=EXPORTS)
    if seller is not None:
        found = found.filter(key__startswith=f"{seller.public_id}-")
    return found.order_by("-id")


def ask(
    kind: str,
    *,
    by,
    at: datetime,
    seller: Seller | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
    file_type: str = table_files.CSV,
) -> JobRun:
    """Ask for an export of the marketplace in use, or one seller's part. A worker will write it.

    `kind` is one of exports.KINDS, `file_type` of table_files.TYPES; of a span of days where one
    is named. Raises exports.DaysTurned, exports.NoSpan.
    """
    if kind not in exports.KINDS or file_type not in table_files.TYPES:
        raise KeyError(kind, file_type)
    exports.check(kind, Part(None, first_on, last_on))
    days = {"first_on": first_on, "last_on": last_on}
    told = {name: day.isoformat() for name, day in days.items() if day}
    if file_type != table_files.CSV:
        told["type"] = file_type
    whose = f"{seller.public_id}-" if seller else ""
    key = f"{whose}{at:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex}"
    job = JobRun.objects.create(kind=PREFIX + kind, key=key, counts=told)
    outbox.add(TOPIC, job_id=job.pk)
    audit.record("export.asked", by=by, at=at, obj=job, data={"kind": kind, **told})
    return job


@transaction.atomic
def ask_for_statement(statement: Statement, file_type: str, *, by, at: datetime) -> JobRun:
    """Ask for the lines of a statement as a file, in the language in use.

    A second ask finds the first; one that failed, or whose file is lost, is made anew. `file_type`
    is one of table_files.FILES.
    """
    words = {
        "kind": statement_files.KIND,
        "key": statement_files.key(statement, file_type, on=at.date()),
    }
    for job in JobRun.objects.filter(**words):
        if job.state == JobRun.State.FAILED or (
            job.state == JobRun.State.DONE and not is_there(job)
        ):
            job.delete()
    told = statement_files.told(statement, file_type)
    job, is_new = JobRun.objects.get_or_create(
        **words, defaults={"total": statement.lines, "counts": told}
    )
    if is_new:
        outbox.add(TOPIC, job_id=job.pk)
        audit.record("export.asked", by=by, at=at, obj=job, data=told)
    return job


@transaction.atomic
def cancel(job: JobRun, *, by, at: datetime) -> JobRun:
    """Have an export that waits for a worker not written. Raises NotCancellable."""
    job = _held(job.pk)
    if job is None or job.state != JobRun.State.QUEUED:
        raise NotCancellable()
    job = jobs.begin(job.kind, job.key, at=at, by=by)
    jobs.fail(job, CANCELLED, at=at, by=by)
    return job


def write(marketplace_id: int, job_id: int, *, at: datetime) -> bool:
    """Write the file of an export whole; False when it is done or in other hands.

    It appears under its name only when it is complete. A worker that dies leaves the job running,
    and whoever is given the task next writes it again, up to jobs.MAX_ATTEMPTS times.
    """
    with tenancy.use(marketplace_id, durable=True):
        job = _held(job_id)
        if job is None or job.state in (JobRun.State.DONE, JobRun.State.FAILED):
            return False
        if job.state == JobRun.State.QUEUED:
            job = jobs.begin(job.kind, job.key, at=at)
        if not jobs.count_attempt(job, at=at):
            jobs.give_up(job, at=at)
            return False
    with tenancy.use(marketplace_id, durable=True):
        job = _held(job_id)
        if job is None or job.state != JobRun.State.RUNNING:
            return False
        jobs.finish(job, at=at, counts=_write(job))
    return True


def path(job: JobRun) -> Path:
    """Where the file of an export is. Made of what the system itself has chosen, nothing else."""
    folder = Path(settings.MEDIA_ROOT) / "exports" / str(job.marketplace_id)
    return folder / f"{job.kind.removeprefix(PREFIX)}-{job.key}.{type_of(job)}"


def type_of(job: JobRun) -> str:
    """Of which type of table_files.FILES the file of an export is."""
    return str(job.counts.get("type", table_files.CSV))


def file_of(job: JobRun) -> Path:
    """The complete file of an export. Raises FileGone where there is none (yet, or any more)."""
    if not is_there(job):
        raise FileGone()
    return path(job)


def span(job: JobRun) -> tuple[date | None, date | None]:
    """The first and last day that an export is limited to; None where it is not."""
    told = (job.counts.get(name) for name in ("first_on", "last_on"))
    first_on, last_on = (date.fromisoformat(day) if day else None for day in told)
    return first_on, last_on


def is_there(job: JobRun) -> bool:
    """Whether the complete file of an export can be had."""
    return job.state == JobRun.State.DONE and path(job).is_file()


def drop_old(*, at: datetime) -> int:
    """Remove the files of all marketplaces that were kept long enough; returns how many."""
    oldest, dropped = (at - KEPT).timestamp(), 0
    for file in (Path(settings.MEDIA_ROOT) / "exports").glob("*/*.*"):
        if file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)
            dropped += 1
    return dropped


def _held(job_id: int) -> JobRun | None:
    """The job, locked for the rest of the transaction; None while somebody else writes it."""
    found = JobRun.objects.filter(kind__in=JOBS, pk=job_id)
    return found.select_for_update(skip_locked=True, no_key=True).first()


def _write(job: JobRun) -> dict:
    file = path(job)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_suffix(".part")
    with partial.open("wb") as out:
        write_rows = statement_files.write if job.kind == statement_files.KIND else _write_export
        count = write_rows(job, out)
    digest = hashlib.sha256()
    with partial.open("rb") as written:
        while block := written.read(1 << 20):
            digest.update(block)
    size = partial.stat().st_size
    partial.replace(file)
    return {"rows": count, "bytes": size, "sha256": digest.hexdigest()}


def _write_export(job: JobRun, out: BinaryIO) -> int:
    kind, part = job.kind.removeprefix(PREFIX), Part(_seller_id(job), *span(job))
    if type_of(job) == table_files.XLSX:
        return exports.write_xlsx(kind, out, part)
    # The mark at its beginning lets Korean spreadsheets read it as UTF-8.
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    count = exports.write(kind, text, part)
    text.detach()
    return count


def _seller_id(job: JobRun) -> int | None:
    first, _, rest = job.key.partition("-")
    if "-" not in rest:
        return None
    return Seller.objects.values_list("pk", flat=True).get(public_id=first)
