"""Settle what waits: one settlement line for each outcome, put on the statement it falls due with.

`settle()` serves a range of sellers in the transaction of its caller and streams: memory does not
grow with the number of lines. Sales come first, then reversals, which read the sale's own line
for the terms they go by. Repeating it finds an empty queue. Lines go to the server as one array of
numbers a block, which costs less than COPY into a temporary table; COPY into a table under
row-level security is refused. The digest of a line is computed here, of what it is settled by:
the server would need the order's words once more for it.
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
from settlements import fees, proofs, reversals, taking, terms_documents
from settlements.fees import Terms
from settlements.models import LineTerms, SettlementLine
from settlements.rating import RateBook, SellerDay
from settlements.statement_book import StatementBook

SUMMED_UP = 10  # blocks at once
TURN = 0.0002  # seconds
_FETCH = 2_000

# Of a line's numbers, see _SaleLines. OFFSET 0 lets each start be computed once.
_INSERT = f"""
INSERT INTO settlement_line (
    marketplace_id, run_on, kind, statement_id, terms_id, seller_id, order_line_id, sequence,
    rate_on, basis_on, quantity, list_amount, seller_discount, platform_discount,
    partner_discount, fee, vat, net, charges, digest
)
SELECT %(marketplace)s, %(on)s,
       CASE WHEN n[o + 5] = 0 THEN {SettlementLine.Kind.SALE.value}
            ELSE {SettlementLine.Kind.REVERSAL.value} END,
       n[o + 1], n[o + 2], n[o + 3], n[o + 4], n[o + 5]::integer,
       DATE '0001-01-01' + (n[o + 6]::integer - 1), DATE '0001-01-01' + (n[o + 7]::integer - 1),
       n[o + 8]::integer, n[o + 9], n[o + 10], n[o + 11], n[o + 12], n[o + 13], n[o + 14],
       n[o + 15], n[o + 16 : until], substring(digests FROM 32 * at::integer - 31 FOR 32)
FROM (SELECT %(numbers)s AS n, %(digests)b AS digests OFFSET 0) block
CROSS JOIN (
    SELECT start::integer AS o, until, at
    FROM ROWS FROM (unnest(%(starts)s), unnest(%(ends)s))
         WITH ORDINALITY AS place (start, until, at)
    OFFSET 0
) places
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
    """Lines to store at once: their numbers and their digests."""

    numbers: list[tuple[int, ...]]
    digests: list[bytes]

    def parameters(self) -> dict[str, Any]:
        ends = [0, *accumulate(map(len, self.numbers))]
        return {
            "numbers": bulk.bigints(chain.from_iterable(self.numbers)),
            "starts": bulk.bigints(ends[:-1]),
            "ends": bulk.bigints(ends[1:]),
            "digests": b"".join(self.digests),
        }


class _IsoDays(dict):
    """Days as proofs write them, by their ordinals."""

    def __missing__(self, ordinal: int) -> str:
        text = self[ordinal] = date.fromordinal(ordinal).isoformat()
        return text


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

    Statement, terms, seller, order line, sequence, rate day, basis day; units, list amount,
    discounts of seller, platform and partner, fees, VAT, net, then base, fee and VAT of each
    component.
    """

    def __init__(self, book: RateBook, statements: StatementBook, used: _Used):
        self._book = book
        self._statements = statements
        self._used = used
        self._days: dict[tuple[int, int], SellerDay] = {}
        self._iso = _IsoDays()

    def __call__(self, block: taking.Block) -> _Lines:
        """The loop that a million lines go through."""
        made = _Lines([], [])
        figures, pinned_of, iso = fees.figures, self._used.pinned, self._iso
        days, day_of, tally_of = self._days, self._day, self._statements.tally_on
        row, digest = proofs.line, proofs.line_digest
        _, lines, orders, _ = block
        for outcome in block.outcomes:
            _, line_id, seller_id, rate_day, basis_day = outcome[:5]
            day = days.get(outcome[2:4]) or day_of(seller_id, rate_day)
            ordered = lines[line_id]
            kind = ordered[2:8]
            plan = day.plans.get(kind) or day.plan(kind, date.fromordinal(rate_day))
            terms, terms_id, label, parts = pinned_of(plan.terms(ordered[9]))
            charged, *sums = figures(terms, *outcome[6:])
            amounts = (*outcome[6:], *sums)
            charges = (*chain.from_iterable(charged),)
            tally = tally_of(seller_id, rate_day, basis_day)
            place = (tally.statement_id, terms_id, seller_id, line_id, 0, rate_day, basis_day)
            line = place + amounts + charges
            tally.add(parts, basis_day, line)
            made.numbers.append(line)
            order, number = orders[ordered[1]], ordered[8]
            said = (label, order, number, 0, "sale", ordered[2], iso[rate_day], iso[basis_day])
            made.digests.append(digest(row(*said, ordered[9:] + amounts + charges)))
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
        self._iso = _IsoDays()

    def __call__(self, block: taking.Block) -> _Lines:
        made = _Lines([], [])
        for outcome in block.outcomes:
            _, line_id, seller_id, *days, sequence = outcome[:6]
            known = block.before[line_id, sequence]
            after, before = Remainder(*outcome[6:]), Remainder(*known[:5])
            sold, terms_id, history = Remainder(*known[5:10]), known[10], known[11]
            terms, _, label, parts = self._used.pinned(self._stored[terms_id], terms_id)
            back = reversals.reversed_between(terms, sold, before, after)
            charges = tuple(-amount for amount in chain.from_iterable(back.charged))
            fee, vat = terms.sums(back.charged)
            amounts = (*(-amount for amount in back[:5]), -fee, -vat, -back.net)
            tally = self._statements.tally_on(seller_id, *days)
            place = (tally.statement_id, terms_id, seller_id, line_id, sequence, *days)
            line = place + amounts + charges
            tally.add(parts, days[1], line)
            made.numbers.append(line)
            ordered = block.lines[line_id]
            order, number, stream = block.orders[ordered[1]], ordered[8], ordered[2]
            said = (
                label,
                order,
                number,
                sequence,
                "reversal",
                stream,
                *(self._iso[day] for day in days),
            )
            row = proofs.line(*said, ordered[9:] + amounts + charges, history)
            made.digests.append(proofs.line_digest(row))
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
