"""Delimited text files as rows of cells, whatever is wrong with some of them.

A row that cannot be read is told with its number and why, and reading goes on with the next one:
one open quotation mark does not swallow the rest of a file. Nothing is held but the row at hand.
Row numbers are line numbers in the file, the header being 1, as an editor shows them.
"""

import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from marketplace.refusals import Refused, gettext_noop

# The names of encodings that a profile may give, and how Python calls them.
ENCODINGS: Final = {"utf-8": "utf-8-sig", "cp949": "cp949", "cp1252": "cp1252"}

LONGEST_LINE: Final = 1_000_000
LONGEST_RECORD: Final = 200  # lines; a quotation mark open for longer was never closed
_GZIP: Final = b"\x1f\x8b"


class FileUnreadable(Refused):
    code = "file_unreadable"
    message = gettext_noop("%(file)s cannot be read: %(why)s.")


class FileEmpty(Refused):
    code = "file_empty"
    message = gettext_noop("%(file)s is empty: not even a header stands in it.")


class RowNotUsable(Refused):
    code = "row_not_usable"
    message = gettext_noop("The row cannot be read.")


class WrongNumberOfColumns(RowNotUsable):
    code = "wrong_number_of_columns"
    message = gettext_noop("The row has %(found)s columns, the header %(expected)s.")


class QuoteNotClosed(RowNotUsable):
    code = "quote_not_closed"
    message = gettext_noop("A quotation mark is opened and never closed.")


class QuoteMisplaced(RowNotUsable):
    code = "quote_misplaced"
    message = gettext_noop("After a closing quotation mark stands more than the next delimiter.")


class LineTooLong(RowNotUsable):
    code = "line_too_long"
    message = gettext_noop("The line is longer than %(limit)s characters.")


class NotDecodable(RowNotUsable):
    code = "not_decodable"
    message = gettext_noop("%(field)s is not text in the encoding %(encoding)s.")


@contextmanager
def opened(path: Path, encoding: str, delimiter: str) -> "Iterator[Table]":
    """Open a file, packed by gzip or not. Refuses one that is unreadable or empty."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise FileUnreadable(file=path.name, why=error.strerror) from None
    with raw:
        is_packed = raw.read(2) == _GZIP
        raw.seek(0)
        stream = io.TextIOWrapper(
            gzip.GzipFile(fileobj=raw) if is_packed else raw,
            encoding=ENCODINGS[encoding],
            # Bytes that are no text survive as lone surrogates, to be told row by row.
            errors="surrogateescape",
        )
        yield Table(stream, path.name, encoding, delimiter)


class Table:
    """The header of a file, and its rows to be walked once."""

    def __init__(self, stream: TextIO, name: str, encoding: str, delimiter: str) -> None:
        self._lines = _Lines(stream, name)
        self._delimiter = delimiter
        self._encoding = encoding
        for _, found in self._records():
            if isinstance(found, RowNotUsable):
                raise FileUnreadable(file=name, why=str(found))
            self.header = [cell.strip() for cell in found]
            return
        raise FileEmpty(file=name)

    def rows(self) -> Iterator[tuple[int, list[str] | RowNotUsable]]:
        """Each row's number with its cells, or with what is wrong with it. Empty rows are none."""
        width = len(self.header)
        for number, found in self._records():
            if isinstance(found, RowNotUsable):
                yield number, found
            elif len(found) != width:
                yield number, WrongNumberOfColumns(found=len(found), expected=width)
            elif broken := self._first_broken(found):
                yield number, NotDecodable(field=broken, encoding=self._encoding)
            elif any(found):
                yield number, found

    def _records(self) -> Iterator[tuple[int, list[str] | RowNotUsable]]:
        lines, delimiter = self._lines, self._delimiter
        while (line := lines.take()) is not None:
            if len(line) > LONGEST_LINE:
                yield lines.number, LineTooLong(limit=LONGEST_LINE)
            elif '"' in line:
                start = lines.number
                yield start, self._quoted(line)
            elif line := line.rstrip("\n"):
                yield lines.number, line.split(delimiter)

    def _quoted(self, line: str) -> list[str] | RowNotUsable:
        """Read a record that begins with this line and may go on over further ones."""
        taken = [line]
        while True:
            try:
                return next(csv.reader(taken, delimiter=self._delimiter, strict=True))
            except csv.Error as error:
                is_open = "unexpected end of data" in str(error)
            if not (is_open and self._take_to_next_quote(taken)):
                self._lines.put_back(taken[1:])
                return QuoteNotClosed() if is_open else self._misplaced(taken)

    def _misplaced(self, taken: Sequence[str]) -> RowNotUsable:
        # Over several lines, a misplaced mark means that the first line never closed its own.
        return QuoteMisplaced() if len(taken) == 1 else QuoteNotClosed()

    def _take_to_next_quote(self, taken: list[str]) -> bool:
        """Take the lines that may belong to an open quotation; False where none can close it."""
        while len(taken) < LONGEST_RECORD and (line := self._lines.take()) is not None:
            taken.append(line)
            if len(line) > LONGEST_LINE:
                return False
            if '"' in line:
                return True
        return False

    def _first_broken(self, cells: Sequence[str]) -> str | None:
        """The column of the first cell that was not text in the file's encoding."""
        for column, cell in zip(self.header, cells, strict=True):
            if not cell.isascii():
                try:
                    cell.encode()
                except UnicodeEncodeError:
                    return column
        return None


class _Lines:
    """The lines of a file, of which some may be put back and taken again."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._again: deque[str] = deque()
        self.number = 0

    def take(self) -> str | None:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            return None
        self.number += 1
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str:
        """The next line; of one that is far too long, its beginning."""
        try:
            line = rest = self._stream.readline(LONGEST_LINE + 1)
            while len(rest) > LONGEST_LINE and not rest.endswith("\n"):
                rest = self._stream.readline(LONGEST_LINE + 1)
        except (OSError, EOFError, zlib.error) as error:
            # A damaged gzip file shows itself only while it is read.
            raise FileUnreadable(file=self._name, why=error) from None
        return line
