"""Outcomes come off the queue of settlement here, with what was ordered and what came before.

A block of them at a time, as plain rows: memory does not grow with what waits. Each look-up asks
one table for an array of keys by a unique index, so there is no join to plan: rows that were
written a moment ago have no statistics, and what the planner guesses about them can take hours.
"""

from array import array
from typing import Any, NamedTuple

from django.db import connection
from psycopg import Cursor

from marketplace import bulk

BLOCK = 2_000

_GONE = """
CREATE TEMPORARY TABLE gone ON COMMIT DROP AS
WITH gone AS (
    DELETE FROM orders_outcometosettle
    WHERE marketplace_id = %(marketplace)s AND basis_on <= %(on)s
      AND seller_id >= %(first)s AND seller_id < %(end)s
    RETURNING outcome_id, seller_id
)
SELECT row_number() OVER (ORDER BY outcome_id) AS at, * FROM gone
"""
_FIND_GONE = "CREATE UNIQUE INDEX ON gone (at)"
_SELLERS = "SELECT DISTINCT seller_id FROM gone"

# Days are counted as `date.toordinal` does, which is quicker to read than a date.
_OUTCOMES = """
SELECT id, line_id, seller_id, rate_on - DATE '0001-01-01' + 1, basis_on - DATE '0001-01-01' + 1,
       sequence::bigint, quantity, list_amount, seller_discount, platform_discount,
       partner_discount
FROM orders_outcome
WHERE marketplace_id = %(marketplace)s AND id = ANY({ids})
"""
_NEXT_OUTCOMES = _OUTCOMES.format(
    ids="ARRAY(SELECT outcome_id FROM gone WHERE at > %(after)s AND at <= %(until)s)"
)
_THESE_OUTCOMES = _OUTCOMES.format(ids="%(ids)s")
_LINES = """
SELECT id, order_id, stream, category_id, listing_kind, channel, seller_type,
       tax_kind = 'taxable', number, unit_price, quantity, seller_discount, platform_discount,
       partner_discount
FROM orders_orderline
WHERE marketplace_id = %(marketplace)s AND id = ANY(%(ids)s)
"""
_ORDERS = """
SELECT id, number FROM orders_order
WHERE marketplace_id = %(marketplace)s AND id = ANY(%(ids)s)
"""

# What remained before, what was sold, the terms by which that was settled, and what remained each
# time as a proof tells it. Lateral and by unique keys, for the reason above; an array will not do
# where one key has several rows.
_BEFORE = """
SELECT t.line_id, t.sequence,
       b.quantity, b.list_amount, b.seller_discount, b.platform_discount, b.partner_discount,
       f.quantity, f.list_amount, f.seller_discount, f.platform_discount, f.partner_discount,
       s.terms_id, h.told
FROM unnest(%(lines)s::bigint[], %(sequences)s::bigint[]) AS t (line_id, sequence)
CROSS JOIN LATERAL (
    SELECT * FROM orders_outcome
    WHERE marketplace_id = %(marketplace)s AND line_id = t.line_id AND sequence = t.sequence - 1
    LIMIT 1
) b
CROSS JOIN LATERAL (
    SELECT * FROM orders_outcome
    WHERE marketplace_id = %(marketplace)s AND line_id = t.line_id AND sequence = 0
    LIMIT 1
) f
CROSS JOIN LATERAL (
    SELECT terms_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = t.line_id AND sequence = 0
      AND basis_on = f.basis_on
    LIMIT 1
) s
CROSS JOIN LATERAL (
    SELECT string_agg(concat_ws(' ', quantity, list_amount, seller_discount, platform_discount,
                                partner_discount), ';' ORDER BY sequence) AS told
    FROM orders_outcome
    WHERE marketplace_id = %(marketplace)s AND line_id = t.line_id AND sequence <= t.sequence
) h
"""


class Block(NamedTuple):
    """Outcomes to settle at once, and what is known of them."""

    outcomes: list[tuple]  # rows of _OUTCOMES
    lines: dict[int, tuple]  # rows of _LINES by their id
    orders: dict[int, str]  # numbers by the id of the order
    before: dict[tuple[int, int], tuple]  # of reversals: rows of _BEFORE by line and sequence


class NotFound(RuntimeError):
    """What an outcome was made of is not there: an orphan, so a bug."""


class Found(NamedTuple):
    """What the server has answered. Reading it is left to whoever has the time."""

    outcomes: Cursor
    lines: Cursor
    orders: Cursor
    before: Cursor | None

    def read(self) -> Block:
        """Raises NotFound where an outcome has no line, no order, or nothing before it."""
        outcomes = self.outcomes.fetchall()
        lines = {row[0]: row for row in self.lines.fetchall()}
        orders = dict(self.orders.fetchall())
        rows = self.before.fetchall() if self.before else ()
        before = {row[:2]: row[2:] for row in rows}
        _refuse_missing({row[1] for row in outcomes} - lines.keys())
        _refuse_missing({row[1] for row in lines.values()} - orders.keys())
        if self.before:
            _refuse_missing({(row[1], row[5]) for row in outcomes} - before.keys())
        return Block(outcomes, lines, orders, before)


def _refuse_missing(keys: set) -> None:
    if keys:
        raise NotFound(f"{len(keys)} of an outcome's rows are missing, {min(keys)} among them")


class _Server:
    """The connection of the thread that made this, to ask on from another."""

    def __init__(self, parameters: dict[str, Any]):
        self._connection = connection.connection
        self._parameters = parameters

    def found(self, query: str, **more: Any) -> Cursor:
        cursor = bulk.cursor(self._connection)
        return cursor.execute(query, self._parameters | more, binary=True)

    def ordered(self, outcomes: Cursor) -> tuple[Cursor, Cursor]:
        """The order lines and orders of outcomes."""
        lines = self.found(_LINES, ids=bulk.column(outcomes, 1))
        return lines, self.found(_ORDERS, ids=bulk.column(lines, 1))


class Sales:
    """What waits for settlement of some sellers, taken off the queue when this is made.

    Its sales come in blocks; the reversals among them are kept for later.
    """

    def __init__(self, parameters: dict[str, Any]):
        self.server = _Server(parameters)
        self.reversals = array("q")  # those seen so far, by their ids
        self.sellers: list[int] = []
        self._after = 0
        with bulk.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS gone")
            cursor.execute(_GONE, parameters)
            self.size = cursor.rowcount
            if self.size:
                cursor.execute(_FIND_GONE)
                self.sellers = [seller_id for (seller_id,) in cursor.execute(_SELLERS)]

    def ask(self) -> Found | None:
        """Ask for the next block; none when there are no more."""
        if self._after >= self.size:
            return None
        until = self._after + BLOCK
        outcomes = self.server.found(_NEXT_OUTCOMES, after=self._after, until=until)
        self._after = until
        return Found(outcomes, *self.server.ordered(outcomes), None)

    def read(self, found: Found) -> Block:
        block = found.read()
        self.reversals.extend(row[0] for row in block.outcomes if row[5])
        return block._replace(outcomes=[row for row in block.outcomes if not row[5]])


class Reversals:
    """The reversals among what was taken, in blocks, after the last of its sales."""

    def __init__(self, sales: Sales):
        self._server = sales.server
        self._ids = sales.reversals
        self._after = 0

    def ask(self) -> Found | None:
        """Ask for the next block; none when there are no more."""
        ids = self._ids[self._after : self._after + BLOCK]
        if not ids:
            return None
        self._after += len(ids)
        outcomes = self._server.found(_THESE_OUTCOMES, ids=bulk.bigints(ids))
        reversals = {"lines": bulk.column(outcomes, 1), "sequences": bulk.column(outcomes, 5)}
        before = self._server.found(_BEFORE, **reversals)
        return Found(outcomes, *self._server.ordered(outcomes), before)

    def read(self, found: Found) -> Block:
        return found.read()
