"""Tables as files: CSV and XLSX for spreadsheets, and PDF where a table has a head.

CSV is UTF-8 with a mark and CRLF, which Korean Excel opens as it is. Amounts are numbers in the
currency's major unit. A text that a spreadsheet would run as a formula is marked as text in both.
Rows are written as they come: memory holds no more of a longer table.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import BinaryIO

import xlsxwriter
from django.utils.translation import gettext, pgettext

from marketplace import sheets
from marketplace.models import Marketplace
from settlements import pdf, statement_pdf

CSV, XLSX, PDF = "csv", "xlsx", "pdf"
TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FILES = {**TYPES, PDF: pdf.TYPE}  # of one statement
MOST_ROWS = 1_048_576  # of a sheet of XLSX, its header included; what comes after goes to another


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, and rows of texts, days, whole numbers and amounts (Decimal)."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence]
    decimals: int  # of its amounts
    head: Callable[[], statement_pdf.Head] | None = None  # what a PDF says above it


def as_file(table: Table, kind: str) -> bytes:
    """The table as a file of a kind of FILES."""
    out = io.BytesIO()
    write(table, kind, out)
    return out.getvalue()


def write(table: Table, kind: str, out: BinaryIO) -> None:
    """Write the table as a file of a kind of FILES.

    Memory holds no more of a longer one, but of a PDF: that draws only so many lines.
    """
    _WRITERS[kind](table, out)


def amounts(marketplace: Marketplace):
    """The function that makes an amount of minor units one of major units, exactly."""
    exponent = marketplace.currency_exponent
    return lambda minor: Decimal(minor).scaleb(-exponent)


def _write_csv(table: Table, out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([sheets.harmless(value) for value in row])
    text.detach()


def _write_xlsx(table: Table, out: BinaryIO) -> None:
    # What a cell holds is said by us: no text is taken for a formula, a number or an address.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        head = book.add_format({"bold": True, "bottom": 1})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        decimals = "." + "0" * table.decimals if table.decimals else ""
        money = book.add_format({"num_format": "#,##0" + decimals})
        number, at = 1, 0
        sheet = _sheet(book, table, number, head)
        for row in table.rows:
            at += 1
            if at == MOST_ROWS:
                number, at = number + 1, 1
                sheet = _sheet(book, table, number, head)
            for column, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(at, column, str(sheets.harmless(value)))
                elif isinstance(value, date):
                    sheet.write_datetime(at, column, value, day)
                elif isinstance(value, Decimal):
                    sheet.write_number(at, column, value, money)
                elif value is not None:
                    sheet.write_number(at, column, value)
        if table.head is not None:
            _write_head(book, table.head(), head, money)


def _write_head(book, told: statement_pdf.Head, head, money) -> None:
    """A last sheet with what stands above the lines of a PDF."""
    sheet = book.add_worksheet(gettext("Statement"))
    sheet.set_column(0, 1, 30)
    sections = [
        (told.title, told.facts),
        (
            pgettext("statement", "Issuer"),
            [(fact.label, fact.value) for fact in told.parties.issuer],
        ),
        (gettext("Seller"), [(fact.label, fact.value) for fact in told.parties.seller]),
        (gettext("How it adds up"), [(each.label, each.amount) for each in told.sums]),
    ]
    at = 0
    for title, rows in sections:
        sheet.write_string(at, 0, title, head)
        for label, value in rows:
            at += 1
            sheet.write_string(at, 0, str(sheets.harmless(label)))
            if isinstance(value, Decimal):
                sheet.write_number(at, 1, value, money)
            else:
                sheet.write_string(at, 1, str(sheets.harmless(value)))
        at += 2


def _sheet(book, table: Table, number: int, head):
    """A sheet of the book with its header; the second is called Lines 2, and so on."""
    name = table.name if number == 1 else f"{table.name[:27]} {number}"
    sheet = book.add_worksheet(name[:31])
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(table.columns) - 1, 15)
    for at, column in enumerate(table.columns):
        sheet.write_string(0, at, column, head)
    return sheet


_WRITERS = {CSV: _write_csv, XLSX: _write_xlsx, PDF: statement_pdf.write}
