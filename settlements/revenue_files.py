"""Revenue reports from a CSV file: read row by row, each of which stands for itself.

Columns by name, in any order: seller, stream, app, on, amount, version, state. `amount` is in the
currency's major unit, with as many decimals as the currency has. Knows no database and no clock.
"""

import csv
import io
import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from marketplace.refusals import Refused, gettext_noop
from orders.verdicts import LARGEST_AMOUNT, LARGEST_NUMBER

NEEDED: Final = ("seller", "stream", "on", "amount", "version", "state")
COLUMNS: Final = (*NEEDED, "app")
STATES: Final = ("provisional", "final")
MOST_ROWS: Final = 5_000

_AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,16})(?:\.(\d+))?")


class ColumnsWrong(Refused):
    code = "revenue_columns_wrong"
    message = gettext_noop(
        "The first row must name the columns %(needed)s; app may be named too. It names: %(found)s."
    )


class TooManyRows(Refused):
    code = "revenue_too_many_rows"
    message = gettext_noop("The file has more than %(most)s rows. Split it.")


class CellNotUsable(Refused):
    code = "revenue_cell_not_usable"
    message = gettext_noop("“%(value)s” is not usable. Write it as in %(example)s.")


class RowTooLong(Refused):
    code = "revenue_row_too_long"
    message = gettext_noop("The row has more cells than the first row names columns.")


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it can be taken in; `amount` in minor units."""

    number: int  # of the file's line where it ends, the header being the first
    seller: str
    stream: str
    app: str
    on: date
    amount: int
    version: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that cannot be taken in, and why; the refusal names the column as its field."""

    number: int
    refusal: Refused


def read(text: str, *, exponent: int) -> list[Row | Unreadable]:
    """The rows of a file. Raises ColumnsWrong, TooManyRows."""
    lines = csv.reader(io.StringIO(text, newline=""))
    names = [name.strip() for name in next(lines, [])]
    if not set(NEEDED) <= set(names) <= set(COLUMNS) or len(set(names)) < len(names):
        raise ColumnsWrong(
            needed=", ".join(NEEDED), found=", ".join(names)[:200] or "–", field="file"
        )
    found: list[Row | Unreadable] = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(found) == MOST_ROWS:
            raise TooManyRows(most=f"{MOST_ROWS:,}", field="file")
        try:
            found.append(_row(lines.line_num, names, cells, exponent))
        except Refused as refused:
            found.append(Unreadable(lines.line_num, refused))
    return found


def _row(number: int, names: list[str], cells: list[str], exponent: int) -> Row:
    if len(cells) > len(names):
        raise RowTooLong()
    padded = [*cells, *[""] * (len(names) - len(cells))]
    given = {name: cell.strip() for name, cell in zip(names, padded, strict=True)}
    return Row(
        number=number,
        seller=given["seller"],
        stream=given["stream"],
        app=given.get("app", ""),
        on=_day(given["on"]),
        amount=_amount(given["amount"], exponent),
        version=_version(given["version"]),
        is_final=_is_final(given["state"]),
    )


def _day(text: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise CellNotUsable(value=text[:40], example="2026-09-01", field="on")


def _amount(text: str, exponent: int) -> int:
    written = _AMOUNT.fullmatch(text)
    if written and len(written[2] or "") <= exponent:
        decimals = (written[2] or "").ljust(exponent, "0")
        amount = int(written[1].replace(",", "") + decimals)
        if amount <= LARGEST_AMOUNT:
            return amount
    example = "1,234,500" + ("." + "0" * exponent if exponent else "")
    raise CellNotUsable(value=text[:40], example=example, field="amount")


def _version(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 11 and 0 < int(text) <= LARGEST_NUMBER:
        return int(text)
    raise CellNotUsable(value=text[:40], example="1", field="version")


def _is_final(text: str) -> bool:
    if text not in STATES:
        raise CellNotUsable(value=text[:40], example="final", field="state")
    return text == "final"
