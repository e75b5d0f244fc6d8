"""Settlement files of payment providers, read row by row. Nothing is stored.

Which column means what is a format: a document of data in the folder of this module's name, one
per provider. Every problem of a file is found by row and column before anything is done with it: a
file with a mistake is refused as a whole. Amounts are minor units; a refund's are below zero.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from marketplace import documents
from marketplace.documents import Part
from marketplace.refusals import Refused, gettext_noop
from settlements import file_problems
from settlements.file_problems import FileRefused, Problem

FOLDER: Final = Path(__file__).parent / "provider_formats"
PAYMENT: Final = "payment"
REFUND: Final = "refund"
ENCODINGS: Final = {"utf-8": "utf-8-sig", "cp949": "cp949"}
MOST_ROWS: Final = 200_000


class ProviderFileRefused(FileRefused):
    code = "provider_file_refused"


class UnknownFormat(Refused):
    code = "unknown_provider_format"
    message = gettext_noop("There is no format “%(name)s”. There are: %(names)s.")


@dataclass(frozen=True, slots=True)
class Format:
    """How a provider's file says what it says."""

    code: str
    name: str
    encoding: str
    delimiter: str
    day: str  # such as %Y-%m-%d
    columns: Mapping[str, str]
    kinds: Mapping[str, str]  # the provider's word: payment or refund
    id_prefix: str  # of the provider's ids, where orders have those of several providers
    payment_kinds: tuple[str, ...]  # kinds of payments that go through the provider; empty: all


@dataclass(frozen=True, slots=True)
class Row:
    number: int  # in the file; the header is 1
    provider_id: str
    kind: str
    sold_on: date
    paid_out_on: date
    gross: int
    fee: int
    fee_vat: int
    deposit: int
    occurrence: int = 1

    @property
    def key(self) -> tuple[str, str, date, int, int, int]:
        """What makes a row the same when another file brings it again."""
        key = (self.provider_id, self.kind, self.paid_out_on, self.gross, self.fee)
        return (*key, self.occurrence)


_TEXTS: Final = ("provider_id", "kind")
_DAYS: Final = ("sold_on", "paid_out_on")
_AMOUNTS: Final = ("gross", "fee", "fee_vat", "deposit")
COLUMNS: Final = (*_TEXTS, *_DAYS, *_AMOUNTS)


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
    columns, kinds = part.part("columns"), part.raw("kinds")
    format_ = Format(
        code=code,
        name=part.text("name", longest=100),
        encoding=part.choice("encoding", list(ENCODINGS), "utf-8"),
        delimiter=part.text("delimiter", ",", longest=1),
        day=part.text("day", "%Y-%m-%d", longest=20),
        columns={name: columns.text(name, longest=100) for name in COLUMNS},
        kinds=kinds,
        id_prefix=part.text("id_prefix", "", longest=40) or "",
        payment_kinds=part.texts("payment_kinds", ()),
    )
    columns.done()
    return format_


def read(content: bytes, format_: Format, *, exponent: int) -> list[Row]:
    """Every row of a file. Raises ProviderFileRefused with what is wrong, by row and column."""
    try:
        text = content.decode(ENCODINGS[format_.encoding])
    except UnicodeDecodeError:
        told = (("encoding", format_.encoding),)
        raise _refused([Problem(1, "", "not_decodable", told)]) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=format_.delimiter)
    header = reader.fieldnames or []
    problems = [
        Problem(1, column, "column_missing")
        for column in format_.columns.values()
        if column not in header
    ]
    if problems:
        raise _refused(problems)
    rows: list[Row] = []
    seen: Counter[tuple[object, ...]] = Counter()
    for cells in reader:
        number = reader.line_num
        found = list(_problems(number, cells, format_, exponent))
        problems += found
        if len(problems) >= file_problems.MOST:
            break
        if len(rows) >= MOST_ROWS:
            problems.append(Problem(number, "", "too_many_rows", (("most", MOST_ROWS),)))
            break
        if not found:
            row = _row(number, cells, format_, exponent)
            seen[row.key[:-1]] += 1
            rows.append(replace(row, occurrence=seen[row.key[:-1]]))
    if not rows and not problems:
        problems.append(Problem(1, "", "no_rows"))
    if problems:
        raise _refused(problems)
    return rows


def _refused(problems: list[Problem]) -> ProviderFileRefused:
    return ProviderFileRefused(problems=problems, first=str(problems[0]))


def _problems(
    number: int, cells: Mapping[str, Any], format_: Format, exponent: int
) -> Iterator[Problem]:
    columns = format_.columns
    for name in COLUMNS:
        column = columns[name]
        value = (cells.get(column) or "").strip()
        if not value:
            yield Problem(number, column, "empty")
        elif name in _DAYS and file_problems.day(value, format_.day) is None:
            example = date(2026, 3, 31).strftime(format_.day)
            yield Problem(
                number, column, "not_a_date", (("found", value[:40]), ("example", example))
            )
        elif name in _AMOUNTS and file_problems.amount(value, exponent) is None:
            yield Problem(number, column, "not_an_amount", (("found", value[:40]),))
        elif name == "kind" and value not in format_.kinds:
            yield Problem(number, column, "unknown_kind", (("found", value[:40]),))
    amounts = [
        file_problems.amount((cells.get(columns[name]) or "").strip(), exponent)
        for name in _AMOUNTS
    ]
    if None not in amounts:
        gross, fee, fee_vat, deposit = (amount or 0 for amount in amounts)
        if gross - fee - fee_vat != deposit:
            told = (("expected", gross - fee - fee_vat), ("found", deposit))
            yield Problem(number, columns["deposit"], "does_not_add_up", told)


def _row(number: int, cells: Mapping[str, Any], format_: Format, exponent: int) -> Row:
    value = {name: cells[format_.columns[name]].strip() for name in COLUMNS}
    kind = format_.kinds[value["kind"]]
    amounts = {name: file_problems.amount(value[name], exponent) or 0 for name in _AMOUNTS}
    if kind == REFUND and amounts["gross"] > 0:  # written without its sign, as some do
        amounts = {name: -amount for name, amount in amounts.items()}
    sold_on, paid_out_on = (file_problems.day(value[name], format_.day) for name in _DAYS)
    if sold_on is None or paid_out_on is None:
        raise ValueError(value)
    return Row(number, value["provider_id"][:100], kind, sold_on, paid_out_on, **amounts)
