"""Recompute what was settled from its inputs, and compare: lines, statements, seals, ledger, audit.

Lines go through the same functions that settled them, with the terms that they name and with the
terms that would be chosen today for their dates; published versions and official grades never
change, so both must agree. Reads everything and writes nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice

from django.db import connection

from marketplace import audit, tenancy
from orders.remainders import Remainder
from settlements import (
    adjusted,
    adjustments,
    charging_interest,
    commission_verification,
    day_closing,
    fees,
    ledger_balances,
    month_ends,
    periods,
    proofs,
    reversals,
    runs,
    sealed_lines,
    seals,
    share_verification,
    signing,
    statement_verification,
    terms_documents,
)
from settlements.contracts import Contracts
from settlements.due_verification import DueDays
from settlements.fees import Terms
from settlements.models import (
    Adjustment,
    SettlementLine,
    Statement,
    StatementSeal,
    TermsDocument,
)
from settlements.rating import RateBook

_LAST_ID = 2**63 - 1
_SEALS_AT_ONCE = 500
_DAYS_KEPT = 20_000
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that does not follow from its inputs. `key` names it as people do."""

    subject: str
    key: str
    field: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.subject} {self.key}: {self.field} should be {self.expected}, is {self.found}"


_LINES = """
SELECT n.number || '/' || l.number || '#' || s.sequence, s.seller_id, s.sequence, s.rate_on,
       s.terms_id, l.unit_price, l.stream, l.category_id, l.listing_kind, l.channel, l.seller_type,
       l.tax_kind = 'taxable', o.rate_on, o.basis_on,
       o.quantity, o.list_amount, o.seller_discount, o.platform_discount, o.partner_discount,
       b.quantity, b.list_amount, b.seller_discount, b.platform_discount, b.partner_discount,
       f.quantity, f.list_amount, f.seller_discount, f.platform_discount, f.partner_discount,
       s.basis_on, s.quantity, s.list_amount, s.seller_discount, s.platform_discount,
       s.partner_discount, s.charges, s.fee, s.vat, s.net, s.run_on, t.due_on
FROM settlement_line s
JOIN settlements_statement t ON t.marketplace_id = s.marketplace_id AND t.id = s.statement_id
JOIN orders_outcome o ON o.marketplace_id = s.marketplace_id AND o.line_id = s.order_line_id
     AND o.sequence = s.sequence
LEFT JOIN orders_outcome b ON b.marketplace_id = s.marketplace_id AND b.line_id = s.order_line_id
     AND b.sequence = s.sequence - 1 AND s.sequence > 0
LEFT JOIN orders_outcome f ON f.marketplace_id = s.marketplace_id AND f.line_id = s.order_line_id
     AND f.sequence = 0 AND s.sequence > 0
JOIN orders_orderline l ON l.marketplace_id = s.marketplace_id AND l.id = s.order_line_id
JOIN orders_order n ON n.marketplace_id = s.marketplace_id AND n.id = l.order_id
WHERE s.marketplace_id = %(marketplace)s
  AND (%(statement)s::bigint IS NULL OR s.statement_id = %(statement)s)
"""
_FIGURES = (
    "basis_on",
    "quantity",
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
    "charges",
    "fee",
    "vat",
    "net",
)

# Each finds what must not exist: (what, which, field, expected, found).
_CHECKS = {
    "line without its order line, statement or terms": """
        SELECT 'settlement line', s.order_line_id || '#' || s.sequence, 'references', 'all',
               'missing'
        FROM settlement_line s
        LEFT JOIN orders_outcome o ON o.marketplace_id = s.marketplace_id
             AND o.line_id = s.order_line_id AND o.sequence = s.sequence
             AND o.seller_id = s.seller_id
        LEFT JOIN settlements_statement t ON t.marketplace_id = s.marketplace_id
             AND t.id = s.statement_id AND t.seller_id = s.seller_id
        LEFT JOIN settlements_lineterms k ON k.marketplace_id = s.marketplace_id
             AND k.id = s.terms_id
        WHERE s.marketplace_id = %(marketplace)s AND s.kind <> 3
          AND (o.id IS NULL OR t.id IS NULL OR k.id IS NULL)""",
    "adjustment settled without one line on its statement, or a line without its adjustment": """
        SELECT 'adjustment', coalesce(a.public_id, (-s.order_line_id)::text), 'line', '1',
               (s.id IS NOT NULL AND a.id IS NOT NULL)::int::text
        FROM (SELECT * FROM settlements_adjustment
              WHERE marketplace_id = %(marketplace)s AND state = 'settled') a
        FULL JOIN (SELECT * FROM settlement_line
                   WHERE marketplace_id = %(marketplace)s AND kind = 3) s
             ON s.order_line_id = -a.id AND s.seller_id = a.seller_id
             AND s.statement_id = a.statement_id AND s.basis_on = a.basis_on
        WHERE a.id IS NULL OR s.id IS NULL""",
    "fast settlement that is not the sum of its adjustments": """
        SELECT 'fast settlement', n.number || '/' || l.number, 'paid ahead, taken back',
               concat_ws(', ', coalesce(a.ahead, 0), coalesce(a.back, 0)),
               concat_ws(', ', f.advanced, f.taken_back)
        FROM settlements_fastsettlement f
        JOIN orders_orderline l ON l.marketplace_id = f.marketplace_id AND l.id = f.order_line_id
        JOIN orders_order n ON n.marketplace_id = f.marketplace_id AND n.id = l.order_id
        LEFT JOIN (
            SELECT fast_settlement_id, sum(amount) FILTER (WHERE amount > 0) AS ahead,
                   -sum(amount) FILTER (WHERE amount < 0) AS back
            FROM settlements_adjustment
            WHERE marketplace_id = %(marketplace)s AND fast_settlement_id IS NOT NULL
            GROUP BY fast_settlement_id
        ) a ON a.fast_settlement_id = f.id
        WHERE f.marketplace_id = %(marketplace)s
          AND (f.advanced, f.taken_back) <> (coalesce(a.ahead, 0), coalesce(a.back, 0))""",
    "fast settlement that is still open although its sale is settled": """
        SELECT 'fast settlement', n.number || '/' || l.number, 'ended', 'yes', 'no'
        FROM settlements_fastsettlement f
        JOIN orders_orderline l ON l.marketplace_id = f.marketplace_id AND l.id = f.order_line_id
        JOIN orders_order n ON n.marketplace_id = f.marketplace_id AND n.id = l.order_id
        WHERE f.marketplace_id = %(marketplace)s AND f.ended_on IS NULL
          AND EXISTS (SELECT FROM settlement_line s
                      WHERE s.marketplace_id = f.marketplace_id
                        AND s.order_line_id = f.order_line_id AND s.sequence = 0)""",
    "advertising prepayment that is not the sum of its movements, or not what one of them left": """
        SELECT 'advertising prepayment', r.code, 'left',
               concat_ws(', ', coalesce(m.moved, 0), coalesce(m.moved, 0), 0),
               concat_ws(', ', coalesce(p.balance, 0), coalesce(m.last, 0), coalesce(m.wrong, 0))
        FROM sellers_seller r
        LEFT JOIN settlements_adprepayment p ON p.marketplace_id = r.marketplace_id
             AND p.seller_id = r.id
        LEFT JOIN (
            SELECT seller_id, sum(amount) AS moved,
                   (array_agg(balance ORDER BY id DESC))[1] AS last,
                   count(*) FILTER (WHERE balance <> so_far) AS wrong
            FROM (SELECT *, sum(amount) OVER (PARTITION BY seller_id ORDER BY id) AS so_far
                  FROM settlements_adprepaymentmovement
                  WHERE marketplace_id = %(marketplace)s) each
            GROUP BY seller_id
        ) m ON m.seller_id = r.id
        WHERE r.marketplace_id = %(marketplace)s
          AND (coalesce(p.balance, 0), coalesce(m.last, 0), coalesce(m.wrong, 0))
              <> (coalesce(m.moved, 0), coalesce(m.moved, 0), 0)""",
    "adjustment of an advertising prepayment without its movement, or the other way round": """
        SELECT 'adjustment', coalesce(a.public_id, m.public_id), 'moves of the prepayment',
               coalesce(-a.amount, 0)::text, coalesce(m.amount, 0)::text
        FROM (SELECT * FROM settlements_adjustment
              WHERE marketplace_id = %(marketplace)s
                AND reason_code IN ('ad_prepaid', 'ad_refund')) a
        FULL JOIN (SELECT * FROM settlements_adprepaymentmovement
                   WHERE marketplace_id = %(marketplace)s AND kind <> 'deposit') m
             ON m.adjustment_id = a.id AND m.seller_id = a.seller_id
        WHERE coalesce(-a.amount, 0) <> coalesce(m.amount, 0)""",
    "seller whose account does not say what is left of the advertising prepayment": """
        SELECT 'seller', r.code, 'ad_prepayment', coalesce(m.moved, 0)::text,
               coalesce(e.moved, 0)::text
        FROM sellers_seller r
        LEFT JOIN (
            SELECT m.seller_id, sum(m.amount) AS moved
            FROM settlements_adprepaymentmovement m
            LEFT JOIN settlements_adjustment a ON a.marketplace_id = m.marketplace_id
                 AND a.id = m.adjustment_id
            LEFT JOIN settlements_statement s ON s.marketplace_id = a.marketplace_id
                 AND s.id = a.statement_id
            WHERE m.marketplace_id = %(marketplace)s
              AND (m.adjustment_id IS NULL OR s.state <> 'open')
            GROUP BY m.seller_id
        ) m ON m.seller_id = r.id
        LEFT JOIN (
            SELECT e.seller_id, sum(e.credit - e.debit) AS moved
            FROM ledger_entry e
            JOIN settlements_account c ON c.marketplace_id = e.marketplace_id
                 AND c.id = e.account_id
            WHERE e.marketplace_id = %(marketplace)s AND c.code = 'ad_prepayment'
            GROUP BY e.seller_id
        ) e ON e.seller_id = r.id
        WHERE r.marketplace_id = %(marketplace)s
          AND coalesce(m.moved, 0) <> coalesce(e.moved, 0)""",
    "outcome neither waiting nor settled, or both": """
        SELECT 'outcome', o.line_id || '#' || o.sequence, 'settled or waiting', '1',
               ((q.id IS NOT NULL)::int + (s.id IS NOT NULL)::int)::text
        FROM orders_outcome o
        LEFT JOIN orders_outcometosettle q ON q.marketplace_id = o.marketplace_id
             AND q.outcome_id = o.id AND q.seller_id = o.seller_id
        LEFT JOIN settlement_line s ON s.marketplace_id = o.marketplace_id
             AND s.order_line_id = o.line_id AND s.sequence = o.sequence
        WHERE o.marketplace_id = %(marketplace)s AND (q.id IS NULL) = (s.id IS NULL)""",
    "seller balance that is not the last carry, or not what was invoiced": """
        SELECT 'seller', r.code, 'carry, receivable',
               concat_ws(', ', coalesce(t.carry, 0), coalesce(i.debt, 0)),
               concat_ws(', ', b.carry, b.receivable)
        FROM settlements_sellerbalance b
        JOIN sellers_seller r ON r.marketplace_id = b.marketplace_id AND r.id = b.seller_id
        LEFT JOIN LATERAL (
            SELECT s.carry_out + coalesce((
                       SELECT sum(amount) FROM settlements_debtmovement m
                       WHERE m.marketplace_id = s.marketplace_id AND m.statement_id = s.id
                   ), 0) AS carry
            FROM settlements_statement s
            WHERE s.marketplace_id = b.marketplace_id AND s.seller_id = b.seller_id
              AND s.state <> 'open'
            ORDER BY s.closed_on DESC, s.due_on DESC LIMIT 1
        ) t ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(s.debt_invoiced), 0) - coalesce((
                       SELECT sum(CASE WHEN kind = 'interest' THEN -amount ELSE amount END)
                       FROM settlements_debtmovement m
                       WHERE m.marketplace_id = b.marketplace_id AND m.seller_id = b.seller_id
                         AND m.statement_id IS NULL
                   ), 0) AS debt
            FROM settlements_statement s
            WHERE s.marketplace_id = b.marketplace_id AND s.seller_id = b.seller_id
        ) i ON true
        WHERE b.marketplace_id = %(marketplace)s
          AND (b.carry, b.receivable) <> (coalesce(t.carry, 0), coalesce(i.debt, 0))""",
    "ledger that does not balance": """
        SELECT 'ledger', 'all', 'debit - credit', '0', (sum(debit) - sum(credit))::text
        FROM ledger_entry WHERE marketplace_id = %(marketplace)s
        HAVING sum(debit) <> sum(credit)""",
    "seller whose holds do not say what is held back": """
        SELECT 'seller', r.code, 'held', (coalesce(t.held, 0) - coalesce(p.paid, 0))::text,
               concat_ws(', ', coalesce(b.held, 0), coalesce(h.taken, 0))
        FROM sellers_seller r
        LEFT JOIN settlements_sellerbalance b ON b.marketplace_id = r.marketplace_id
             AND b.seller_id = r.id
        LEFT JOIN (
            SELECT seller_id, sum(hold_taken - released_holds) AS held
            FROM settlements_statement WHERE marketplace_id = %(marketplace)s GROUP BY seller_id
        ) t ON t.seller_id = r.id
        LEFT JOIN (
            SELECT seller_id, sum(taken) AS taken FROM settlements_hold
            WHERE marketplace_id = %(marketplace)s GROUP BY seller_id
        ) h ON h.seller_id = r.id
        LEFT JOIN (
            SELECT seller_id, sum(amount) AS paid FROM settlements_attachmentpayment
            WHERE marketplace_id = %(marketplace)s GROUP BY seller_id
        ) p ON p.seller_id = r.id
        WHERE r.marketplace_id = %(marketplace)s
          AND (coalesce(b.held, 0), coalesce(h.taken, 0))
              <> (coalesce(t.held, 0) - coalesce(p.paid, 0),
                  coalesce(t.held, 0) - coalesce(p.paid, 0))""",
    "seller whose reserve is not what statements reserved and gave back": """
        SELECT 'seller', r.code, 'reserve, of it due',
               concat_ws(', ', coalesce(t.reserve, 0), coalesce(t.due, 0)),
               concat_ws(', ', b.reserve, b.reserve_released)
        FROM settlements_sellerbalance b
        JOIN sellers_seller r ON r.marketplace_id = b.marketplace_id AND r.id = b.seller_id
        LEFT JOIN LATERAL (
            SELECT sum(s.reserve - s.reserve_released) AS reserve,
                   coalesce(sum(s.reserve) FILTER (WHERE s.reserve_due_on <= b.reserve_swept_on), 0)
                   - sum(s.reserve_released) AS due
            FROM settlements_statement s
            WHERE s.marketplace_id = b.marketplace_id AND s.seller_id = b.seller_id
        ) t ON true
        WHERE b.marketplace_id = %(marketplace)s
          AND (b.reserve, b.reserve_released) <> (coalesce(t.reserve, 0), coalesce(t.due, 0))""",
    "payout that is not the sum of its statements": """
        SELECT 'payout', p.public_id, 'amount', coalesce(s.amount, 0)::text, p.amount::text
        FROM settlements_payout p
        LEFT JOIN (
            SELECT i.payout_id, sum(t.payout) AS amount FROM settlements_payoutitem i
            JOIN settlements_statement t ON t.marketplace_id = i.marketplace_id
                 AND t.id = i.statement_id
            WHERE i.marketplace_id = %(marketplace)s GROUP BY i.payout_id
        ) s ON s.payout_id = p.id
        WHERE p.marketplace_id = %(marketplace)s AND p.amount <> coalesce(s.amount, 0)""",
    "payout whose journals do not say what became of it": """
        SELECT 'payout', p.public_id, 'in transit, from the bank',
               concat_ws(', ', w.under_way, w.gone),
               concat_ws(', ', coalesce(e.under_way, 0), coalesce(e.gone, 0))
        FROM settlements_payout p
        CROSS JOIN LATERAL (SELECT
            CASE WHEN p.state IN ('sending', 'sent', 'unknown') THEN p.amount ELSE 0 END
                AS under_way,
            CASE WHEN p.state = 'paid' THEN p.amount ELSE 0 END AS gone
        ) w
        LEFT JOIN (
            SELECT j.reference,
                   sum(CASE WHEN a.code = 'payout_in_transit' THEN e.credit - e.debit ELSE 0 END)
                       AS under_way,
                   sum(CASE WHEN a.code = 'bank' THEN e.credit - e.debit ELSE 0 END) AS gone
            FROM settlements_journal j
            JOIN ledger_entry e ON e.marketplace_id = j.marketplace_id AND e.journal_id = j.id
                 AND e.basis_on = j.basis_on
            JOIN settlements_account a ON a.marketplace_id = e.marketplace_id
                 AND a.id = e.account_id
            WHERE j.marketplace_id = %(marketplace)s
              AND j.template IN ('payout_sent', 'payout_paid', 'payout_failed',
                                 'payout_paid_late', 'payout_returned')
            GROUP BY j.reference
        ) e ON e.reference = p.public_id
        WHERE p.marketplace_id = %(marketplace)s AND (w.under_way, w.gone)
              IS DISTINCT FROM (coalesce(e.under_way, 0), coalesce(e.gone, 0))""",
    "ledger entry without its journal or account": """
        SELECT 'ledger entry', e.id::text, 'references', 'all', 'missing' FROM ledger_entry e
        LEFT JOIN settlements_journal j ON j.marketplace_id = e.marketplace_id
             AND j.id = e.journal_id
        LEFT JOIN settlements_account a ON a.marketplace_id = e.marketplace_id
             AND a.id = e.account_id
        WHERE e.marketplace_id = %(marketplace)s AND (j.id IS NULL OR a.id IS NULL)""",
    "seller whose accounts do not say what is carried, held, reserved, invoiced": """
        SELECT 'seller', r.code, 'seller_payable, _held, _reserve, _receivable',
               concat_ws(', ', b.carry, b.held, b.reserve, b.receivable),
               concat_ws(', ', coalesce(e.owed, 0), coalesce(e.held, 0), coalesce(e.reserve, 0),
                         coalesce(e.receivable, 0))
        FROM settlements_sellerbalance b
        JOIN sellers_seller r ON r.marketplace_id = b.marketplace_id AND r.id = b.seller_id
        LEFT JOIN (
            SELECT e.seller_id,
                   sum(e.credit - e.debit) FILTER (WHERE a.code = 'seller_payable') AS owed,
                   sum(e.credit - e.debit) FILTER (WHERE a.code = 'seller_held') AS held,
                   sum(e.credit - e.debit) FILTER (WHERE a.code = 'seller_reserve') AS reserve,
                   sum(e.debit - e.credit) FILTER (WHERE a.code = 'seller_receivable')
                       AS receivable
            FROM ledger_entry e
            JOIN settlements_account a ON a.marketplace_id = e.marketplace_id
                 AND a.id = e.account_id
            WHERE e.marketplace_id = %(marketplace)s
              AND a.code IN ('seller_payable', 'seller_held', 'seller_reserve',
                             'seller_receivable')
            GROUP BY e.seller_id
        ) e ON e.seller_id = b.seller_id
        WHERE b.marketplace_id = %(marketplace)s
          AND (b.carry, b.held, b.reserve, b.receivable)
              <> (coalesce(e.owed, 0), coalesce(e.held, 0), coalesce(e.reserve, 0),
                  coalesce(e.receivable, 0))""",
}


def verify(*, on: date, statement: Statement | None = None) -> Iterator[Difference]:
    """Every difference found in the marketplace in use, or in one statement and its lines.

    `on` is the day as of which calendars are read. The caller has entered the marketplace.
    """
    first, end = (statement.seller_id, statement.seller_id + 1) if statement else (0, _LAST_ID)
    book = RateBook(on=on, first_seller=first, end_seller=end)
    stored, due_days = runs.StoredTerms(book), DueDays(book.contracts)
    yield from _lines(book, stored, due_days, statement)
    yield from _adjustments(book.contracts, due_days, statement)
    found = statement_verification.differences(book.contracts, stored, statement)
    yield from (Difference(*each) for each in found)
    yield from _digests(statement)
    yield from _seals(statement)
    if statement is not None:
        return
    yield from _terms_documents()
    yield from (Difference(*found) for found in commission_verification.differences())
    yield from (Difference(*found) for found in share_verification.differences())
    yield from (Difference(*found) for found in month_ends.differences(on))
    yield from (Difference(*found) for found in charging_interest.differences())
    parameters = {"marketplace": tenancy.current_id()}
    with connection.cursor() as cursor:
        for query in _CHECKS.values():
            cursor.execute(query, parameters)
            yield from (Difference(*row) for row in cursor.fetchall())
    for account, seller, month, *sides in ledger_balances.differences():
        key = " ".join(filter(None, [f"{month:%Y-%m}", account, seller]))
        yield Difference("month balance", key, "debit, credit", tuple(sides[:2]), tuple(sides[2:]))
    for key, field, expected, found in chain(periods.verify(), day_closing.verify()):
        yield Difference("closing", key, field, expected, found)
    for finding in audit.verify():
        yield Difference("audit trail", "", "chain", "unbroken", finding)


def _digests(statement: Statement | None) -> Iterator[Difference]:
    """Lines whose row, of figures and of what was ordered, does not have the digest they name."""
    for key, right, found in sealed_lines.altered(terms_documents.complete(), statement):
        yield Difference("settlement line", key, "digest", right, found)


def _seals(statement: Statement | None) -> Iterator[Difference]:
    """Seals that do not follow from lines, figures and the seal before. What has none is no fault:
    seals.unsealed() counts those."""
    rows = StatementSeal.objects.select_related("statement__seller", "key")
    rows = rows.order_by("seller_id", "number")
    if statement is not None:
        rows = rows.filter(statement=statement)
    before: StatementSeal | None = None
    batch: list[StatementSeal] = []
    for seal in rows.iterator(chunk_size=_SEALS_AT_ONCE):
        if statement is not None:
            before = StatementSeal.objects.filter(
                seller_id=seal.seller_id, number=seal.number - 1
            ).first()
        yield from _link(seal, before)
        before = seal
        batch.append(seal)
        if len(batch) == _SEALS_AT_ONCE:
            yield from _sealed_figures(batch)
            batch.clear()
    if batch:
        yield from _sealed_figures(batch)


def _link(seal: StatementSeal, before: StatementSeal | None) -> Iterator[Difference]:
    """A seal against its own head, its signature, and the seal before it in its chain."""
    key = seal.statement.public_id
    if before is not None and before.seller_id != seal.seller_id:
        before = None
    number = before.number + 1 if before else 1
    if seal.number != number:
        yield Difference("seal of statement", key, "number", number, seal.number)
    previous = json.loads(seal.document)["previous_head"]
    expected = before.head if before else proofs.NO_HEAD
    if previous != expected:
        yield Difference("seal of statement", key, "previous_head", expected, previous)
    head = proofs.digest(seal.document)
    if seal.head != head:
        yield Difference("seal of statement", key, "head", head, seal.head)
    if not signing.is_genuine(seal.head, seal.signature, seal.key.public_half):
        yield Difference("seal of statement", key, "signature", "genuine", "not")


def _sealed_figures(sealed: list[StatementSeal]) -> Iterator[Difference]:
    """What seals say of lines and figures against what these are now."""
    statements = [seal.statement for seal in sealed]
    for seal, digest in zip(sealed, seals.digests(statements), strict=True):
        statement, document = seal.statement, json.loads(seal.document)
        found = {
            "lines": digest.lines,
            "digest of lines": digest.sha256,
            "seller": statement.seller.code,
            "due_on": statement.due_on.isoformat(),
            "closed_on": str(statement.closed_on),
            **seals.figures(statement),
        }
        expected = {
            "lines": document["lines"]["count"],
            "digest of lines": document["lines"]["sha256"],
            **{name: document[name] for name in ("seller", "due_on", "closed_on")},
            **{name: document["figures"].get(name) for name in seals.FIGURES},
        }
        for name, right in expected.items():
            if found.get(name) != right:
                yield Difference(
                    "sealed statement", statement.public_id, name, right, found.get(name)
                )


def _terms_documents() -> Iterator[Difference]:
    for document in TermsDocument.objects.iterator():
        digest = proofs.digest(document.text)
        if digest != document.digest:
            yield Difference("terms document", document.digest, "digest", digest, document.digest)


def _lines(
    book: RateBook, stored: runs.StoredTerms, due_days: DueDays, statement: Statement | None
) -> Iterator[Difference]:
    parameters = {
        "marketplace": tenancy.current_id(),
        "statement": statement.pk if statement else None,
    }
    days: dict = {}
    for row in runs.stream("verified_lines", _LINES, parameters):
        key, seller_id, sequence, rate_on, terms_id, unit_price, *kind = row[:12]
        terms = stored[terms_id]
        if not sequence:
            day = days.get((seller_id, rate_on))
            if day is None:
                if len(days) >= _DAYS_KEPT:
                    days.clear()  # of a long history there are more than memory should hold
                day = days[seller_id, rate_on] = book.seller_day(seller_id, rate_on)
            chosen = (day.plans.get(tuple(kind)) or day.plan(tuple(kind), rate_on)).terms(
                unit_price
            )
            if chosen.key() != terms.key():
                yield Difference("settlement line", key, "terms", chosen.key(), terms.key())
        if row[12] != rate_on:
            yield Difference("settlement line", key, "rate_on", row[12], rate_on)
        expected = _expected(terms, row)
        for field, right, found in zip(_FIGURES, expected, row[29:39], strict=True):
            if right != found:
                yield Difference("settlement line", key, field, right, found)
        run_on, due_on = row[39:]
        dates = (seller_id, row[29], rate_on, run_on)
        due = due_days.of(*dates)
        if due != due_on and not due_days.is_right(*dates, due_on):
            yield Difference("settlement line", key, "due_on", due, due_on)


def _adjustments(
    contracts: Contracts, due_days: DueDays, statement: Statement | None
) -> Iterator[Difference]:
    """The lines of adjustments against what the adjustments say."""
    lines = SettlementLine.objects.filter(kind=SettlementLine.Kind.ADJUSTMENT)
    lines = lines.filter(statement_id=statement.pk) if statement else lines
    found = lines.order_by("pk").iterator(chunk_size=_AT_ONCE)
    while batch := list(islice(found, _AT_ONCE)):
        rows = Adjustment.objects.in_bulk([-line.order_line_id for line in batch])
        due = dict(
            Statement.objects.filter(pk__in={line.statement_id for line in batch}).values_list(
                "pk", "due_on"
            )
        )
        for line in batch:
            if row := rows.get(-line.order_line_id):  # one without is told by the check of all
                yield from _adjusted(line, row, contracts)
                if found_on := due.get(line.statement_id):
                    yield from _adjustment_due(line, row, due_days, found_on)


def _adjustment_due(
    line: SettlementLine, row: Adjustment, due_days: DueDays, found: date
) -> Iterator[Difference]:
    """Whether the line of an adjustment stands on the statement of its day."""
    is_ahead = row.reason_code == adjustments.FAST_ADVANCE
    dates = (line.seller_id, line.basis_on, line.basis_on, line.run_on)
    due = due_days.paid_ahead(line.run_on) if is_ahead else due_days.of(*dates)
    if due != found and not (not is_ahead and due_days.is_right(*dates, found)):
        yield Difference("adjustment", row.public_id, "due_on", due, found)


def _adjusted(line: SettlementLine, row: Adjustment, contracts: Contracts) -> Iterator[Difference]:
    fee, vat, net = adjusted.figures(row, contracts)
    right = {
        "basis_on": row.basis_on,
        "quantity": 0,
        "list_amount": 0,
        "charges": [fee, fee, vat],
        "fee": fee,
        "vat": vat,
        "net": net,
    }
    for field, expected in right.items():
        if (found := getattr(line, field)) != expected:
            yield Difference("adjustment", row.public_id, field, expected, found)


def _expected(terms: Terms, row: tuple) -> tuple:
    """The figures that a line must show, in the order of _FIGURES."""
    after = Remainder(*row[14:19])
    if row[2]:
        back = reversals.reversed_between(
            terms, Remainder(*row[24:29]), Remainder(*row[19:24]), after
        )
        figures = tuple(-amount for amount in back[:5])
        charged = tuple((-base, -fee, -vat) for base, fee, vat in back.charged)
        net = -back.net
    else:
        figures = row[14:19]
        charged, _, _, net = fees.figures(terms, *figures)
    return (row[13], *figures, list(chain.from_iterable(charged)), *terms.sums(charged), net)
