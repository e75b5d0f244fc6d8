"""The lines of a long statement as a file that a worker prepares for its seller.

Asked for by pressing a button, written as exports are (settlements.export_jobs) and kept as long.
There is one job for a statement, a kind of file, a language and a day, so that a second press finds
the first; while a statement is open and takes lines, what was made of fewer lines is not offered.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import BinaryIO, Final

from django.core.cache import cache
from django.utils import translation
from redis.exceptions import RedisError

from marketplace import tenancy
from marketplace.models import JobRun
from settlements import downloads, table_files
from settlements.models import Statement

KIND: Final = "export.statement_file"
_EVERY: Final = 5_000  # lines between two notes of progress
_NOTED: Final = 15 * 60  # seconds that a note of progress is good for

logger = logging.getLogger(__name__)


class StatementGrew(Exception):
    """A night added lines while the file was written; whoever tries again finds them all."""


def key(statement: Statement, file_type: str, *, on: date) -> str:
    """The key of the job that makes a file of a statement as it is now, in the user's language."""
    language = translation.get_language()
    return f"{statement.public_id}-{file_type}-{language}-{statement.lines}-{on:%Y%m%d}"


def asked(statement: Statement, *, at: datetime, kept: timedelta) -> dict[str, JobRun | None]:
    """The newest job for each kind of file of the statement, as far as its file may be kept."""
    days = [at.date() - timedelta(days=ago) for ago in range(kept.days + 1)]
    keys = {key(statement, kind, on=on): kind for kind in table_files.FILES for on in days}
    found: dict[str, JobRun | None] = dict.fromkeys(table_files.FILES)
    for job in JobRun.objects.filter(kind=KIND, key__in=keys).order_by("pk"):
        found[keys[job.key]] = job
    return found


def told(statement: Statement, file_type: str) -> dict:
    """What the job has to know of what was asked for."""
    language = translation.get_language()
    return {"statement": statement.public_id, "type": file_type, "language": language}


def write(job: JobRun, out: BinaryIO) -> int:
    """Write the file that a job was asked for; returns its number of lines.

    Raises StatementGrew where the file would not add up to the statement.
    """
    statement = Statement.objects.get(public_id=job.counts["statement"])
    with translation.override(job.counts["language"]):
        table = downloads.lines(statement, tenancy.current())
        rows = _Counted(job, table.rows)
        counted = replace(table, rows=rows)
        table_files.write(counted, job.counts["type"], out)
    if rows.count != statement.lines:
        raise StatementGrew(statement.public_id)
    return rows.count


def progress(job: JobRun) -> int:
    """How many lines have been written so far; 0 where nobody can tell."""
    try:
        return cache.get(_note(job)) or 0
    except RedisError:
        return 0


class _Counted:
    """Rows that are counted as they pass, with a note now and then for whoever waits for them.

    In the cache, since the transaction of the job shows nothing before its end.
    """

    def __init__(self, job: JobRun, rows: Iterable[Sequence]) -> None:
        self._job, self._rows, self.count = job, rows, 0

    def __iter__(self) -> Iterator[Sequence]:
        for row in self._rows:
            yield row
            self.count += 1
            if self.count % _EVERY == 0:
                self._tell()

    def _tell(self) -> None:
        try:
            cache.set(_note(self._job), self.count, _NOTED)
        except RedisError:
            logger.warning("the progress of a file is not told: the cache is down")


def _note(job: JobRun) -> str:
    return f"jangteo.file.{job.pk}"
