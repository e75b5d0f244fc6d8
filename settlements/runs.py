"""Settle what waits: one settlement line for each outcome, put on the statement it falls due with.

`settle()` serves a range of sellers in the transaction of its caller and streams: memory does not
grow with the number of lines. Sales come first, then reversals, which read the sale's own line
for the terms they go by. Repeating it finds an empty queue. Lines go to the server as one array of
numbers a block, which costs less than COPY into a temporary table; COPY into a table under
row-level security is refused. What was looked up for a line goes back with it: that costs less
than to keep it on the server.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, chain
from typing import Any, NamedTuple

from django.db import connection
from psycopg import Cursor

from marketplace import bulk, tenancy
from orders.remainders import Remainder
from settlements import fees, reversals, sealed_lines, taking, terms_documents
from settlements.fees import Terms
from settlements.models import LineTerms, SettlementLine
from settlements.rating import RateBook, SellerDay
from settlements.statement_book import StatementBook

SUMMED_UP = 10  # blocks at once
TURN = 0.0002  # seconds
_FETCH = 2_000

# Of a line's numbers, see _SaleLines. OFFSET 0 lets each number be read once.
_INSERT = f"""
INSERT INTO settlement_line (
    marketplace_id, run_on, kind, seller_id, order_line_id, sequence, rate_on, basis_on,
    statement_id, terms_id, quantity, list_amount, seller_discount, platform_discount,
    partner_discount, fee, vat, net, charges, digest
)
SELECT s.*, {sealed_lines.DIGEST}
FROM (
    SELECT order_number, stream, label, n[o + 1] AS statement_id, n[o + 2] AS terms_id,
           n[o + 3] AS seller_id, n[o + 4] AS order_line_id, n[o + 5]::integer AS sequence,
           DATE '0001-01-01' + (n[o + 6]::integer - 1) AS rate_on,
           DATE '0001-01-01' + (n[o + 7]::integer - 1) AS basis_on,
           n[o + 8] AS number, n[o + 9] AS unit_price, n[o + 10] AS ordered,
           n[o + 11] AS by_seller, n[o + 12] AS by_platform, n[o + 13] AS by_partner,
           n[o + 14]::integer AS quantity, n[o + 15] AS list_amount,
           n[o + 16] AS seller_discount, n[o + 17] AS platform_discount,
           n[o + 18] AS partner_discount, n[o + 19] AS fee, n[o + 20] AS vat,
           n[o + 21] AS net, n[o + 22 : until] AS charges
    FROM (SELECT %(numbers)s AS n OFFSET 0) block
    CROSS JOIN ROWS FROM (
        unnest(%(starts)s), unnest(%(ends)s), json_array_elements_text(%(orders)s::json),
        json_array_elements_text(%(streams)s::json), json_array_elements_text(%(labels)s::json)
    ) AS place (start, until, order_number, stream, label)
    CROSS JOIN LATERAL (SELECT start::integer AS o) begins
    OFFSET 0
) f
CROSS JOIN LATERAL (
    SELECT %(marketplace)s::bigint AS marketplace_id, %(on)s::date,
           CASE WHEN f.sequence = 0 THEN {SettlementLine.Kind.SALE.value}
                ELSE {SettlementLine.Kind.REVERSAL.value} END AS kind,
           f.seller_id, f.order_line_id, f.sequence, f.rate_on, f.basis_on, f.statement_id,
           f.terms_id, f.quantity, f.list_amount, f.seller_discount, f.platform_discount,
           f.partner_discount, f.fee, f.vat, f.net, f.charges
) s
CROSS JOIN LATERAL (
    SELECT f.number, f.stream, f.unit_price, f.ordered AS quantity,
           f.by_seller AS seller_discount, f.by_platform AS platform_discount,
           f.by_partner AS partner_discount
) l
CROSS JOIN LATERAL (SELECT f.order_number AS number) n
CROSS JOIN LATERAL (SELECT f.label) k
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
    marketplace = tenancy.current_id()
    range_ = {"first_seller": first_seller, "end_seller": end_seller}
    words = {"marketplace": marketplace, "on": on}
    sales = taking.Sales(words | {"first": first_seller, "end": end_seller})
    if not sales.size:
        return Settled(0, 0, 0)
    with connection.cursor() as cursor:
        sealed_lines.as_iso(cursor)
    book = RateBook(on=on, **range_, only=sales.sellers)
    statements = StatementBook(book, **range_)
    used = _Used(marketplace)
    sold = _write(sales, _SaleLines(book, statements, used), statements, words)
    reversals_ = taking.Reversals(sales)
    reversed_ = _write(reversals_, _ReversalLines(book, statements, used), statements, words)
    if sold + reversed_ != sales.size:
        raise LinesMissing(f"{sales.size} outcomes were taken, {sold + reversed_} lines written")
    touched = statements.save()
    store_terms({pk: terms for pk, terms in used.terms.items() if pk in used.labels.unwritten})
    used.labels.check()
    return Settled(sales.size, reversed_, len(touched))


class _Lines(NamedTuple):
    """Lines to store at once: their numbers, and what else of them is text."""

    numbers: list[tuple[int, ...]]
    orders: list[str]
    streams: list[str]
    labels: list[str]  # of their terms

    def parameters(self) -> dict[str, Any]:
        ends = [0, *accumulate(map(len, self.numbers))]
        return {
            "numbers": bulk.bigints(chain.from_iterable(self.numbers)),
            "starts": bulk.bigints(ends[:-1]),
            "ends": bulk.bigints(ends[1:]),
            "orders": json.dumps(self.orders, ensure_ascii=False),
            "streams": json.dumps(self.streams, ensure_ascii=False),
            "labels": json.dumps(self.labels, ensure_ascii=False),
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

    Statement, terms, seller, order line, sequence, rate day, basis day; of the order line its
    number, unit price, units and discounts of seller, platform and partner; quantity, list amount
    and these discounts, fees, VAT, net, then base, fee and VAT of each component.
    """

    def __init__(self, book: RateBook, statements: StatementBook, used: _Used):
        self._book = book
        self._statements = statements
        self._used = used
        self._days: dict[tuple[int, int], SellerDay] = {}

    def __call__(self, block: taking.Block) -> _Lines:
        """The loop that a million lines go through."""
        made = _Lines([], [], [], [])
        figures, pinned_of = fees.figures, self._used.pinned
        days, day_of, tally_of = self._days, self._day, self._statements.tally_on
        _, lines, orders, _ = block
        for outcome in block.outcomes:
            _, line_id, seller_id, rate_day, basis_day = outcome[:5]
            day = days.get(outcome[2:4]) or day_of(seller_id, rate_day)
            ordered = lines[line_id]
            kind = ordered[2:8]
            plan = day.plans.get(kind) or day.plan(kind, date.fromordinal(rate_day))
            terms, terms_id, label, parts = pinned_of(plan.terms(ordered[9]))
            sold = outcome[6:]
            charged, fee, vat, net = figures(terms, *sold)
            tally = tally_of(seller_id, rate_day, basis_day)
            place = (tally.statement_id, terms_id, seller_id, line_id, 0, rate_day, basis_day)
            line = (*place, *ordered[8:], *sold, fee, vat, net, *chain.from_iterable(charged))
            tally.add(parts, basis_day, line)
            made.numbers.append(line)
            made.orders.append(orders[ordered[1]])
            made.streams.append(ordered[2])
            made.labels.append(label)
        return made

    def _day(self, seller_id: int, rate_day: int) -> SellerDay:
        day = self._book.seller_day(seller_id, date.fromordinal(rate_day))
        self._days[seller_id, rate_day] = day
        return day


class _ReversalLines:
    """Makes a line of each reversal, by the terms of its sale, below zero."""

    def __init__(self, book: RateBook, statements: StatementBook, used: _Used):
        self._statements = statements
        self._used = used
        self._stored = StoredTerms(book)
        self._stored.update(used.terms)  # of sales of this very night; they are not written yet

    def __call__(self, block: taking.Block) -> _Lines:
        made = _Lines([], [], [], [])
        for row in block.outcomes:
            _, line_id, seller_id, *days, sequence = row[:6]
            known = block.before[line_id, sequence]
            after, before = Remainder(*row[6:]), Remainder(*known[:5])
            sold, terms_id = Remainder(*known[5:10]), known[10]
            terms, _, label, parts = self._used.pinned(self._stored[terms_id], terms_id)
            back = reversals.reversed_between(terms, sold, before, after)
            charges = [-amount for amount in chain.from_iterable(back.charged)]
            fee, vat = terms.sums(back.charged)
            amounts = (-amount for amount in back[:5])
            tally = self._statements.tally_on(seller_id, *days)
            ordered = block.lines[line_id]
            place = (tally.statement_id, terms_id, seller_id, line_id, sequence, *days)
            line = (*place, *ordered[8:], *amounts, -fee, -vat, -back.net, *charges)
            tally.add(parts, days[1], line)
            made.numbers.append(line)
            made.orders.append(block.orders[ordered[1]])
            made.streams.append(ordered[2])
            made.labels.append(label)
        return made


def stream(name: str, query: str, parameters: dict) -> Iterator[tuple]:
    """The rows of a query by a server-side cursor, a few thousand at a time."""
    with connection.connection.cursor(name=name) as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(_FETCH):
            yield from rows


def _write(
    taken: taking.Sales | taking.Reversals,
    lines_of: Callable[[taking.Block], _Lines],
    statements: StatementBook,
    parameters: dict[str, Any],
) -> int:
    """Write the lines of all blocks; returns how many there are.

    While the lines of a block are computed here, the server stores those of the block before and
    looks up the next one. What the computation asks of the server meanwhile waits for that: they
    share the connection.
    """
    written = blocks = 0
    with ThreadPoolExecutor(1) as beside, bulk.cursor() as cursor, _turns_at_once():

        def store_and_ask(lines: dict[str, Any]) -> taking.Found | None:
            _store(cursor, lines)
            return taken.ask()

        found = taken.ask()
        lines: dict[str, Any] = {}
        while found:
            coming = beside.submit(store_and_ask, lines)
            block = taken.read(found)
            lines = parameters | lines_of(block).parameters() if block.outcomes else {}
            blocks += 1
            if blocks % SUMMED_UP == 0:
                statements.sum_up()
            written += len(block.outcomes)
            found = coming.result()
        _store(cursor, lines)
    return written


def _store(cursor: Cursor, lines: dict[str, Any]) -> None:
    if lines:
        cursor.execute(_INSERT, lines)


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
