"""A statement as PDF: its head, the sum that leads to the payout, and its lines.

The rows are those of the files for spreadsheets (settlements.downloads), so figures cannot differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import BinaryIO, Final

from settlements import pdf
from settlements.statement_parties import Parties

AT_ONCE: Final = 200  # lines of a PDF that a page makes: about what it may take
MOST_LINES: Final = 5_000  # that are drawn; a longer one has the sums alone
# Of the columns of a file of lines, those that fit a page; VAT of sales, and other additions and
# deductions, only where there are any.
_SHOWN: Final = (0, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 16)
_WHERE_ANY: Final = frozenset({14, 15})
_FIRST_FIGURE: Final = 7  # of a file's columns; all that come after are figures too


@dataclass(frozen=True, slots=True)
class Sum:
    """A row of the sum that leads to the payout, in the currency's major unit."""

    label: str
    amount: Decimal
    is_total: bool
    is_aside: bool


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the lines; who issues it stands at the foot of every page, too."""

    title: str
    parties: Parties
    facts: Sequence[tuple[str, str]]
    sums: Sequence[Sum]
    currency: str


class _Rows:
    """Rows that are counted and added up as they pass; no more are kept than are drawn."""

    def __init__(self, rows) -> None:
        self.kept: list[Sequence] = []
        self.count = 0
        self.totals: list[Decimal | None] = []
        self.without = set(_WHERE_ANY)
        for row in rows:
            self._take(row)

    def _take(self, row: Sequence) -> None:
        self.count += 1
        if self.count <= MOST_LINES:
            self.kept.append(row)
        elif self.kept:
            self.kept = []
        self.totals = self.totals or [None] * len(row)
        self.without = {at for at in self.without if not row[at]}
        for at, value in enumerate(row):
            if isinstance(value, Decimal):
                self.totals[at] = (self.totals[at] or Decimal(0)) + value


def write(table, out: BinaryIO) -> None:
    """Write a table with a head as PDF. Raises pdf.PdfUnavailable."""
    out.write(pdf.drawn(html(table)))


def html(table) -> str:
    """The page that is drawn."""
    rows = _Rows(table.rows)
    head = table.head()
    shown = [at for at in _SHOWN if at not in rows.without]
    return pdf.page(
        "settlements/pdf/statement.html",
        {
            "head": head,
            "columns": [(table.columns[at], at >= _FIRST_FIGURE) for at in shown],
            "rows": list(_told(rows.kept, shown, table.decimals)),
            "totals": [_text(rows.totals[at], table.decimals) for at in shown]
            if rows.totals
            else [],
            "count": rows.count,
            "is_left_out": rows.count > MOST_LINES,
            "sums": [(each, _text(each.amount, table.decimals)) for each in head.sums],
        },
    )


def _told(
    rows: list[Sequence], shown: list[int], decimals: int
) -> Iterator[list[tuple[str, bool]]]:
    """Each cell as text, and whether it is a figure."""
    for row in rows:
        yield [(_text(row[at], decimals), at >= _FIRST_FIGURE) for at in shown]


def _text(value, decimals: int) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.{decimals}f}"
    if isinstance(value, int):
        return f"{value:,}"
    return value.isoformat() if isinstance(value, date) else str(value or "")
