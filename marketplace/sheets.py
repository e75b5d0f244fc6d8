"""Tables for spreadsheets: CSV that Korean Excel opens as it is, and XLSX. Both inert.

A text that a spreadsheet would run as a formula is marked as text. Numbers stay numbers.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import xlsxwriter

CSV: Final = "csv"
XLSX: Final = "xlsx"
TYPES: Final = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(kind: str, header: Sequence[str], rows: Iterable[Sequence]) -> bytes:
    """A table of this kind, with its header."""
    return _csv(header, rows) if kind == CSV else _xlsx(header, rows)


def harmless(value: object) -> object:
    """The value as a spreadsheet may have it."""
    if isinstance(value, str) and value.startswith(_RUNS):
        return f"'{value}"
    return value


def _csv(header: Sequence[str], rows: Iterable[Sequence]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([harmless(value) for value in row] for row in rows)
    # With the mark Excel reads UTF-8; without it, the code page of its country.
    return out.getvalue().encode("utf-8-sig")


def _xlsx(header: Sequence[str], rows: Iterable[Sequence]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    sheet.write_row(0, 0, header, bold)
    for at, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            if isinstance(value, int | Decimal):
                sheet.write_number(at, column, value)
            elif value is not None:
                sheet.write_string(at, column, str(harmless(str(value))))
    sheet.freeze_panes(1, 0)
    sheet.autofit()
    book.close()
    return out.getvalue()
