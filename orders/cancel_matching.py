"""Find the sale that a cancel takes back, where its sender does not say.

The latest sale before it of the same goods to the same buyer at the same price that has enough
units left. What no sale is found for is told, never guessed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from marketplace import tenancy
from marketplace.refusals import Refused, gettext_noop
from orders.events import NewEvent
from orders.models import OrderEvent

UNMATCHED: Final = "cancel_unmatched"

Key = tuple[str, str, int]  # buyer, stock code, unit price


class NoBuyer(Refused):
    code = "no_buyer"
    message = gettext_noop("The cancel names no buyer, so its sale cannot be told.")


class NoSale(Refused):
    code = "no_sale"
    message = gettext_noop("No sale of “%(sku)s” to this buyer at this price stands before it.")


class NotEnoughUnits(Refused):
    code = "not_enough_units"
    message = gettext_noop("No sale before it has %(quantity)s units left; the most is %(most)s.")


@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel as its sender tells it."""

    source_id: str
    buyer: str
    sku: str
    unit_price: int
    quantity: int
    at: datetime

    @property
    def key(self) -> Key:
        return (self.buyer, self.sku, self.unit_price)


@dataclass(slots=True)
class Sale:
    """A line that units may be taken back from."""

    order: str
    line: int
    at: datetime
    left: int


def find(source: str, cancels: Sequence[Cancel]) -> list[NewEvent | Refused | None]:
    """For each cancel, in the order given, the event that it is, or why no sale was found.

    None for one that was accepted before. The units that earlier cancels of the batch take are
    no longer there for later ones.
    """
    told = _told_before(source, cancels)
    new = [cancel for cancel in cancels if cancel.source_id not in told]
    sales = _sales(source, {cancel.key for cancel in new if cancel.buyer})
    return [
        None if cancel.source_id in told else _find(source, cancel, sales[cancel.key])
        for cancel in cancels
    ]


def choose(cancel: Cancel, sales: Iterable[Sale]) -> Sale | Refused:
    """Choose the latest sale before a cancel that has enough units left."""
    if not cancel.buyer:
        return NoBuyer()
    before = [sale for sale in sales if sale.at <= cancel.at]
    if not before:
        return NoSale(sku=cancel.sku)
    enough = [sale for sale in before if sale.left >= cancel.quantity]
    if not enough:
        most = max(sale.left for sale in before)
        return NotEnoughUnits(quantity=cancel.quantity, most=most)
    return max(enough, key=lambda sale: (sale.at, sale.order, sale.line))


def _find(source: str, cancel: Cancel, sales: Sequence[Sale]) -> NewEvent | Refused:
    sale = choose(cancel, sales)
    if isinstance(sale, Refused):
        return sale
    sale.left -= cancel.quantity
    return NewEvent(
        source=source,
        source_id=cancel.source_id,
        kind=OrderEvent.Kind.CANCELLED,
        order_number=sale.order,
        occurred_at=cancel.at,
        line_number=sale.line,
        quantity=cancel.quantity,
    )


def _told_before(source: str, cancels: Sequence[Cancel]) -> set[str]:
    known = OrderEvent.objects.filter(
        source=source, source_id__in=[cancel.source_id for cancel in cancels]
    )
    return set(known.values_list("source_id", flat=True))


def _sales(source: str, keys: set[Key]) -> dict[Key, list[Sale]]:
    sales: dict[Key, list[Sale]] = defaultdict(list)
    if not keys:
        return sales
    sql = """
        SELECT o.buyer_reference, l.sku, l.unit_price, o.number, l.number, o.placed_at, l.units_left
        FROM orders_orderline l
        JOIN orders_order o ON o.marketplace_id = l.marketplace_id AND o.id = l.order_id
        JOIN unnest(%s::text[], %s::text[], %s::bigint[]) AS wanted(buyer, sku, price)
            ON o.buyer_reference = wanted.buyer AND l.sku = wanted.sku
            AND l.unit_price = wanted.price
        WHERE l.marketplace_id = %s AND o.source = %s
              AND l.stream NOT IN ('shipping', 'return_shipping')
    """
    columns = [list(column) for column in zip(*sorted(keys), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*columns, tenancy.current_id(), source])
        for buyer, sku, price, order, line, at, left in cursor:
            sales[buyer, sku, price].append(Sale(order, line, at, left))
    return sales
