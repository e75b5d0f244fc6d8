"""Lists of transactions of the marketplace's own bank account, read row by row. Nothing is stored.

Which column means what is a format: a document of data in the folder `bank_formats`. What stands
above the row of column names, as banks write it, is left out. Rows may run forwards or backwards in
time; the running balance says which, and that none is missing. A file with a mistake is refused as
a whole. Amounts are minor units: what is paid in above zero, what is paid out below.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Final

from marketplace import documents, money
from marketplace.documents import Part
from marketplace.refusals import Refused, gettext_noop
from settlements import file_problems
from settlements.file_problems import FileRefused, Problem

FOLDER: Final = Path(__file__).parent / "bank_formats"
ENCODINGS: Final = ("utf-8-sig", "cp949")  # Korean text in the second is never valid in the first
MOST_ROWS: Final = 50_000
NEEDED: Final = ("moment", "paid_in", "paid_out", "balance")
COLUMNS: Final = (*NEEDED, "counterparty", "memo", "reference")
LONGEST: Final = 200  # characters of a text that are kept

Key = tuple[date, time | None, int, int, str, str, int]


class BankFileRefused(FileRefused):
    code = "bank_file_refused"


class UnknownFormat(Refused):
    code = "unknown_bank_format"
    message = gettext_noop("There is no format “%(name)s”. There are: %(names)s.")


@dataclass(frozen=True, slots=True)
class Format:
    """How a bank's list says what it says."""

    code: str
    name: str
    delimiter: str
    moment: str  # such as %Y-%m-%d %H:%M:%S; the time may be left out
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A transaction, and the balance of the account after it."""

    number: int  # of its line in the file
    on: date
    time: time | None
    amount: int
    balance: int
    counterparty: str
    memo: str
    reference: str
    occurrence: int = 1

    @property
    def key(self) -> Key:
        """What makes a row the same when another file brings it again."""
        said = (self.on, self.time, self.amount, self.balance, self.counterparty, self.memo)
        return (*said, self.occurrence)

    @property
    def opening(self) -> int:
        """The balance before it."""
        return self.balance - self.amount


def available() -> list[str]:
    """The codes of the formats that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_format(code: str) -> Format:
    """Read a format by its code. Raises UnknownFormat, or what is wrong with the document."""
    if code not in available():
        raise UnknownFormat(name=code, names=", ".join(available()))
    path = FOLDER / f"{code}.json"
    document = documents.parse(path.read_bytes(), path.name)
    with documents.reading(document, path.name) as part:
        return _format(code, part)


def _format(code: str, part: Part) -> Format:
    columns = part.part("columns")
    named = {name: columns.text(name, longest=100) for name in NEEDED}
    for name in COLUMNS[len(NEEDED) :]:
        if column := columns.text(name, "", longest=100):
            named[name] = column
    columns.done()
    return Format(
        code=code,
        name=part.text("name", longest=100),
        delimiter=part.text("delimiter", ",", longest=1),
        moment=part.text("moment", longest=40),
        columns=named,
    )


def read(content: bytes, format_: Format, *, exponent: int) -> list[Row]:
    """Every row of a file, the earliest first.

    Raises BankFileRefused with what is wrong, by row and column; also where a balance does not
    follow from the row before.
    """
    problems: list[Problem] = []
    rows: list[Row] = []
    for number, cells in _cells(_text(content), format_):
        found = list(_problems(number, cells, format_, exponent))
        problems += found
        if not found:
            rows.append(_row(number, cells, format_, exponent))
        if len(rows) > MOST_ROWS:
            problems.append(Problem(number, "", "too_many_rows", (("most", MOST_ROWS),)))
        if len(problems) >= file_problems.MOST or len(rows) > MOST_ROWS:
            break
    if not rows and not problems:
        problems.append(Problem(1, "", "no_rows"))
    if not problems:
        rows = _earliest_first(rows)
        problems = list(_breaks(rows, format_, exponent))[: file_problems.MOST]
    if problems:
        raise refused(problems)
    return _counted(rows)


def refused(problems: list[Problem]) -> BankFileRefused:
    return BankFileRefused(problems=problems, first=str(problems[0]))


def _text(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise refused([Problem(1, "", "not_decodable", (("encoding", "UTF-8, EUC-KR"),))])


def _cells(text: str, format_: Format) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row below the column names, with its line and its cells by what they mean."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=format_.delimiter)
    needed = {format_.columns[name] for name in NEEDED}
    places: dict[str, int] = {}
    first: list[str] = []
    try:
        for line in lines:
            cells = [cell.strip() for cell in line]
            if places:
                if any(cells):
                    found = {
                        name: cells[at] if at < len(cells) else "" for name, at in places.items()
                    }
                    yield lines.line_num, found
            elif needed <= set(cells):
                columns = format_.columns.items()
                places = {name: cells.index(col) for name, col in columns if col in cells}
            first = first or cells
    except csv.Error:
        raise refused([Problem(lines.line_num, "", "not_csv")]) from None
    if not places:
        missing = [column for column in sorted(needed) if column not in first]
        raise refused([Problem(1, column, "column_missing") for column in missing])


def _problems(
    number: int, cells: Mapping[str, str], format_: Format, exponent: int
) -> Iterator[Problem]:
    columns = format_.columns
    if not cells["moment"]:
        yield Problem(number, columns["moment"], "empty")
    elif file_problems.moment(cells["moment"], format_.moment) is None:
        example = datetime(2026, 3, 31, 14, 5).strftime(format_.moment)  # noqa: DTZ001
        told = (("found", cells["moment"][:40]), ("example", example))
        yield Problem(number, columns["moment"], "not_a_date", told)
    if not cells["balance"]:
        yield Problem(number, columns["balance"], "empty")
    wrong = [
        name
        for name in ("paid_in", "paid_out", "balance")
        if cells[name] and file_problems.amount(cells[name], exponent) is None
    ]
    for name in wrong:
        yield Problem(number, columns[name], "not_an_amount", (("found", cells[name][:40]),))
    paid_in, paid_out = (_amount(cells[name], exponent) for name in ("paid_in", "paid_out"))
    if not wrong and (paid_in == 0) == (paid_out == 0):
        yield Problem(number, columns["paid_out" if paid_out else "paid_in"], "one_amount")


def _row(number: int, cells: Mapping[str, str], format_: Format, exponent: int) -> Row:
    moment = file_problems.moment(cells["moment"], format_.moment)
    if moment is None:
        raise ValueError(cells)
    return Row(
        number=number,
        on=moment.date(),
        time=moment.time() if "%H" in format_.moment else None,
        amount=_amount(cells["paid_in"], exponent) - _amount(cells["paid_out"], exponent),
        balance=_amount(cells["balance"], exponent),
        counterparty=cells.get("counterparty", "")[:LONGEST],
        memo=cells.get("memo", "")[:LONGEST],
        reference=cells.get("reference", "")[:LONGEST],
    )


def _amount(value: str, exponent: int) -> int:
    return file_problems.amount(value, exponent) or 0


def _earliest_first(rows: list[Row]) -> list[Row]:
    """The order of the file, or its reverse: by days, and where they do not say it by balances."""
    orders = (rows, rows[::-1])
    timely = [order for order in orders if all(_when(a) <= _when(b) for a, b in pairwise(order))]
    return min(timely or orders, key=lambda order: sum(1 for _ in _not_following(order)))


def _when(row: Row) -> tuple[date, time]:
    return row.on, row.time or time.min


def _not_following(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    return (pair for pair in pairwise(rows) if pair[0].balance != pair[1].opening)


def _breaks(rows: Sequence[Row], format_: Format, exponent: int) -> Iterator[Problem]:
    for before, row in _not_following(rows):
        told = (
            ("before", before.number),
            ("expected", money.plain(before.balance + row.amount, exponent)),
            ("found", money.plain(row.balance, exponent)),
        )
        yield Problem(row.number, format_.columns["balance"], "does_not_follow", told)


def _counted(rows: Sequence[Row]) -> list[Row]:
    seen: Counter[Key] = Counter()
    counted = []
    for row in rows:
        seen[row.key] += 1
        counted.append(replace(row, occurrence=seen[row.key]))
    return counted
