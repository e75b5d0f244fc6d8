"""A seller's statements and their lines as files: CSV and XLSX for spreadsheets, and PDF.

A page makes files of up to MOST_LINES lines itself; a worker prepares longer ones from the same
rows (settlements.statement_files).

CSV is UTF-8 with a mark and CRLF, which Korean Excel opens as it is. Amounts are numbers in the
currency's major unit. A text that a spreadsheet would run as a formula is marked as text in both.
What a page answers is made whole, never streamed: tenant rows are read within the transaction.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import BinaryIO

import xlsxwriter
from django.utils.translation import gettext

from marketplace import sheets
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import folding, return_shipping
from sellers.models import Seller
from settlements import (
    adjustments,
    ledger,
    pdf,
    seals,
    shop_statements,
    statement_pdf,
    statement_sums,
)
from settlements.models import SettlementLine, Statement

CSV, XLSX, PDF = "csv", "xlsx", "pdf"
TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FILES = {**TYPES, PDF: pdf.TYPE}  # of one statement
MOST_LINES = 20_000  # of a file that a page makes: about what it may take
MOST_ROWS = 1_048_576  # of a sheet of XLSX, its header included; what comes after goes to another
_BATCH = 2_000


class TooLongForPdf(Refused):
    code = "statement_too_long_for_pdf"
    message = gettext_noop(
        "The statement has %(lines)s lines; a PDF of more than %(most)s is prepared in the seller "
        "centre. CSV and XLSX have no such limit."
    )


class TooLongAtOnce(Refused):
    code = "statement_too_long_at_once"
    message = gettext_noop(
        "The statement has %(lines)s lines; a file of more than %(most)s is prepared by a worker, "
        "in the seller centre or as an export of the marketplace."
    )


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, and rows of texts, days, whole numbers and amounts (Decimal)."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence]
    decimals: int  # of its amounts
    head: Callable[[], statement_pdf.Head] | None = None  # what a PDF says above it


def statements(seller: Seller, marketplace: Marketplace, *, first: date, end: date) -> Table:
    """The seller's statements that are due in a half-open period, the earliest first."""
    rows = shop_statements.of_seller(seller).filter(due_on__gte=first, due_on__lt=end)
    rows = seals.with_seal(rows)
    columns = [
        gettext("Due on"),
        gettext("State"),
        gettext("Closed on"),
        gettext("Lines"),
        gettext("Price"),
        gettext("Your own discount"),
        gettext("Fees"),
        gettext("VAT on fees"),
        gettext("VAT of sales"),
        gettext("Other additions"),
        gettext("Other deductions"),
        gettext("Net"),
        gettext("Carried in"),
        gettext("Given back from holds"),
        gettext("Held back"),
        gettext("To be settled"),
        gettext("Reserve"),
        gettext("Given back from reserves"),
        gettext("Income tax withheld"),
        gettext("Local income tax withheld"),
        gettext("Payout"),
        gettext("Debt that is invoiced to you"),
        gettext("Carried on"),
        gettext("Number in the chain"),
        gettext("Head"),
    ]
    amount = _amounts(marketplace)
    told = (_of_statement(row, amount) for row in rows.order_by("due_on"))
    return Table(gettext("Statements"), columns, told, marketplace.currency_exponent)


def lines(statement: Statement, marketplace: Marketplace) -> Table:
    """The lines of a statement in the order in which they were settled."""
    columns = [
        gettext("Order"),
        gettext("Line"),
        gettext("Kind"),
        gettext("Title"),
        gettext("Stock code"),
        gettext("Paid on"),
        gettext("Confirmed or refunded"),
        gettext("Units"),
        gettext("Price"),
        gettext("Your own discount"),
        gettext("Discount of the marketplace"),
        gettext("Discount of partners"),
        gettext("Fees"),
        gettext("VAT on fees"),
        gettext("VAT of sales"),
        gettext("Other additions and deductions"),
        gettext("Net"),
    ]
    rows = _lines(statement, _amounts(marketplace))
    return Table(
        gettext("Settlement lines"),
        columns,
        rows,
        marketplace.currency_exponent,
        head=lambda: _head(statement, marketplace),
    )


def is_long(statement: Statement, kind: str = CSV) -> bool:
    """Whether the file of its lines has to be prepared by a worker."""
    return statement.lines > (statement_pdf.AT_ONCE if kind == PDF else MOST_LINES)


def at_once(statement: Statement, marketplace: Marketplace, kind: str) -> bytes:
    """The lines of a statement as a file of a kind of FILES, at once.

    Raises TooLongForPdf, TooLongAtOnce, pdf.PdfUnavailable.
    """
    if is_long(statement, kind):
        told = {"lines": f"{statement.lines:,}"}
        if kind == PDF:
            raise TooLongForPdf(**told, most=f"{statement_pdf.AT_ONCE:,}")
        raise TooLongAtOnce(**told, most=f"{MOST_LINES:,}")
    return as_file(lines(statement, marketplace), kind)


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


def _head(statement: Statement, marketplace: Marketplace) -> statement_pdf.Head:
    amount = _amounts(marketplace)
    seal = seals.of(statement)
    facts = [
        (gettext("Marketplace"), marketplace.name),
        (gettext("Seller"), f"{statement.seller.name} ({statement.seller.code})"),
        (gettext("Number"), statement.public_id),
        (gettext("Due on"), statement.due_on.isoformat()),
        (gettext("State"), str(statement.get_state_display())),
    ]
    if statement.closed_on:
        facts.append((gettext("Closed on"), statement.closed_on.isoformat()))
    if seal is not None:
        facts.append((gettext("Number in the chain"), str(seal.number)))
        facts.append((gettext("Head"), seal.head))
    steps = statement_sums.steps(statement, ledger.component_names())
    return statement_pdf.Head(
        title=gettext("Statement due on %(day)s") % {"day": statement.due_on.isoformat()},
        facts=facts,
        sums=[
            statement_pdf.Sum(step.label, amount(step.amount), step.is_total, step.is_aside)
            for step in steps
        ],
        currency=marketplace.currency,
    )


def _of_statement(row: Statement, amount) -> list:
    split = row.split
    figures = (
        *(row.list_amount, row.seller_discount, split.fee, split.vat, row.sale_vat),
        *(split.additions, split.deductions, row.net, row.carry_in),
        *(row.released_holds, row.hold_taken, row.payable, row.reserve, row.reserve_released),
        *(row.withholding_income, row.withholding_local),
        *(row.payout, row.debt_invoiced, row.carry_out),
    )
    return [
        row.due_on,
        str(row.get_state_display()),
        row.closed_on,
        row.lines,
        *(amount(figure) for figure in figures),
        row.seal and row.seal["number"],
        row.seal and row.seal["head"],
    ]


def _untitled(stream: str) -> str:
    """What a line is called that is no goods."""
    if stream == return_shipping.STREAM:
        return gettext("Return shipping")
    return gettext("Shipping charge") if stream == folding.SHIPPING else ""


def _lines(statement: Statement, amount) -> Iterator[list]:
    """A batch at a time: memory holds no more, however long the statement."""
    last = 0
    rows = SettlementLine.objects.of_statement(statement).order_by("pk")
    while batch := list(rows.filter(pk__gt=last)[:_BATCH]):
        last = batch[-1].pk
        for shown in shop_statements.shown(batch):
            line, sold = shown.line, shown.sold
            figures = (
                *(line.list_amount, line.seller_discount, line.platform_discount),
                *(line.partner_discount, line.fee, line.vat, line.sale_vat, 0, line.net),
            )
            yield [
                sold.order.number,
                sold.number,
                str(SettlementLine.Kind(line.kind).label),
                sold.title or _untitled(sold.stream),
                sold.sku,
                line.rate_on,
                line.basis_on,
                line.quantity,
                *(amount(figure) for figure in figures),
            ]
    for adjusted in shop_statements.adjustments(statement):
        row, line = adjusted.adjustment, adjusted.line
        split = adjustments.split_line(line.fee, line.vat, line.net, row.reason_code)
        figures = (0, 0, 0, 0, split.fee, split.vat, 0, split.other, line.net)
        yield [
            row.public_id,
            1,
            str(SettlementLine.Kind.ADJUSTMENT.label),
            f"{row.get_reason_code_display()}: {row.reason}",
            row.document,
            line.rate_on,
            line.basis_on,
            0,
            *(amount(figure) for figure in figures),
        ]


def _amounts(marketplace: Marketplace):
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
