"""A seller's statements and their lines as tables, of which settlements.table_files makes files.

A page makes files of up to MOST_LINES lines itself; a worker prepares longer ones from the same
rows (settlements.statement_files). What a page answers is made whole, never streamed: tenant rows
are read within the transaction.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from django.utils.translation import gettext, pgettext

from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import folding, return_shipping
from sellers.models import Seller
from settlements import (
    adjustments,
    ledger,
    seals,
    shop_statements,
    statement_fees,
    statement_parties,
    statement_pdf,
    statement_sums,
)
from settlements.models import SettlementLine, Statement
from settlements.table_files import CSV, PDF, Table, amounts, as_file

MOST_LINES = 20_000  # of a file that a page makes: about what it may take
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


def statements(seller: Seller, marketplace: Marketplace, *, first: date, end: date) -> Table:
    """The seller's statements that are due in a half-open period, the earliest first."""
    rows = shop_statements.of_seller(seller).filter(due_on__gte=first, due_on__lt=end)
    rows = seals.with_seal(rows)
    codes = statement_fees.codes(rows.values_list("components", flat=True))
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
        *_fee_columns(codes),
    ]
    amount = amounts(marketplace)
    told = (_of_statement(row, codes, amount) for row in rows.order_by("due_on"))
    return Table(gettext("Statements"), columns, told, marketplace.currency_exponent)


def lines(statement: Statement, marketplace: Marketplace) -> Table:
    """The lines of a statement in the order in which they were settled."""
    codes = statement_fees.codes([statement.components])
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
        *_fee_columns(codes),
    ]
    rows = _lines(statement, codes, amounts(marketplace))
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


def _head(statement: Statement, marketplace: Marketplace) -> statement_pdf.Head:
    amount = amounts(marketplace)
    seal = seals.of(statement)
    facts = [
        (gettext("Marketplace"), marketplace.name),
        (pgettext("statement", "Number"), statement.public_id),
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
        parties=statement_parties.of(statement),
        facts=facts,
        sums=[
            statement_pdf.Sum(step.label, amount(step.amount), step.is_total, step.is_aside)
            for step in steps
        ],
        currency=marketplace.currency,
    )


def _fee_columns(codes: Sequence[str]) -> Iterator[str]:
    """Two columns for each component: its fee, and the VAT on it, whether contained or on top."""
    names = ledger.component_names()
    for code in codes:
        told = {"component": names.get(code, code)}
        yield gettext("Fee: %(component)s") % told
        yield gettext("VAT: %(component)s") % told


def _of_statement(row: Statement, codes: Sequence[str], amount) -> list:
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
        *(amount(figure) for code in codes for figure in row.components.get(code, (0, 0))[:2]),
    ]


def _untitled(stream: str) -> str:
    """What a line is called that is no goods."""
    if stream == return_shipping.STREAM:
        return gettext("Return shipping")
    return gettext("Shipping charge") if stream == folding.SHIPPING else ""


def _lines(statement: Statement, codes: Sequence[str], amount) -> Iterator[list]:
    """A batch at a time: memory holds no more, however long the statement."""
    last = 0
    fees_of = statement_fees.LineFees()
    rows = SettlementLine.objects.of_statement(statement).order_by("pk")
    while batch := list(rows.filter(pk__gt=last)[:_BATCH]):
        last = batch[-1].pk
        both = zip(shop_statements.shown(batch), fees_of.of(batch), strict=True)
        for shown, charged in both:
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
                *(amount(figure) for code in codes for figure in charged.get(code, (0, 0))),
            ]
    for adjusted in shop_statements.adjustments(statement):
        row, line = adjusted.adjustment, adjusted.line
        split = adjustments.split_line(line.fee, line.vat, line.net, row.reason_code)
        figures = (0, 0, 0, 0, split.fee, split.vat, 0, split.other, line.net)
        charged = {adjustments.component(row.reason_code): (split.fee, split.vat)}
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
            *(amount(figure) for code in codes for figure in charged.get(code, (0, 0))),
        ]
