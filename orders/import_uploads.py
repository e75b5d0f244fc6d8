"""Order files that somebody uploads: kept until a worker has imported them, and what came of it.

Each upload is a JobRun of its own that mirrors the progress of the import; the rows that were
told stand with the import's job, which is found again when the same files come twice.
"""

import json
import shutil
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import translation

from marketplace import audit, jobs, outbox, tenancy
from marketplace.models import JobRow, JobRun
from marketplace.refusals import Refused, gettext_noop
from orders import importing
from orders.models import ImportProfile

KIND: Final = "import.upload"
TOPIC: Final = "import.uploaded"  # by which the outbox hands an upload to a worker
MOST_FILES: Final = 10
MOST_BYTES: Final = 500_000_000
_ENDINGS: Final = (".csv", ".csv.gz")
_GZIP: Final = b"\x1f\x8b"
_LONGEST_NAME: Final = 200  # bytes; file systems take 255
_EVERY: Final = 2_000  # orders between two notes of progress


class TooManyFiles(Refused):
    code = "too_many_files"
    message = gettext_noop("Upload %(limit)s files at most at a time.")


class FilesTooLarge(Refused):
    code = "files_too_large"
    message = gettext_noop(
        "The files are larger than %(limit)s MB together. Pack them with gzip, or upload fewer."
    )


class NotACsvFile(Refused):
    code = "not_a_csv_file"
    message = gettext_noop("%(name)s is no CSV file. Save the table as “CSV UTF-8” first.")


class NameTooLong(Refused):
    code = "file_name_too_long"
    message = gettext_noop("The name of a file is too long: %(name)s… Shorten it.")


class NameRepeated(Refused):
    code = "file_name_repeated"
    message = gettext_noop("Two files are called %(name)s.")


def profiles() -> list[tuple[str, str]]:
    """The codes and names to choose from: the marketplace's own, and those that come along.

    Of the latter only those in its own currency, since the others would be refused.
    """
    own = dict(ImportProfile.objects.order_by("name").values_list("code", "name"))
    read = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(importing.FOLDER.glob("*.json"))
    }
    currency = tenancy.current().currency
    given = {code: body["name"] for code, body in read.items() if body["currency"] == currency}
    return list((own | {code: name for code, name in given.items() if code not in own}).items())


def rows():
    """The uploads of the marketplace in use, newest first."""
    return JobRun.objects.filter(kind=KIND).order_by("-id")


@transaction.atomic
def receive(profile: str, files: Sequence[UploadedFile], *, by: Any, at: datetime) -> JobRun:
    """Keep the files for a worker. Raises TooManyFiles, FilesTooLarge, NotACsvFile, NameTooLong,
    NameRepeated.

    Names are those of the sender, since profiles tell tables by them, without any path.
    """
    names = _checked(files)
    job = JobRun.objects.create(
        kind=KIND, key=uuid.uuid4().hex, counts={"profile": profile, "files": names}
    )
    _keep(_folder(job), names, files)
    audit.record("import.uploaded", by=by, at=at, obj=job, data={"profile": profile})
    outbox.add(TOPIC, job_id=job.pk, user_id=by.pk if by else None)
    return job


def run(marketplace_id: int, job_id: int, *, by: Any, at: datetime) -> bool:
    """Import an upload's files; False when it is done. Must not be called within a transaction.

    A worker that died leaves it running; whoever gets the task next begins again, and what was
    accepted stays accepted. The files go away once the import has an end.
    """
    with tenancy.use(marketplace_id, durable=True):
        job = rows().get(pk=job_id)
        if job.state in (JobRun.State.DONE, JobRun.State.FAILED):
            return False
        job = jobs.begin(KIND, job.key, at=at, by=by)
        is_tried = jobs.count_attempt(job, at=at)
        if not is_tried:
            jobs.give_up(job, at=at, by=by)
    if not is_tried:
        shutil.rmtree(_folder(job), ignore_errors=True)
        return False
    paths = [_folder(job) / name for name in job.counts["files"]]
    try:
        imported = importing.import_files(
            marketplace_id, job.counts["profile"], paths, by=by, at=at, tell=_Mirror(job)
        )
    except Refused as refused:
        _end(job, refused, None, by=by, at=at)
    else:
        _end(job, None, imported, by=by, at=at)
    shutil.rmtree(_folder(job), ignore_errors=True)
    return True


def told(job: JobRun):
    """The rows that the import had to tell about, in the order of the files."""
    return JobRow.objects.filter(job=job.counts.get("import", 0)).order_by("pk")


class _Mirror:
    """Writes now and then how far the import has come."""

    def __init__(self, job: JobRun) -> None:
        self._job, self._last = job, -_EVERY

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != "orders" or done - self._last < _EVERY:
            return
        self._last = done
        with tenancy.use(self._job.marketplace_id):
            JobRun.objects.filter(pk=self._job.pk).update(total=total)
            jobs.progress(self._job, done)


def _end(
    job: JobRun,
    refused: Refused | None,
    imported: importing.Imported | None,
    *,
    by: Any,
    at: datetime,
) -> None:
    """Write down how it ended, unless another worker with the same task has done so."""
    with tenancy.use(job.marketplace_id, durable=True) as marketplace:
        job = JobRun.objects.select_for_update(no_key=True).get(pk=job.pk)
        if job.state != JobRun.State.RUNNING:
            return
        if imported is None:
            jobs.fail(job, _said(refused, marketplace.locale), at=at, by=by)
        else:
            jobs.finish(job, at=at, by=by, counts=_counts(imported))


def _counts(imported: importing.Imported) -> dict:
    return {
        "import": imported.job_id,
        "result": imported.counts,
        "heads": imported.heads,
        "changed": imported.changed,
    }


def _keep(folder: Path, names: Sequence[str], files: Sequence[UploadedFile]) -> None:
    """Write the files, all of them or none: a full disk leaves nothing behind."""
    folder.mkdir(parents=True, mode=0o700)
    try:
        for name, file in zip(names, files, strict=True):
            with (folder / name).open("wb") as out:
                for chunk in file.chunks():
                    out.write(chunk)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _checked(files: Sequence[UploadedFile]) -> list[str]:
    if len(files) > MOST_FILES:
        raise TooManyFiles(limit=MOST_FILES)
    if sum(file.size or 0 for file in files) > MOST_BYTES:
        raise FilesTooLarge(limit=MOST_BYTES // 1_000_000)
    names: list[str] = []
    for file in files:
        name = Path(file.name or "").name
        head = file.read(4_096)
        file.seek(0)
        is_text = b"\x00" not in head
        if not name.casefold().endswith(_ENDINGS) or not (is_text or head.startswith(_GZIP)):
            raise NotACsvFile(name=name[:100])
        if len(name.encode()) > _LONGEST_NAME:
            raise NameTooLong(name=name[:40])
        if name in names:
            raise NameRepeated(name=name[:100])
        names.append(name)
    return names


def _folder(job: JobRun) -> Path:
    """Made of what the system itself has chosen, nothing else."""
    return Path(settings.MEDIA_ROOT) / "imports" / str(job.marketplace_id) / job.key


def _said(refused: Refused, locale: str) -> str:
    with translation.override(locale):
        return refused.text(translation.gettext)
