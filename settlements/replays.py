"""Replay a version of a fee schedule over lines that were settled, published or not.

Each line goes through the functions that settled it, twice: with the rules that were in force,
which must give what was booked, and with the version. Grades and earlier sales are those of the
line's own rate date. Rules of the version that hold on some days only are read as of its first
day, or as of the line's rate date where that is later. Streams; reads only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import NamedTuple

from marketplace import tenancy
from orders.remainders import Remainder
from settlements import fees, rate_cards, reversals, runs
from settlements.fees import Charged, Terms
from settlements.models import FeeScheduleVersion, SettlementLine
from settlements.rating import RateBook

# By statements, as lines have no index by seller. Look-ups are lateral and by unique keys: that
# leaves the planner no other way than from one to the next (see settlements.runs).
_LINES = """
SELECT s.seller_id, s.order_line_id, s.sequence, s.basis_on, s.id, s.rate_on, s.terms_id,
       s.quantity, s.list_amount, s.seller_discount, s.platform_discount, s.partner_discount,
       s.charges, s.fee, s.vat, s.net, l.unit_price, l.category_id,
       l.stream, l.listing_kind, l.channel, l.seller_type, l.is_taxed{columns}
FROM settlements_statement t
CROSS JOIN LATERAL (
    SELECT * FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND statement_id = t.id
      AND basis_on >= %(first_on)s AND basis_on <= %(last_on)s AND kind = %(kind)s
    OFFSET 0
) s
CROSS JOIN LATERAL (
    SELECT unit_price, category_id, stream, listing_kind, channel, seller_type,
           tax_kind = 'taxable' AS is_taxed
    FROM orders_orderline WHERE marketplace_id = %(marketplace)s AND id = s.order_line_id
    LIMIT 1
) l{joins}
WHERE t.marketplace_id = %(marketplace)s
  AND t.seller_id >= %(first)s AND t.seller_id < %(end)s
  AND t.first_basis_on <= %(last_on)s AND t.last_basis_on >= %(first_on)s
"""
# What was sold, what remained before, and what remains after.
_OUTCOMES = """
CROSS JOIN LATERAL (
    SELECT * FROM orders_outcome WHERE marketplace_id = %(marketplace)s
      AND line_id = s.order_line_id AND sequence = s.sequence LIMIT 1
) o
CROSS JOIN LATERAL (
    SELECT * FROM orders_outcome WHERE marketplace_id = %(marketplace)s
      AND line_id = s.order_line_id AND sequence = s.sequence - 1 LIMIT 1
) b
CROSS JOIN LATERAL (
    SELECT * FROM orders_outcome WHERE marketplace_id = %(marketplace)s
      AND line_id = s.order_line_id AND sequence = 0 LIMIT 1
) f"""
_REMAINDERS = "".join(
    f", {row}.quantity, {row}.list_amount, {row}.seller_discount, {row}.platform_discount, "
    f"{row}.partner_discount"
    for row in "obf"
)
_QUERIES = (
    (SettlementLine.Kind.SALE.value, _LINES.format(columns="", joins="")),
    (SettlementLine.Kind.REVERSAL.value, _LINES.format(columns=_REMAINDERS, joins=_OUTCOMES)),
)
_DAYS_KEPT = 20_000


class Side(NamedTuple):
    """What a line is charged on one side: of its components, and in all."""

    parts: tuple[tuple[str, bool], ...]  # component, and whether its VAT comes on top
    charged: Charged
    fee: int
    vat: int
    net: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A settled line as it was booked, and as the version would have it."""

    seller_id: int
    category_id: int | None
    order_line_id: int
    sequence: int
    basis_on: date
    line_id: int
    sales: int  # the price less the seller's own discount
    booked: Side
    after: Side
    agrees: bool  # whether the rules that were in force give what was booked

    @property
    def gain(self) -> int:
        return self.after.net - self.booked.net


def replay(
    version: FeeScheduleVersion,
    *,
    on: date,
    first_on: date,
    last_on: date,
    first_seller: int,
    end_seller: int,
) -> Iterator[Replayed]:
    """The lines of a range of sellers with a basis date in a period, both days included.

    Sales come first, then reversals. `on` is the last closed day; the caller has entered the
    marketplace and holds the transaction.
    """
    sellers = {"first_seller": first_seller, "end_seller": end_seller}
    booked = RateBook(on=on, **sellers)
    instead = {version.schedule.code: rate_cards.read_schedule(version)}
    replayed = RateBook(on=on, **sellers, instead=instead)
    choose = _Chooser(booked), _Chooser(replayed, version)
    stored = runs.StoredTerms(booked)
    parameters = {
        "marketplace": tenancy.current_id(),
        "first_on": first_on,
        "last_on": last_on,
        "first": first_seller,
        "end": end_seller,
    }
    for kind, query in _QUERIES:
        for row in runs.stream("replayed", query, parameters | {"kind": kind}):
            yield _replayed(row, stored[row[6]], *(terms.of(row) for terms in choose))


class _Chooser:
    """The terms that one rate book gives to lines, of which a version may be replayed."""

    def __init__(self, book: RateBook, version: FeeScheduleVersion | None = None):
        self._book = book
        self._version = version
        self._days: dict = {}

    def of(self, row: tuple) -> Terms:
        seller_id, rate_on, unit_price, category_id = row[0], row[5], row[16], row[17]
        found = self._days.get((seller_id, rate_on))
        if found is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()  # a long period has more than memory should hold
            rules_on = self._rules_on(seller_id, rate_on)
            day = self._book.seller_day(seller_id, rate_on, rules_on=rules_on)
            found = self._days[seller_id, rate_on] = day, rules_on
        day, rules_on = found
        kind = (row[18], category_id, *row[19:23])
        return (day.plans.get(kind) or day.plan(kind, rules_on)).terms(unit_price)

    def _rules_on(self, seller_id: int, rate_on: date) -> date:
        """Sellers whose contract names another schedule are charged as they were."""
        schedule = self._book.contracts.schedule(seller_id, rate_on)
        if self._version is None or schedule.version_id != self._version.pk:
            return rate_on
        return max(rate_on, self._version.valid_from)


def _replayed(row: tuple, stored: Terms, chosen: Terms, replaced: Terms) -> Replayed:
    charges, fee, vat, net = row[12:16]
    is_sale = row[2] == 0
    figures = _sold if is_sale else _given_back
    right = figures(chosen, row)
    return Replayed(
        seller_id=row[0],
        category_id=row[17],
        order_line_id=row[1],
        sequence=row[2],
        basis_on=row[3],
        line_id=row[4],
        sales=row[8] - row[9],
        booked=Side(stored.parts, tuple(zip(*[iter(charges)] * 3, strict=True)), fee, vat, net),
        after=figures(replaced, row),
        agrees=(list(chain.from_iterable(right.charged)), *right[2:]) == (charges, fee, vat, net),
    )


def _sold(terms: Terms, row: tuple) -> Side:
    return Side(terms.parts, *fees.figures(terms, *row[7:12]))


def _given_back(terms: Terms, row: tuple) -> Side:
    after, before, sold = (Remainder(*row[at : at + 5]) for at in (23, 28, 33))
    back = reversals.reversed_between(terms, sold, before, after)
    charged = tuple((-base, -fee, -vat) for base, fee, vat in back.charged)
    return Side(terms.parts, charged, *terms.sums(charged), -back.net)
