"""What an import has to tell about rows, in the order of the files, however many there are.

Each row stands under a head: rejected, repaired, or what it is listed for. The same rows go to
the job, where people see them, and to a CSV file where one is asked for.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from django.utils import translation

from marketplace import jobs, sheets
from marketplace.models import JobRow, JobRun
from marketplace.refusals import Refused
from orders.gathering import At, Told
from orders.sorting import Row, Sorter

COLUMNS: Final = ("head", "file", "row", "key", "field", "code", "reason", "amount")
KEPT: Final = 100_000  # rows of a job; the CSV file has all
NOTE: Final = "note"
_BATCH = 2_000


class Report:
    """Collects what is told; sums it by head; writes it in order."""

    def __init__(self, files: Sequence[str], language: str) -> None:
        self._files = files
        self._language = language
        # file, row, head, key, column, code, reason, amount: all of it is the key, so that the
        # same rows always stand in the same order.
        self._rows = Sorter(key_length=7)
        self.counts: Counter[str] = Counter()
        self.amounts: Counter[str] = Counter()

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *raised) -> None:
        self._rows.__exit__(*raised)

    def say(self, number: int, text: str) -> None:
        """Note something about the import as a whole."""
        self._rows.add([-1, number, NOTE, "", "", NOTE, text[:500], None])

    def tell(self, told: Told) -> None:
        with translation.override(self._language):
            reason = told.refusal.text(translation.gettext)
        self.add(told.head, told.at, told.key, told.column, told.refusal.code, reason, told.amount)

    def tell_all(self, head: str, at: At, key: str, problems: Sequence[tuple[str, Refused]]):
        for column, refusal in problems:
            self.tell(Told(head, at, key, column, refusal))

    def add(
        self, head: str, at: At, key: str, column: str, code: str, reason: str, amount=None
    ) -> None:
        self.counts[head] += 1
        if amount is not None:
            self.amounts[head] += amount
        shown = [storable(key)[:120], storable(column)[:100], code, storable(reason)[:500]]
        self._rows.add([at.file, at.row, head, *shown, amount])

    def write(self, path: Path) -> None:
        """Write all rows as CSV."""
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in self._in_order():
                writer.writerow([sheets.harmless(value) for value in row])

    def digest(self) -> str:
        digest = hashlib.sha256()
        for row in self._in_order():
            digest.update(repr(row).encode())
        return digest.hexdigest()[:32]

    def store(self, job: JobRun) -> None:
        """Put the rows to the job, in place of those of an earlier attempt."""
        JobRow.objects.filter(job=job).delete()
        batch: list[JobRow] = []
        for number, (head, file, row, key, field, code, reason, amount) in enumerate(
            self._in_order()
        ):
            if number >= KEPT:
                break
            batch.append(
                JobRow(
                    job=job,
                    head=head,
                    source=file[:200],
                    row_number=row,
                    key=key,
                    field=field,
                    code=code,
                    reason=reason,
                    amount=amount,
                )
            )
            if len(batch) == _BATCH:
                jobs.report(job, batch)
                batch = []
        jobs.report(job, batch)

    def _in_order(self) -> Iterator[tuple]:
        """Rows as COLUMNS has them."""
        for row in self._rows:
            yield self._named(row)

    def _named(self, row: Row) -> tuple:
        file, number, head, key, column, code, reason, amount = row
        name = self._files[file] if file >= 0 else ""
        return head, name, number if file >= 0 else None, key, column, code, reason, amount


def storable(text: str) -> str:
    """A text of any row as a table can keep it."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
