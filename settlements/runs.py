"""Settle what waits: one settlement line for each outcome, put on the statement it falls due with.

`settle()` serves a range of sellers in the transaction of its caller and streams: memory does not
grow with the number of lines. Sales come first, then reversals, which read the sale's own line
for the terms they go by. Repeating it finds an empty queue. Lines go to the server as one array of
numbers a block, which costs less than COPY into a temporary table; COPY into a table under
row-level security is refused.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import accumulate, chain
from typing import Any, NamedTuple

from django.db import connection
from psycopg import Cursor

from marketplace import bulk, tenancy
from orders.remainders import Remainder
from settlements import fees, reversals, sealed_lines, terms_documents
from settlements.fees import Terms
from settlements.models import LineTerms, SettlementLine
from settlements.rating import RateBook, SellerDay
from settlements.statement_book import StatementBook

FETCH = 2_000
SUMMED_UP = 10  # blocks at once
TURN = 0.0002  # seconds

_GONE = """
CREATE TEMPORARY TABLE gone ON COMMIT DROP AS
WITH gone AS (
    DELETE FROM orders_outcometosettle
    WHERE marketplace_id = %(marketplace)s AND basis_on <= %(on)s
      AND seller_id >= %(first)s AND seller_id < %(end)s
    RETURNING outcome_id, seller_id
)
SELECT row_number() OVER () AS at, * FROM gone
"""
_FIND_GONE = "CREATE UNIQUE INDEX ON gone (at)"

# The look-ups are lateral and by unique keys, which leaves the planner no choice of plan: rows that
# were written a moment ago have no statistics, and what it guesses about them can take hours.
_LOOKED_UP = """
SELECT gone.at, o.*, l.*, n.number AS order_number
FROM gone
LEFT JOIN LATERAL (
    SELECT seller_id, line_id, sequence, rate_on, basis_on, quantity, list_amount,
           seller_discount, platform_discount, partner_discount
    FROM orders_outcome
    WHERE marketplace_id = %(marketplace)s AND id = gone.outcome_id
    LIMIT 1
) o ON true
LEFT JOIN LATERAL (
    SELECT order_id, number, stream, category_id, listing_kind, channel, seller_type,
           tax_kind = 'taxable' AS is_taxed, unit_price, quantity AS ordered,
           seller_discount AS by_seller, platform_discount AS by_platform,
           partner_discount AS by_partner
    FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND id = o.line_id
    LIMIT 1
) l ON true
LEFT JOIN LATERAL (
    SELECT number FROM orders_order
    WHERE marketplace_id = %(marketplace)s AND id = l.order_id
    LIMIT 1
) n ON true
"""
_TAKEN = f"CREATE TEMPORARY TABLE taken ON COMMIT DROP AS {_LOOKED_UP} WITH NO DATA"
_FIND_TAKEN = "CREATE UNIQUE INDEX ON taken (at)"
_TAKE = f"""
WITH block AS (
    INSERT INTO taken {_LOOKED_UP} WHERE gone.at > %(after)s AND gone.at <= %(until)s
    RETURNING *
)
SELECT seller_id, rate_on, basis_on, stream, category_id, listing_kind, channel, seller_type,
       is_taxed, unit_price, at, quantity, list_amount, seller_discount, platform_discount,
       partner_discount
FROM block
WHERE sequence = 0
"""  # noqa: S608 (all parts are constants)

# What was sold, what remained before, and what remains now.
_REVERSALS = """
SELECT t.at, t.seller_id, t.rate_on, t.basis_on,
       t.quantity, t.list_amount, t.seller_discount, t.platform_discount, t.partner_discount,
       b.quantity, b.list_amount, b.seller_discount, b.platform_discount, b.partner_discount,
       f.quantity, f.list_amount, f.seller_discount, f.platform_discount, f.partner_discount,
       s.terms_id
FROM taken t
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
WHERE t.sequence > 0
"""

# Of a line's numbers, see _SaleLines; it begins where the one before ends. OFFSET 0 lets each
# number be read once.
_INSERT = f"""
INSERT INTO settlement_line (
    marketplace_id, run_on, kind, seller_id, order_line_id, sequence, rate_on, basis_on,
    statement_id, terms_id, quantity, list_amount, seller_discount, platform_discount,
    partner_discount, fee, vat, net, charges, digest
)
SELECT s.*, {sealed_lines.DIGEST}
FROM (
    SELECT n[o + 1] AS at, n[o + 2] AS statement_id, n[o + 3] AS terms_id,
           n[o + 4]::integer AS quantity, n[o + 5] AS list_amount, n[o + 6] AS seller_discount,
           n[o + 7] AS platform_discount, n[o + 8] AS partner_discount,
           n[o + 9] AS fee, n[o + 10] AS vat, n[o + 11] AS net, n[o + 12 : until] AS charges
    FROM (SELECT %(numbers)s AS n, %(ends)s AS ends OFFSET 0) block
    CROSS JOIN generate_series(1, %(lines)s) AS i
    CROSS JOIN LATERAL (
        SELECT coalesce(ends[i - 1], 0)::integer AS o, ends[i]::integer AS until
    ) place
    OFFSET 0
) f
CROSS JOIN LATERAL (SELECT * FROM taken WHERE at = f.at LIMIT 1) t
CROSS JOIN LATERAL (
    SELECT %(marketplace)s::bigint AS marketplace_id, %(on)s::date,
           CASE WHEN t.sequence = 0 THEN {SettlementLine.Kind.SALE.value}
                ELSE {SettlementLine.Kind.REVERSAL.value} END AS kind,
           t.seller_id, t.line_id AS order_line_id, t.sequence, t.rate_on, t.basis_on,
           f.statement_id, f.terms_id, f.quantity, f.list_amount, f.seller_discount,
           f.platform_discount, f.partner_discount, f.fee, f.vat, f.net, f.charges
) s
CROSS JOIN LATERAL (
    SELECT t.number, t.stream, t.unit_price, t.ordered AS quantity,
           t.by_seller AS seller_discount, t.by_platform AS platform_discount,
           t.by_partner AS partner_discount
) l
CROSS JOIN LATERAL (SELECT t.order_number AS number) n
CROSS JOIN LATERAL (SELECT %(labels)s::jsonb ->> f.terms_id::text AS label) k
CROSS JOIN (SELECT NULL::text AS public_id, NULL::text AS reason_code) a
"""  # noqa: S608 (all parts are constants)


class LinesMissing(RuntimeError):
    """An outcome was taken from the queue but no line came of it: an orphan, so a bug."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a call of settle() did."""

    lines: int
    reversals: int
    statements: int


def settle(*, on: date, first_seller: int, end_seller: int) -> Settled:
    """Make the lines of every waiting outcome with a basis date up to `on`, for some sellers.

    The caller holds the transaction and has entered the marketplace. Months are opened before.
    """
    parameters = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "first": first_seller,
        "end": end_seller,
    }
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS gone, taken")
        cursor.execute(_GONE, parameters)
        taken = cursor.rowcount
        if not taken:
            return Settled(0, 0, 0)
        for statement in (_FIND_GONE, _TAKEN, _FIND_TAKEN):
            cursor.execute(statement, parameters)
        sealed_lines.as_iso(cursor)
        cursor.execute("SELECT DISTINCT seller_id FROM gone")
        sellers = [seller_id for (seller_id,) in cursor]
    book = RateBook(on=on, first_seller=first_seller, end_seller=end_seller, only=sellers)
    statements = StatementBook(book, first_seller=first_seller, end_seller=end_seller)
    used = _Used(parameters["marketplace"])
    raw = connection.connection
    with bulk.cursor() as cursor:
        waiting = _Sales(cursor, taken, parameters)
        sales = _write(waiting, _SaleLines(book, statements, used), statements, parameters)
    reversal_lines = _ReversalLines(book, statements, used)
    with raw.cursor(name="reversals", binary=True) as rows:
        rows.execute(_REVERSALS, parameters)
        reversed_ = _write(partial(rows.fetchmany, FETCH), reversal_lines, statements, parameters)
    if sales + reversed_ != taken:
        raise LinesMissing(f"{taken} outcomes were taken, {sales + reversed_} lines written")
    touched = statements.save()
    store_terms(used.terms)
    used.labels.check()
    return Settled(taken, reversed_, len(touched))


class _Block(NamedTuple):
    """Lines to store at once."""

    lines: list[tuple[int, ...]]
    labels: dict[int, str]  # of their terms

    def parameters(self) -> dict[str, Any]:
        return {
            "numbers": bulk.bigints(chain.from_iterable(self.lines)),
            "ends": bulk.bigints(accumulate(map(len, self.lines))),
            "lines": len(self.lines),
            "labels": json.dumps(self.labels),
        }


class _Pinned(NamedTuple):
    """Terms with what each of their lines wants to know of them."""

    terms: Terms
    terms_id: int
    label: str
    parts: tuple[tuple[str, bool], ...]


class _Used:
    """The terms that the lines of a run go by."""

    def __init__(self, marketplace: int):
        self.terms: dict[int, Terms] = {}
        self.labels = terms_documents.Labels()
        self._marketplace = marketplace
        self._pinned: dict[int, _Pinned] = {}  # by identity, as Terms are long to compare

    def pinned(self, terms: Terms, terms_id: int | None = None) -> _Pinned:
        found = self._pinned.get(id(terms))
        if found is None:
            if terms_id is None:
                terms_id = terms_id_of(self._marketplace, terms)
            self.terms[terms_id] = terms
            label = self.labels.of(terms_id, terms)
            found = _Pinned(terms, terms_id, label, terms.parts)
            self._pinned[id(terms)] = found
        return found


class _SaleLines:
    """Makes a line of each sale: its numbers, in the order in which they are stored.

    Its place in what was taken, statement, terms, quantity, list amount, discounts of seller,
    platform and partner, fees, VAT, net, then base, fee and VAT of each component.
    """

    def __init__(self, book: RateBook, statements: StatementBook, used: _Used):
        self._book = book
        self._statements = statements
        self._used = used
        self._days: dict[tuple[int, date], SellerDay] = {}

    def __call__(self, rows: Iterable[tuple]) -> _Block:
        """The loop that a million lines go through."""
        lines: list[tuple[int, ...]] = []
        labels: dict[int, str] = {}
        figures, tally_of, day_of = fees.figures, self._statements.tally, self._book.seller_day
        days, pinned_of = self._days, self._used.pinned
        for row in rows:
            seller_id, rate_on, basis_on = row[:3]
            day = days.get((seller_id, rate_on))
            if day is None:
                day = days[seller_id, rate_on] = day_of(seller_id, rate_on)
            kind = row[3:9]
            plan = day.plans.get(kind) or day.plan(kind, rate_on)
            terms, terms_id, label, parts = pinned_of(plan.terms(row[9]))
            labels[terms_id] = label
            sold = row[11:]
            charged, fee, vat, net = figures(terms, *sold)
            tally = tally_of(seller_id, basis_on, rate_on)
            head = (row[10], tally.statement_id, terms_id)
            line = (*head, *sold, fee, vat, net, *chain.from_iterable(charged))
            tally.add(parts, basis_on, line)
            lines.append(line)
        return _Block(lines, labels)


class _ReversalLines:
    """Makes a line of each reversal, by the terms of its sale, below zero."""

    def __init__(self, book: RateBook, statements: StatementBook, used: _Used):
        self._statements = statements
        self._used = used
        self._stored = StoredTerms(book)
        self._stored.update(used.terms)  # of sales of this very night; they are not written yet

    def __call__(self, rows: Iterable[tuple]) -> _Block:
        lines: list[tuple[int, ...]] = []
        labels: dict[int, str] = {}
        for row in rows:
            at, seller_id, rate_on, basis_on = row[:4]
            after, before = Remainder(*row[4:9]), Remainder(*row[9:14])
            sold, terms_id = Remainder(*row[14:19]), row[19]
            terms, _, label, parts = self._used.pinned(self._stored[terms_id], terms_id)
            labels[terms_id] = label
            back = reversals.reversed_between(terms, sold, before, after)
            charges = [-amount for amount in chain.from_iterable(back.charged)]
            fee, vat = terms.sums(back.charged)
            amounts = (-amount for amount in back[:5])
            tally = self._statements.tally(seller_id, basis_on, rate_on)
            head = (at, tally.statement_id, terms_id)
            line = (*head, *amounts, -fee, -vat, -back.net, *charges)
            tally.add(parts, basis_on, line)
            lines.append(line)
        return _Block(lines, labels)


def stream(name: str, query: str, parameters: dict) -> Iterator[tuple]:
    """The rows of a query by a server-side cursor, a few thousand at a time."""
    with connection.connection.cursor(name=name) as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(FETCH):
            yield from rows


class _Sales:
    """Takes what waits, a block at a time, and returns what there is to compute of its sales."""

    def __init__(self, cursor: Cursor, waiting: int, parameters: dict):
        self._cursor = cursor
        self._waiting = waiting
        self._parameters = parameters
        self._until = 0

    def __call__(self) -> list[tuple]:
        sales: list[tuple] = []
        while not sales and self._until < self._waiting:
            block = {"after": self._until, "until": self._until + FETCH}
            self._cursor.execute(_TAKE, self._parameters | block, binary=True)
            sales = self._cursor.fetchall()
            self._until += FETCH
        return sales


def _write(
    next_rows: Callable[[], list[tuple]],
    lines_of: Callable[[list[tuple]], _Block],
    statements: StatementBook,
    parameters: dict,
) -> int:
    """Write the lines of all rows, a block at a time; returns how many there are.

    While the lines of a block are computed here, the server stores those of the block before and
    looks up the next one. What the computation asks of the server meanwhile waits for that: they
    share the connection.
    """
    written = blocks = 0
    with (
        ThreadPoolExecutor(1) as beside,
        bulk.cursor() as cursor,
        _turns_at_once(),
    ):
        rows = next_rows()
        storing: dict[str, Any] = {}
        while rows:
            coming = beside.submit(_store_and_take, cursor, storing, next_rows)
            storing = parameters | lines_of(rows).parameters()
            blocks += 1
            if blocks % SUMMED_UP == 0:
                statements.sum_up()
            written += len(rows)
            rows = coming.result()
        _store(cursor, storing)
    return written


@contextmanager
def _turns_at_once() -> Iterator[None]:
    """Threads that wait for the server go on as soon as it has answered.

    Usually a thread that computes lets others wait 5 ms, and a block has a dozen answers.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _store_and_take(cursor: Cursor, parameters: dict, next_rows: Callable) -> list[tuple]:
    _store(cursor, parameters)
    return next_rows()


def _store(cursor: Cursor, parameters: dict) -> None:
    if parameters:
        cursor.execute(_INSERT, parameters)


class StoredTerms(dict):
    """Terms of sales by the id that their lines name, read when first asked for."""

    def __init__(self, book: RateBook):
        super().__init__()
        self._book = book

    def __missing__(self, terms_id: int) -> Terms:
        key = LineTerms.objects.values_list("key", flat=True).get(pk=terms_id)
        terms = self[terms_id] = self._book.stored(key)
        return terms


def terms_id_of(marketplace: int, terms: Terms) -> int:
    """A number that follows from what the terms say, so that every shard arrives at the same."""
    text = json.dumps([marketplace, terms.key()], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def store_terms(used: dict[int, Terms]) -> None:
    """Keep the terms that lines name. Last, as another shard may be writing the same ones."""
    LineTerms.objects.bulk_create(
        [
            LineTerms(pk=pk, version_id=terms.version_id, key=terms.key())
            for pk, terms in sorted(used.items())
        ],
        ignore_conflicts=True,
    )
    terms_documents.store(used)
