"""Sort more rows than fit into memory.

Rows are lists of what JSON can hold. They are sorted in runs that go to temporary files, and the
runs are merged. Few rows never touch the disk.
"""

import heapq
import json
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from types import TracebackType
from typing import IO, Any, Final

IN_MEMORY: Final = 50_000  # rows
RUNS_AT_ONCE: Final = 128  # open files

Row = list[Any]


class Sorter:
    """Add rows, then walk them once in ascending order of their first `key_length` values.

    Rows of equal keys keep no order of their own, so a key should tell rows apart.
    """

    def __init__(self, key_length: int, in_memory: int = IN_MEMORY) -> None:
        self._key = itemgetter(slice(0, key_length))
        self._in_memory = in_memory
        self._rows: list[Row] = []
        self._runs: list[IO[str]] = []
        self.count = 0

    def __enter__(self) -> "Sorter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for run in self._runs:
            run.close()
        self._runs, self._rows = [], []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= self._in_memory:
            self._rows.sort(key=self._key)
            self._write(iter(self._rows))
            self._rows = []
            if len(self._runs) >= RUNS_AT_ONCE:
                self._merge_runs()

    def __iter__(self) -> Iterator[Row]:
        self._rows.sort(key=self._key)
        runs = [_read(run) for run in self._runs]
        return heapq.merge(*runs, iter(self._rows), key=self._key)

    def _merge_runs(self) -> None:
        """Make one run of all, so that the number of open files stays bounded."""
        runs, self._runs = self._runs, []
        self._write(heapq.merge(*map(_read, runs), key=self._key))
        for run in runs:
            run.close()

    def _write(self, rows: Iterator[Row]) -> None:
        run = tempfile.TemporaryFile("w+", encoding="ascii", newline="\n")  # noqa: SIM115
        self._runs.append(run)
        for row in rows:
            run.write(json.dumps(row, separators=(",", ":")))
            run.write("\n")


def _read(run: IO[str]) -> Iterator[Row]:
    run.seek(0)
    for line in run:
        yield json.loads(line)
