"""Orders, settlement lines, statements and journal as CSV, by business keys alone.

Rows are ordered by their keys and hold no row ids, random ids or times of day, so two runs of the
same nights give the same bytes. Amounts are whole minor units. Columns are documented in
docs/exports.md.
"""

import csv
import json
from collections.abc import Callable, Iterator
from typing import TextIO

from django.db import connection

from marketplace import sheets, tenancy
from settlements import adjustments, runs, statutory
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
)
_ORDERS = """
SELECT n.number, l.number, r.code, l.stream, l.sku, l.title, l.channel, l.status, l.paid_on,
       l.shipped_on, l.delivered_on, l.confirmed_on, l.cancelled_on, l.unit_price, l.quantity,
       l.units_left, l.list_amount, l.seller_discount, l.platform_discount, l.partner_discount
FROM orders_orderline l
JOIN orders_order n ON n.marketplace_id = l.marketplace_id AND n.id = l.order_id
JOIN sellers_seller r ON r.marketplace_id = l.marketplace_id AND r.id = l.seller_id
WHERE l.marketplace_id = %(marketplace)s
      AND (%(seller)s::bigint IS NULL OR l.seller_id = %(seller)s::bigint)
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
ORDER BY j.template, r.code COLLATE "C", t.due_on, a.code COLLATE "C", e.debit, e.credit,
         e.basis_on, j.occurred_on
"""


def write(kind: str, out: TextIO, *, seller_id: int | None = None) -> int:
    """Write an export of the marketplace in use, or one seller's; returns the number of rows."""
    columns, rows = KINDS[kind]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows(seller_id):
        writer.writerow([sheets.harmless(value) for value in row])
        count += 1
    return count


def _orders(seller_id: int | None) -> Iterator[tuple]:
    yield from _rows("exported_orders", _ORDERS, seller_id)


def _lines(seller_id: int | None) -> Iterator[tuple]:
    terms: dict[int, tuple] = {}
    for *row, terms_id, charges in _rows("exported_lines", _LINES, seller_id):
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


def _statements(seller_id: int | None) -> Iterator[tuple]:
    for row in _rows("exported_statements", _STATEMENTS, seller_id):
        components = json.loads(row[_COMPONENTS])
        told = (
            f"{component} fee={fee} vat={vat}"
            for component, (fee, vat, _) in sorted(components.items())
        )
        split = adjustments.split(components)
        yield *row[:_COMPONENTS], "; ".join(told), *row[_COMPONENTS + 1 :], *split


def _journal(seller_id: int | None) -> Iterator[tuple]:
    yield from _rows("exported_journal", _JOURNAL, seller_id)


def _sales_by_month(seller_id: int | None) -> Iterator[tuple]:
    yield from _rows("exported_sales", statutory.SALES, seller_id)


def _withholding(seller_id: int | None) -> Iterator[tuple]:
    yield from _rows("exported_withholding", statutory.WITHHOLDING, seller_id, month=None)


def _rows(name: str, query: str, seller_id: int | None, **words) -> Iterator[tuple]:
    with connection.cursor():  # opens the connection, should this be its first use
        words |= {"marketplace": tenancy.current_id(), "seller": seller_id}
        return runs.stream(name, query, words)


KINDS: dict[str, tuple[tuple[str, ...], Callable[[int | None], Iterator[tuple]]]] = {
    "orders": (ORDER_COLUMNS, _orders),
    "settlement_lines": (LINE_COLUMNS, _lines),
    "statements": (STATEMENT_COLUMNS, _statements),
    "journal": (JOURNAL_COLUMNS, _journal),
    "sales_by_month": (statutory.SALES_COLUMNS, _sales_by_month),
    "tax_invoice_sums": (statutory.INVOICE_COLUMNS, statutory.invoice_sums),
    "withholding": (statutory.WITHHOLDING_COLUMNS, _withholding),
}
