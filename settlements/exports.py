"""Orders, settlement lines, statements, journal and more as CSV or XLSX, by business keys alone.

Rows are ordered by their keys and hold no row ids, random ids or times of day, so two runs of the
same nights give the same bytes of CSV. There amounts are whole minor units; XLSX has them as money
in the currency's major unit. Columns are documented in docs/exports.md.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import BinaryIO, TextIO

from django.db import connection

from marketplace import sheets, tenancy
from marketplace.refusals import Refused, gettext_noop
from settlements import adjustments, runs, statutory, table_files
from settlements.fee_rules import SALE_VAT, SALE_VAT_RULE
from settlements.models import FeeRule, FeeScheduleVersion, LineTerms

ORDER_COLUMNS = (
    "order",
    "line",
    "seller",
    "stream",
    "sku",
    "title",
    "channel",
    "status",
    "paid_on",
    "shipped_on",
    "delivered_on",
    "confirmed_on",
    "cancelled_on",
    "unit_price",
    "quantity",
    "units_left",
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
    "referrer",
    "referral_stream",
)
# To a seller it is not told who brought the buyer.
_ORDERS = """
SELECT n.number, l.number, r.code, l.stream, l.sku, l.title, l.channel, l.status, l.paid_on,
       l.shipped_on, l.delivered_on, l.confirmed_on, l.cancelled_on, l.unit_price, l.quantity,
       l.units_left, l.list_amount, l.seller_discount, l.platform_discount, l.partner_discount,
       w.code, f.stream
FROM orders_orderline l
JOIN orders_order n ON n.marketplace_id = l.marketplace_id AND n.id = l.order_id
JOIN sellers_seller r ON r.marketplace_id = l.marketplace_id AND r.id = l.seller_id
LEFT JOIN orders_referral f ON f.marketplace_id = l.marketplace_id AND f.line_id = l.id
     AND %(seller)s::bigint IS NULL
LEFT JOIN sellers_seller w ON w.marketplace_id = f.marketplace_id AND w.id = f.seller_id
WHERE l.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR l.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR l.paid_on >= %(first)s)
      AND (%(last)s::date IS NULL OR l.paid_on <= %(last)s)
ORDER BY n.number COLLATE "C", l.number
"""

LINE_COLUMNS = (
    "order",
    "line",
    "sequence",
    "kind",
    "seller",
    "stream",
    "rate_on",
    "basis_on",
    "run_on",
    "due_on",
    "quantity",
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
    "fee",
    "vat",
    "net",
    "schedule",
    "version",
    "charges",
    "sale_vat",
    "marketplace_fee",
    "marketplace_fee_vat",
    "other",
)
_FEE, _VAT, _NET = (LINE_COLUMNS.index(name) for name in ("fee", "vat", "net"))
_KIND, _STREAM = LINE_COLUMNS.index("kind"), LINE_COLUMNS.index("stream")
_LINES = """
SELECT coalesce(n.number, a.public_id), coalesce(l.number, 1), s.sequence,
       CASE s.kind WHEN 1 THEN 'sale' WHEN 2 THEN 'reversal' ELSE 'adjustment' END, r.code,
       coalesce(l.stream, a.reason_code), s.rate_on, s.basis_on, s.run_on, t.due_on,
       s.quantity, s.list_amount, s.seller_discount, s.platform_discount, s.partner_discount,
       s.fee, s.vat, s.net, s.terms_id, s.charges
FROM settlement_line s
LEFT JOIN orders_orderline l ON l.marketplace_id = s.marketplace_id AND l.id = s.order_line_id
LEFT JOIN settlements_adjustment a ON a.marketplace_id = s.marketplace_id
     AND a.id = -s.order_line_id
LEFT JOIN orders_order n ON n.marketplace_id = s.marketplace_id AND n.id = l.order_id
JOIN sellers_seller r ON r.marketplace_id = s.marketplace_id AND r.id = s.seller_id
JOIN settlements_statement t ON t.marketplace_id = s.marketplace_id AND t.id = s.statement_id
WHERE s.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR s.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR s.basis_on >= %(first)s)
      AND (%(last)s::date IS NULL OR s.basis_on <= %(last)s)
ORDER BY coalesce(n.number, a.public_id) COLLATE "C", l.number, s.sequence
"""

STATEMENT_COLUMNS = (
    "seller",
    "due_on",
    "state",
    "closed_on",
    "lines",
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
    "fee",
    "vat",
    "net",
    "components",
    "carry_in",
    "released_holds",
    "hold_taken",
    "payable",
    "reserve",
    "reserve_released",
    "withholding_income",
    "withholding_local",
    "payout",
    "debt_invoiced",
    "carry_out",
    "chain_number",
    "head",
    "marketplace_fee",
    "marketplace_fee_vat",
    "marketplace_fee_vat_on_top",
    "other_additions",
    "other_deductions",
)
_COMPONENTS = STATEMENT_COLUMNS.index("components")
_STATEMENTS = """
SELECT r.code, t.due_on, t.state, t.closed_on, t.lines, t.list_amount, t.seller_discount,
       t.platform_discount, t.partner_discount, t.fee, t.vat, t.net, t.components, t.carry_in,
       t.released_holds, t.hold_taken, t.payable, t.reserve, t.reserve_released,
       t.withholding_income, t.withholding_local, t.payout, t.debt_invoiced, t.carry_out,
       k.number, k.head
FROM settlements_statement t
JOIN sellers_seller r ON r.marketplace_id = t.marketplace_id AND r.id = t.seller_id
LEFT JOIN settlements_statementseal k ON k.marketplace_id = t.marketplace_id
     AND k.statement_id = t.id
WHERE t.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR t.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR t.due_on >= %(first)s)
      AND (%(last)s::date IS NULL OR t.due_on <= %(last)s)
ORDER BY r.code COLLATE "C", t.due_on
"""

JOURNAL_COLUMNS = (
    "template",
    "seller",
    "due_on",
    "effective_on",
    "account",
    "debit",
    "credit",
    "occurred_on",
)
_JOURNAL = """
SELECT j.template, r.code, t.due_on, e.basis_on, a.code, e.debit, e.credit, j.occurred_on
FROM ledger_entry e
JOIN settlements_journal j ON j.marketplace_id = e.marketplace_id AND j.id = e.journal_id
JOIN settlements_account a ON a.marketplace_id = e.marketplace_id AND a.id = e.account_id
LEFT JOIN settlements_statement t ON t.marketplace_id = e.marketplace_id
     AND t.public_id = j.reference
LEFT JOIN sellers_seller r ON r.marketplace_id = e.marketplace_id AND r.id = t.seller_id
WHERE e.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR t.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR e.basis_on >= %(first)s)
      AND (%(last)s::date IS NULL OR e.basis_on <= %(last)s)
ORDER BY j.template, r.code COLLATE "C", t.due_on, a.code COLLATE "C", e.debit, e.credit,
         e.basis_on, j.occurred_on
"""


PAYOUT_COLUMNS = (
    "prepared_for",
    "batch_state",
    "seller",
    "state",
    "amount",
    "due_on",
    "payee",
    "bank",
    "ending",
    "sent_on",
    "ended_on",
    "reason",
)
_PAYOUTS = """
SELECT b.on, b.state, r.code, p.state, p.amount,
       (SELECT string_agg(t.due_on::text, ' ' ORDER BY t.due_on)
        FROM settlements_payoutitem i
        JOIN settlements_statement t ON t.marketplace_id = i.marketplace_id
             AND t.id = i.statement_id
        WHERE i.marketplace_id = p.marketplace_id AND i.payout_id = p.id) AS due_on,
       p.payee, p.bank, p.ending, (p.sent_at AT TIME ZONE %(zone)s)::date,
       (p.ended_at AT TIME ZONE %(zone)s)::date, p.reason
FROM settlements_payout p
JOIN settlements_payoutbatch b ON b.marketplace_id = p.marketplace_id AND b.id = p.batch_id
JOIN sellers_seller r ON r.marketplace_id = p.marketplace_id AND r.id = p.seller_id
WHERE p.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR p.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR b.on >= %(first)s)
      AND (%(last)s::date IS NULL OR b.on <= %(last)s)
ORDER BY b.on, r.code COLLATE "C", p.id
"""

HOLD_COLUMNS = (
    "seller",
    "placed_on",
    "kind",
    "reason",
    "state",
    "order",
    "line",
    "due_on",
    "invoice_month",
    "amount",
    "taken",
    "release_on",
    "condition",
    "released_on",
    "note",
    "evidence",
    "creditor",
)
_HOLDS = """
SELECT r.code, (h.placed_at AT TIME ZONE %(zone)s)::date AS placed_on, h.kind, h.reason, h.state,
       n.number, l.number, t.due_on, h.invoice_month, h.amount, h.taken, h.release_on, h.condition,
       (h.released_at AT TIME ZONE %(zone)s)::date, h.note, h.evidence, h.creditor
FROM settlements_hold h
JOIN sellers_seller r ON r.marketplace_id = h.marketplace_id AND r.id = h.seller_id
LEFT JOIN orders_orderline l ON l.marketplace_id = h.marketplace_id AND l.id = h.order_line_id
LEFT JOIN orders_order n ON n.marketplace_id = h.marketplace_id AND n.id = l.order_id
LEFT JOIN settlements_statement t ON t.marketplace_id = h.marketplace_id AND t.id = h.statement_id
WHERE h.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR h.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR (h.placed_at AT TIME ZONE %(zone)s)::date >= %(first)s)
      AND (%(last)s::date IS NULL OR (h.placed_at AT TIME ZONE %(zone)s)::date <= %(last)s)
ORDER BY r.code COLLATE "C", h.id
"""

ADJUSTMENT_COLUMNS = (
    "seller",
    "basis_on",
    "reason_code",
    "state",
    "amount",
    "vat",
    "tax_kind",
    "reason",
    "document",
    "due_on",
)
_ADJUSTMENTS = """
SELECT r.code, a.basis_on, a.reason_code, a.state, a.amount, -s.vat, a.tax_kind, a.reason,
       a.document, t.due_on
FROM settlements_adjustment a
JOIN sellers_seller r ON r.marketplace_id = a.marketplace_id AND r.id = a.seller_id
LEFT JOIN settlements_statement t ON t.marketplace_id = a.marketplace_id AND t.id = a.statement_id
LEFT JOIN settlement_line s ON s.marketplace_id = a.marketplace_id AND s.order_line_id = -a.id
     AND s.sequence = 0 AND s.basis_on = a.basis_on
WHERE a.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR a.seller_id = %(seller)s::bigint)
      AND (%(first)s::date IS NULL OR a.basis_on >= %(first)s)
      AND (%(last)s::date IS NULL OR a.basis_on <= %(last)s)
ORDER BY r.code COLLATE "C", a.basis_on, a.id
"""


class DaysTurned(Refused):
    code = "export_days_turned"
    message = gettext_noop("%(last_on)s lies before %(first_on)s. Name the earlier day first.")


class NoSpan(Refused):
    code = "export_without_span"
    message = gettext_noop("This report is by month and always whole. Ask for it without days.")


@dataclass(frozen=True, slots=True)
class Part:
    """What of a kind is wanted: one seller's rows, and those of a span of days, both included.

    The days are those of payment of orders, basis of lines and adjustments, due dates of
    statements, effect of the journal, preparation of payouts, and placing of holds.
    """

    seller_id: int | None = None
    first_on: date | None = None
    last_on: date | None = None


_WHOLE = Part()


def check(kind: str, part: Part) -> None:
    """Refuse a span that cannot be: raises DaysTurned, NoSpan."""
    if kind in BY_MONTH and (part.first_on or part.last_on):
        raise NoSpan(field="first_on")
    if part.first_on and part.last_on and part.last_on < part.first_on:
        raise DaysTurned(first_on=part.first_on, last_on=part.last_on, field="last_on")


def write(kind: str, out: TextIO, part: Part = _WHOLE) -> int:
    """Write an export of the marketplace in use, or a part of it; returns the number of rows."""
    columns, rows = KINDS[kind]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows(part):
        writer.writerow([sheets.harmless(value) for value in row])
        count += 1
    return count


def write_xlsx(kind: str, out: BinaryIO, part: Part = _WHOLE) -> int:
    """Write the same rows as XLSX: days as days, amounts as money; returns the number of rows."""
    columns, rows = KINDS[kind]
    market = tenancy.current()
    typed = _Typed(columns, rows(part), table_files.amounts(market))
    table = table_files.Table(kind, columns, typed, market.currency_exponent)
    table_files.write(table, table_files.XLSX, out)
    return typed.count


class _Typed:
    """Rows with amounts of major units where a column is one, counted as they pass."""

    def __init__(self, columns: Sequence[str], rows: Iterable[tuple], amount) -> None:
        self._are_amounts = [column in AMOUNTS for column in columns]
        self._rows, self._amount, self.count = rows, amount, 0

    def __iter__(self) -> Iterator[list]:
        for row in self._rows:
            self.count += 1
            yield [
                self._cell(value, is_amount)
                for value, is_amount in zip(row, self._are_amounts, strict=True)
            ]

    def _cell(self, value, is_amount: bool):
        if value is None or isinstance(value, str):
            return value
        if is_amount:
            return self._amount(value)
        return int(value) if isinstance(value, Decimal) else value  # a sum in the database


def _orders(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_orders", _ORDERS, part)


def _lines(part: Part) -> Iterator[tuple]:
    terms: dict[int, tuple] = {}
    for *row, terms_id, charges in _rows("exported_lines", _LINES, part):
        if terms_id not in terms:
            terms[terms_id] = _named_terms(terms_id)
        schedule, version, rules = terms[terms_id]
        told = (
            f"{component}#{rank} base={charges[at]} fee={charges[at + 1]} vat={charges[at + 2]}"
            for (component, rank), at in zip(rules, range(0, len(charges), 3), strict=True)
        )
        reason = row[_STREAM] if row[_KIND] == "adjustment" else ""
        split = adjustments.split_line(row[_FEE], row[_VAT], row[_NET], reason)
        yield *row, schedule, version, "; ".join(told), sum(charges[1::3]) - row[_FEE], *split


def _named_terms(terms_id: int) -> tuple:
    """Schedule, version number, and (component, rank in words) of each rule.

    An adjustment goes by no rules.
    """
    if not terms_id:
        return "", "", [("adjustment", "-")]
    version_id, _, charges = LineTerms.objects.values_list("key", flat=True).get(pk=terms_id)
    version = FeeScheduleVersion.objects.select_related("schedule").get(pk=version_id)
    rows = FeeRule.objects.select_related("contract")
    names = rows.in_bulk([rule_id for rule_id, *_ in charges])
    rules = [
        (SALE_VAT, "-")
        if rule_id == SALE_VAT_RULE.id
        else (names[rule_id].component, _rank(names[rule_id]))
        for rule_id, *_ in charges
    ]
    return version.schedule.code, version.number, rules


def _rank(rule: FeeRule) -> str:
    """The rank of a rule; one of a contract names its version before it: "contract1.2"."""
    return f"contract{rule.contract.number}.{rule.rank}" if rule.contract else str(rule.rank)


def _statements(part: Part) -> Iterator[tuple]:
    for row in _rows("exported_statements", _STATEMENTS, part):
        components = json.loads(row[_COMPONENTS])
        told = (
            f"{component} fee={fee} vat={vat}"
            for component, (fee, vat, _) in sorted(components.items())
        )
        split = adjustments.split(components)
        yield *row[:_COMPONENTS], "; ".join(told), *row[_COMPONENTS + 1 :], *split


def _journal(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_journal", _JOURNAL, part)


def _sales_by_month(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_sales", statutory.SALES, part)


def _withholding(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_withholding", statutory.WITHHOLDING, part, month=None)


def _tax_invoice_sums(part: Part) -> Iterator[tuple]:
    yield from statutory.invoice_sums(part.seller_id)


def _payouts(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_payouts", _PAYOUTS, part)


def _holds(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_holds", _HOLDS, part)


def _adjustments(part: Part) -> Iterator[tuple]:
    yield from _rows("exported_adjustments", _ADJUSTMENTS, part)


def _rows(name: str, query: str, part: Part, **words) -> Iterator[tuple]:
    with connection.cursor():  # opens the connection, should this be its first use
        market = tenancy.current()
        words |= {
            "marketplace": market.pk,
            "zone": str(market.tz),
            "seller": part.seller_id,
            "first": part.first_on,
            "last": part.last_on,
        }
        return runs.stream(name, query, words)


KINDS: dict[str, tuple[tuple[str, ...], Callable[[Part], Iterator[tuple]]]] = {
    "orders": (ORDER_COLUMNS, _orders),
    "settlement_lines": (LINE_COLUMNS, _lines),
    "statements": (STATEMENT_COLUMNS, _statements),
    "journal": (JOURNAL_COLUMNS, _journal),
    "sales_by_month": (statutory.SALES_COLUMNS, _sales_by_month),
    "tax_invoice_sums": (statutory.INVOICE_COLUMNS, _tax_invoice_sums),
    "withholding": (statutory.WITHHOLDING_COLUMNS, _withholding),
    "payouts": (PAYOUT_COLUMNS, _payouts),
    "holds": (HOLD_COLUMNS, _holds),
    "adjustments": (ADJUSTMENT_COLUMNS, _adjustments),
}
BY_MONTH = ("sales_by_month", "tax_invoice_sums", "withholding")
# The columns that hold amounts of money, whatever the kind.
AMOUNTS = frozenset(
    (
        *("unit_price", "list_amount", "seller_discount", "platform_discount", "partner_discount"),
        *("fee", "vat", "net", "sale_vat", "marketplace_fee", "marketplace_fee_vat", "other"),
        *("marketplace_fee_vat_on_top", "other_additions", "other_deductions", "debit", "credit"),
        *("carry_in", "released_holds", "hold_taken", "payable", "reserve", "reserve_released"),
        *("withholding_income", "withholding_local", "payout", "debt_invoiced", "carry_out"),
        *("amount", "taken", "taxable", "exempt", "buyers_paid", "supply", "service_net"),
    )
)
# Two runs of the same nights write the same bytes of these; what people and banks do has days of
# its own.
REPEATABLE = tuple(kind for kind in KINDS if kind not in ("payouts", "holds"))
