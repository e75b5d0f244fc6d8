"""Settle what waits: one settlement line for each outcome, put on the statement it falls due with.

`settle()` serves a range of sellers in the transaction of its caller and streams: memory does not
grow with the number of lines. Sales come first, then reversals, which read the sale's own line
for the terms they go by. Repeating it finds an empty queue. Lines are written by COPY into a
temporary table and one INSERT, since COPY into a table under row-level security is refused.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import chain

from django.db import connection

from marketplace import tenancy
from orders.remainders import Remainder
from settlements import fees, reversals, terms_documents
from settlements.fees import Terms
from settlements.models import LineTerms, SettlementLine
from settlements.rating import RateBook, SellerDay
from settlements.statement_book import StatementBook

FETCH = 10_000

# The look-ups are lateral and by unique keys, which leaves the planner no choice of plan: rows that
# were written a moment ago have no statistics, and what it guesses about them can take hours.
_TAKE = """
CREATE TEMPORARY TABLE taken ON COMMIT DROP AS
WITH gone AS (
    DELETE FROM orders_outcometosettle
    WHERE marketplace_id = %(marketplace)s AND basis_on <= %(on)s
      AND seller_id >= %(first)s AND seller_id < %(end)s
    RETURNING outcome_id
)
SELECT o.*
FROM gone
LEFT JOIN LATERAL (
    SELECT seller_id, line_id, sequence, rate_on, basis_on, quantity, list_amount,
           seller_discount, platform_discount, partner_discount
    FROM orders_outcome
    WHERE marketplace_id = %(marketplace)s AND id = gone.outcome_id
    LIMIT 1
) o ON true
"""

_SALES = """
SELECT t.seller_id, t.line_id, t.rate_on, t.basis_on, t.quantity, t.list_amount,
       t.seller_discount, t.platform_discount, t.partner_discount, l.unit_price,
       l.stream, l.category_id, l.listing_kind, l.channel, l.seller_type
FROM taken t
CROSS JOIN LATERAL (
    SELECT unit_price, stream, category_id, listing_kind, channel, seller_type
    FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND id = t.line_id
    LIMIT 1
) l
WHERE t.sequence = 0
"""

# What was sold, what remained before, and what remains now.
_REVERSALS = """
SELECT t.seller_id, t.line_id, t.sequence, t.rate_on, t.basis_on,
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

SALE, REVERSAL = SettlementLine.Kind.SALE.value, SettlementLine.Kind.REVERSAL.value
_COLUMNS = (
    "seller_id, order_line_id, sequence, kind, rate_on, basis_on, statement_id, terms_id, "
    "quantity, list_amount, seller_discount, platform_discount, partner_discount, fee, vat, net, "
    "charges"
)
_NEW_LINES = f"""
CREATE TEMPORARY TABLE new_line ON COMMIT DROP AS
SELECT {_COLUMNS} FROM settlement_line WITH NO DATA
"""  # noqa: S608 (the column list is a constant)
_INSERT = f"""
INSERT INTO settlement_line (marketplace_id, run_on, {_COLUMNS})
SELECT %(marketplace)s, %(on)s, {_COLUMNS} FROM new_line
"""  # noqa: S608 (the column list is a constant)


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
        cursor.execute("DROP TABLE IF EXISTS taken, new_line")
        cursor.execute(_TAKE, parameters)
        taken = cursor.rowcount
        if not taken:
            return Settled(0, 0, 0)
        cursor.execute(_NEW_LINES)
        cursor.execute("SELECT DISTINCT seller_id FROM taken")
        sellers = [seller_id for (seller_id,) in cursor]
    book = RateBook(on=on, first_seller=first_seller, end_seller=end_seller, only=sellers)
    statements = StatementBook(book, first_seller=first_seller, end_seller=end_seller)
    used: dict[int, Terms] = {}
    sale_lines = _SaleLines(book, statements, used, parameters["marketplace"])
    sales = _write("sales", _SALES, sale_lines, statements, parameters)
    reversal_lines = _ReversalLines(book, statements, used)
    reversed_ = _write("reversals", _REVERSALS, reversal_lines, statements, parameters)
    if sales + reversed_ != taken:
        raise LinesMissing(f"{taken} outcomes were taken, {sales + reversed_} lines written")
    touched = statements.save()
    store_terms(used)
    return Settled(taken, reversed_, len(touched))


class _SaleLines:
    """Makes a line of COPY text of each sale."""

    def __init__(self, book: RateBook, statements: StatementBook, used: dict, marketplace: int):
        self._book = book
        self._statements = statements
        self._used: dict[int, Terms] = used
        self._marketplace = marketplace
        self._days: dict[tuple, SellerDay] = {}
        self._terms_ids: dict[int, int] = {}
        self._iso = _IsoDates()
        self._texts = _LineTexts()

    def __call__(self, rows: Iterable[tuple]) -> Iterator[str]:
        """The loop that a million lines go through."""
        figures, tally_of, book = fees.figures, self._statements.tally, self._book
        days, terms_ids, iso, texts = self._days, self._terms_ids, self._iso, self._texts
        for (
            seller_id,
            line_id,
            rate_on,
            basis_on,
            quantity,
            list_amount,
            by_seller,
            by_platform,
            by_partner,
            unit_price,
            *kind,
        ) in rows:
            day = days.get((seller_id, rate_on))
            if day is None:
                day = days[seller_id, rate_on] = book.seller_day(seller_id, rate_on)
            kind = tuple(kind)
            plan = day.plans.get(kind) or day.plan(kind, rate_on)
            terms = plan.terms(unit_price)
            terms_id = terms_ids.get(id(terms))
            if terms_id is None:
                terms_id = terms_ids[id(terms)] = terms_id_of(self._marketplace, terms)
                self._used[terms_id] = terms
            amounts = (list_amount, by_seller, by_platform, by_partner)
            charged, fee, vat, net = figures(terms, quantity, *amounts)
            charges = [*chain.from_iterable(charged)]
            tally = tally_of(seller_id, basis_on, rate_on)
            tally.add(terms, basis_on, *amounts, fee, vat, net, *charges)
            yield texts[len(charges)] % (
                seller_id,
                line_id,
                0,
                SALE,
                iso[rate_on],
                iso[basis_on],
                tally.statement_id,
                terms_id,
                quantity,
                *amounts,
                fee,
                vat,
                net,
                *charges,
            )


class _ReversalLines:
    """Makes a line of COPY text of each reversal, by the terms of its sale, below zero."""

    def __init__(self, book: RateBook, statements: StatementBook, used: dict[int, Terms]):
        self._statements = statements
        self._texts = _LineTexts()
        self._stored = StoredTerms(book)
        self._stored.update(used)  # of sales of this very night; they are not written yet

    def __call__(self, rows: Iterable[tuple]) -> Iterator[str]:
        for row in rows:
            seller_id, line_id, sequence, rate_on, basis_on = row[:5]
            after, before = Remainder(*row[5:10]), Remainder(*row[10:15])
            sold, terms_id = Remainder(*row[15:20]), row[20]
            terms = self._stored[terms_id]
            back = reversals.reversed_between(terms, sold, before, after)
            charges = [-amount for amount in chain.from_iterable(back.charged)]
            fee, vat = sum(charges[1::3]), sum(charges[2::3])
            quantity, *amounts = (-amount for amount in back[:5])
            tally = self._statements.tally(seller_id, basis_on, rate_on)
            tally.add(terms, basis_on, *amounts, fee, vat, -back.net, *charges)
            yield self._texts[len(charges)] % (
                seller_id,
                line_id,
                sequence,
                REVERSAL,
                rate_on,
                basis_on,
                tally.statement_id,
                terms_id,
                quantity,
                *amounts,
                fee,
                vat,
                -back.net,
                *charges,
            )


class _LineTexts(dict):
    """The pattern of a line of COPY text, by how many charges it has; columns as in _COLUMNS."""

    def __missing__(self, charges: int) -> str:
        values = ["%s"] * _COLUMNS.count(",")  # all but the last, which is the array
        array = ",".join(["%s"] * charges)
        pattern = self[charges] = "\t".join(values) + f"\t{{{array}}}\n"
        return pattern


class _IsoDates(dict):
    """Dates as text: a night has few of them, and each stands on thousands of lines."""

    def __missing__(self, day: date) -> str:
        text = self[day] = day.isoformat()
        return text


def stream(name: str, query: str, parameters: dict) -> Iterator[tuple]:
    """The rows of a query by a server-side cursor, a few thousand at a time."""
    with connection.connection.cursor(name=name) as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(FETCH):
            yield from rows


def _write(
    name: str,
    query: str,
    lines_of: Callable[[list[tuple]], Iterator[str]],
    statements: StatementBook,
    parameters: dict,
) -> int:
    """Write the lines of a query's rows, a block at a time; returns how many there are.

    The server stores a block while the lines of the next one are computed here. What the
    computation asks of the server meanwhile waits for it: they share the connection.
    """
    raw = connection.connection
    written = 0
    with ThreadPoolExecutor(1) as beside, raw.cursor(name=name) as rows, raw.cursor() as cursor:
        storing: Future | None = None
        rows.execute(query, parameters)
        while block := rows.fetchmany(FETCH):
            if written:
                storing = beside.submit(_store, cursor, parameters)
            text = "".join(lines_of(block))
            statements.sum_up()
            if storing is not None:
                storing.result()
            with cursor.copy(f"COPY new_line ({_COLUMNS}) FROM STDIN") as copy:
                copy.write(text)
            written += len(block)
        if written:
            _store(cursor, parameters)
    return written


def _store(cursor, parameters: dict) -> None:
    cursor.execute(_INSERT, parameters)
    cursor.execute("TRUNCATE new_line")


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
