"""The list of what a seller has to ship, for a spreadsheet; filled in, it can be uploaded again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.utils.translation import gettext

from orders import shipping_sheets, worklists
from orders.shipping_sheets import Row
from sellers.models import Seller

MOST_ORDERS: Final = 2_000


def to_ship(seller: Seller, *, at: datetime) -> tuple[list[str], list[list]]:
    """Headings and rows, a row for each line; carrier and tracking number are to be filled in."""
    header = [
        gettext("Order number"),
        gettext("Line"),
        gettext("Carrier"),
        gettext("Tracking number"),
        gettext("Ship by"),
        gettext("Units"),
        gettext("Stock code"),
        gettext("Title"),
        gettext("Buyer"),
        gettext("Paid on"),
    ]
    rows = [
        [
            order.order.number,
            line.row.number,
            "",
            "",
            line.ship_by.isoformat() if line.ship_by else "",
            line.to_ship,
            line.row.sku,
            line.row.title,
            order.order.buyer_reference,
            line.row.paid_on.isoformat() if line.row.paid_on else "",
        ]
        for order in worklists.to_ship(seller, MOST_ORDERS, at=at)
        for line in order.lines
        if line.to_ship
    ]
    return header, rows


def as_text(rows: Iterable[Row]) -> str:
    """Rows as they can be pasted again, once they are mended."""
    rows = list(rows)
    if not rows:
        return ""
    has_lines = any(row.line for row in rows)
    columns = [shipping_sheets.ORDER, shipping_sheets.CARRIER, shipping_sheets.TRACKING]
    if has_lines:
        columns.append(shipping_sheets.LINE)
    text = [[shipping_sheets.HEADINGS[column][0] for column in columns]] if has_lines else []
    text += [
        [row.order, row.carrier, row.tracking_number, *([row.line] if has_lines else [])]
        for row in rows
    ]
    return "\n".join("\t".join(cells) for cells in text)
