"""Many parcels at once, from what a seller pastes or uploads. Good rows go through, bad are named.

A row names an order, a carrier and a tracking number, and perhaps one line of the order. Columns
are found by their headings, Korean or English, as in the list that the seller downloads; without
headings they come in that order. A row that was told before is told again without harm.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from marketplace.refusals import Refused, gettext_noop
from orders import applying, arrivals, events, shipping
from orders.models import Order, OrderLine, Shipment
from sellers.models import Seller

MOST_ROWS: Final = 500
MOST_BYTES: Final = 1_000_000

ORDER: Final = "order"
LINE: Final = "line"
CARRIER: Final = "carrier"
TRACKING: Final = "tracking_number"
HEADINGS: Final = {
    ORDER: ("주문번호", "order number", "order"),
    LINE: ("항목", "주문항목", "line"),
    CARRIER: ("택배사", "carrier"),
    TRACKING: ("송장번호", "운송장번호", "tracking number", "tracking"),
}
_NEEDED: Final = (ORDER, CARRIER, TRACKING)


class SheetNotText(Refused):
    code = "sheet_not_text"
    message = gettext_noop(
        "The file is no text. Save it as “CSV UTF-8” in the spreadsheet and upload that."
    )


class SheetTooLong(Refused):
    code = "sheet_too_long"
    message = gettext_noop("At most %(most)s rows are taken at once. Divide them.")


class SheetNotUsable(Refused):
    code = "sheet_not_usable"
    message = gettext_noop("Row %(row)s cannot be read. Look for an open quotation mark there.")


class SheetEmpty(Refused):
    code = "sheet_empty"
    message = gettext_noop("There is no row with a tracking number. Paste some, or choose a file.")


class ColumnsMissing(Refused):
    code = "columns_missing"
    message = gettext_noop(
        "Three columns are needed: order number, carrier, tracking number. Row %(row)s has"
        " %(found)s."
    )


class UnknownOrder(Refused):
    code = "unknown_order"
    message = gettext_noop(
        "You have no order with the number “%(value)s”. Compare it with the list."
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was written, with its place in the text, the first being 1."""

    at: int
    order: str
    carrier: str
    tracking_number: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a row: a parcel, or why there is none."""

    row: Row
    parcel: Shipment | None = None
    refusal: Refused | None = None


def decode(data: bytes) -> str:
    """The text of an uploaded file, as Excel saves it here. Raises SheetNotText, SheetTooLong."""
    if len(data) > MOST_BYTES:
        raise SheetTooLong(most=MOST_ROWS, field="file")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise SheetNotText(field="file")


def read(text: str) -> list[Row]:
    """The rows of a text; those without a tracking number and carrier are not meant yet.

    Raises SheetEmpty, SheetTooLong and ColumnsMissing, naming the row.
    """
    text = text.removeprefix("\ufeff")
    delimiter = next((mark for mark in ("\t", ";") if mark in text.partition("\n")[0]), ",")
    rows: list[Row] = []
    columns: dict[str, int] | None = None
    for at, given in _records(text, delimiter):
        cells = [_plain(cell) for cell in given]
        if not any(cells):
            continue
        if columns is None:
            columns = _headed(cells)
            if columns:
                continue
            columns = {ORDER: 0, CARRIER: 1, TRACKING: 2}
        row = _row(at, cells, columns)
        if row.carrier or row.tracking_number:
            rows.append(row)
        if len(rows) > MOST_ROWS:
            raise SheetTooLong(most=MOST_ROWS, field="text")
    if not rows:
        raise SheetEmpty(field="text")
    return rows


def ship(seller: Seller, rows: Sequence[Row], *, by, at: datetime) -> list[Told]:
    """Record the parcels that can be; the other rows say why not. In the order given.

    Rows of one order with the same number are one parcel.
    """
    orders = _orders(seller, {row.order for row in rows})
    # All at once and in everybody's order, so that two sheets wait for each other at most.
    arrivals.bring_events(orders)
    list(applying.lock(order.pk for order in orders.values()))
    parcels: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        parcels.setdefault((row.order, row.carrier, row.tracking_number), []).append(row)
    told: dict[int, Told] = {}
    for (number, *_), together in parcels.items():
        try:
            if number not in orders:
                raise UnknownOrder(value=number[:100])
            parcel = _ship(seller, orders[number], together, by, at)
            told |= {row.at: Told(row, parcel=parcel) for row in together}
        except Refused as refusal:
            told |= {row.at: Told(row, refusal=refusal) for row in together}
    return [told[row.at] for row in rows]


def _ship(seller: Seller, order: Order, rows: Sequence[Row], by, at: datetime) -> Shipment:
    units: dict[int, int | None] | None = None
    if all(row.line for row in rows):
        units = dict.fromkeys(_line_number(order, row) for row in rows)
    return shipping.ship(
        order,
        seller,
        carrier=rows[0].carrier,
        tracking_number=rows[0].tracking_number,
        units=units,
        by=by,
        at=at,
    )


def _line_number(order: Order, row: Row) -> int:
    if row.line.isascii() and row.line.isdigit() and len(row.line) < 10:
        return int(row.line)
    raise events.UnknownLine(order=order.number, value=row.line[:40])


def _orders(seller: Seller, numbers: Iterable[str]) -> dict[str, Order]:
    keys = Order.objects.filter(number__in=[number for number in numbers if number])
    own = OrderLine.objects.filter(order__in=keys, seller=seller).select_related("order")
    return {line.order.number: line.order for line in own}


def _headed(cells: Sequence[str]) -> dict[str, int]:
    """Where each column stands, if these cells are headings."""
    names = [cell.casefold() for cell in cells]
    found = {
        column: names.index(name)
        for column, headings in HEADINGS.items()
        for name in headings
        if name in names
    }
    return found if all(column in found for column in _NEEDED) else {}


def _row(at: int, cells: Sequence[str], columns: dict[str, int]) -> Row:
    if len(cells) <= max(columns[column] for column in _NEEDED):
        raise ColumnsMissing(row=at, found=len(cells), field="text")
    line = columns.get(LINE)
    return Row(
        at=at,
        order=cells[columns[ORDER]],
        carrier=cells[columns[CARRIER]],
        tracking_number=cells[columns[TRACKING]],
        line=cells[line] if line is not None and line < len(cells) else "",
    )


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    at = 0
    try:
        for at, cells in enumerate(records, start=1):
            yield at, cells
    except csv.Error:
        raise SheetNotUsable(row=at + 1, field="text") from None


def _plain(cell: str) -> str:
    """Without what our own list puts before a text that a spreadsheet would run."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell
