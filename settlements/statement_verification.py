"""Statements against what they come from: their lines, and what their sellers carried when they
closed.

A closed statement is closed once more, in memory, by the function that the night closes it by:
from its lines, from what its holds asked for, and from what the statements before it left. What
those left is read where it stands, so that one wrong figure is told once. Reads everything and
writes nothing.
"""

import json
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any, Final

from django.db import connection
from django.db.models import Sum

from marketplace import tenancy
from settlements import adjustments, runs, statements, withholding
from settlements.contracts import Contracts
from settlements.holds import Plan
from settlements.models import DebtMovement, SellerBalance, Statement

_AT_ONCE = 2_000

Found = tuple[str, str, str, object, object]
"""What, which, which of its figures, what it should be, what it is."""

_SUMS: Final = (
    *("lines", "list_amount", "seller_discount", "platform_discount", "partner_discount"),
    *("fee", "vat", "net", "first_basis_on", "last_basis_on"),
)
_IN_JOURNAL: Final = (
    *("net", "payout", "held", "reserved", "withheld", "invoiced", "buyers' money", "day"),
)

# Those of one statement where one is named. Each tells the statement, then its figures as they
# should be, then as they are.
_OF_LINES = f"""
SELECT t.public_id, {", ".join(f"coalesce(s.{name}, 0)" for name in _SUMS[:-2])},
       s.first_basis_on, s.last_basis_on, {", ".join(f"t.{name}" for name in _SUMS)}
FROM settlements_statement t
LEFT JOIN (
    SELECT statement_id, count(*) AS lines,
           {", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS[1:-2])},
           min(basis_on) AS first_basis_on, max(basis_on) AS last_basis_on
    FROM settlement_line WHERE marketplace_id = %(marketplace)s
         AND (%(statement)s::bigint IS NULL OR statement_id = %(statement)s)
    GROUP BY statement_id
) s ON s.statement_id = t.id
WHERE t.marketplace_id = %(marketplace)s
  AND (%(statement)s::bigint IS NULL OR t.id = %(statement)s)
  AND ({", ".join(f"t.{name}" for name in _SUMS)}) IS DISTINCT FROM
      ({", ".join(f"coalesce(s.{name}, 0)" for name in _SUMS[:-2])},
       s.first_basis_on, s.last_basis_on)
"""  # noqa: S608 (names of columns)
_OF_SERVICES = """
SELECT t.public_id, coalesce(n.net, 0)::bigint, t.service_net
FROM settlements_statement t
LEFT JOIN (
    SELECT s.statement_id, sum(s.net) AS net
    FROM settlement_line s
    CROSS JOIN LATERAL (
        SELECT income_kind FROM settlements_sellercontract c
        WHERE c.marketplace_id = s.marketplace_id AND c.seller_id = s.seller_id
          AND c.state = 'published' AND c.valid_from <= s.rate_on
        ORDER BY c.valid_from DESC LIMIT 1
    ) c
    WHERE s.marketplace_id = %(marketplace)s AND c.income_kind = 'service'
      AND (%(statement)s::bigint IS NULL OR s.statement_id = %(statement)s)
      AND (s.kind <> 3 OR EXISTS (
          SELECT FROM settlements_adjustment a
          WHERE a.marketplace_id = s.marketplace_id AND a.id = -s.order_line_id
            AND a.reason_code = ANY(%(purchases)s)
      ))
      AND s.seller_id IN (SELECT seller_id FROM settlements_sellercontract
                          WHERE marketplace_id = %(marketplace)s AND income_kind = 'service')
    GROUP BY s.statement_id
) n ON n.statement_id = t.id
WHERE t.marketplace_id = %(marketplace)s AND t.service_net <> coalesce(n.net, 0)
  AND (%(statement)s::bigint IS NULL OR t.id = %(statement)s)
"""
_OF_HOLDS = """
SELECT t.public_id, coalesce(m.taken, 0)::bigint, coalesce(m.released, 0)::bigint,
       t.hold_taken, t.released_holds
FROM settlements_statement t
LEFT JOIN (
    SELECT statement_id, sum(taken) AS taken, sum(released) AS released
    FROM settlements_holdmovement WHERE marketplace_id = %(marketplace)s
         AND (%(statement)s::bigint IS NULL OR statement_id = %(statement)s)
    GROUP BY statement_id
) m ON m.statement_id = t.id
WHERE t.marketplace_id = %(marketplace)s
  AND (%(statement)s::bigint IS NULL OR t.id = %(statement)s)
  AND (t.hold_taken, t.released_holds) <> (coalesce(m.taken, 0), coalesce(m.released, 0))
"""
_OF_PAYOUTS = """
SELECT t.public_id, x.state, t.state
FROM settlements_statement t
LEFT JOIN settlements_payoutitem i ON i.marketplace_id = t.marketplace_id
     AND i.statement_id = t.id AND i.is_live
LEFT JOIN settlements_payout p ON p.marketplace_id = i.marketplace_id AND p.id = i.payout_id
CROSS JOIN LATERAL (SELECT CASE
    WHEN p.state = 'paid' THEN 'paid'
    WHEN p.id IS NOT NULL THEN 'in_payout'
    WHEN t.payout > 0 THEN 'payable' ELSE 'closed' END AS state
) x
WHERE t.marketplace_id = %(marketplace)s AND t.state NOT IN ('open', x.state)
  AND (%(statement)s::bigint IS NULL OR t.id = %(statement)s)
"""
_OF_JOURNALS = """
SELECT t.public_id, t.net, t.payout, t.hold_taken - t.released_holds,
       t.reserve - t.reserve_released, t.withholding_income + t.withholding_local,
       t.debt_invoiced,
       t.list_amount - t.seller_discount - t.platform_discount - t.partner_discount, t.closed_on,
       coalesce(e.net, 0), coalesce(e.payout, 0), coalesce(e.held, 0), coalesce(e.reserved, 0),
       coalesce(e.withheld, 0), coalesce(e.invoiced, 0), coalesce(e.paid, 0), j.basis_on
FROM settlements_statement t
LEFT JOIN settlements_journal j ON j.marketplace_id = t.marketplace_id
     AND j.template = 'statement' AND j.reference = t.public_id
LEFT JOIN (
    SELECT e.journal_id,
           sum(e.credit - e.debit) FILTER (WHERE a.code IN (
               'seller_payable', 'payout_payable', 'seller_held', 'seller_reserve',
               'seller_receivable', 'withholding_income', 'withholding_local'))::bigint AS net,
           sum(e.credit - e.debit) FILTER (WHERE a.code = 'payout_payable')::bigint AS payout,
           sum(e.credit - e.debit) FILTER (WHERE a.code = 'seller_held')::bigint AS held,
           sum(e.credit - e.debit) FILTER (WHERE a.code = 'seller_reserve')::bigint AS reserved,
           sum(e.credit - e.debit) FILTER (
               WHERE a.code IN ('withholding_income', 'withholding_local'))::bigint AS withheld,
           sum(e.debit - e.credit) FILTER (WHERE a.code = 'seller_receivable')::bigint
               AS invoiced,
           sum(e.debit - e.credit) FILTER (WHERE a.code = 'clearing')::bigint AS paid
    FROM ledger_entry e
    JOIN settlements_account a ON a.marketplace_id = e.marketplace_id AND a.id = e.account_id
    WHERE e.marketplace_id = %(marketplace)s AND (%(statement)s::bigint IS NULL OR e.journal_id = (
        SELECT k.id FROM settlements_journal k
        JOIN settlements_statement s ON s.marketplace_id = k.marketplace_id
             AND s.public_id = k.reference
        WHERE k.marketplace_id = %(marketplace)s AND k.template = 'statement'
          AND s.id = %(statement)s
    ))
    GROUP BY e.journal_id
) e ON e.journal_id = j.id
WHERE t.marketplace_id = %(marketplace)s AND t.state <> 'open'
  AND (%(statement)s::bigint IS NULL OR t.id = %(statement)s)
  AND (coalesce(e.net, 0), coalesce(e.payout, 0), coalesce(e.held, 0), coalesce(e.reserved, 0),
       coalesce(e.withheld, 0), coalesce(e.invoiced, 0), coalesce(e.paid, 0), j.basis_on)
      IS DISTINCT FROM
      (t.net, t.payout, t.hold_taken - t.released_holds, t.reserve - t.reserve_released,
       t.withholding_income + t.withholding_local, t.debt_invoiced,
       t.list_amount - t.seller_discount - t.platform_discount - t.partner_discount, t.closed_on)
"""
_COMPARED: Final = (
    ("statement", _SUMS, _OF_LINES),
    ("statement", ("service_net",), _OF_SERVICES),
    ("statement", ("held back by its holds", "given back by its holds"), _OF_HOLDS),
    ("statement", ("state",), _OF_PAYOUTS),
    ("journal of statement", _IN_JOURNAL, _OF_JOURNALS),
)

# By statement, by terms or reason of an adjustment: the sums of base, fee and VAT of each charge.
_CHARGES = """
SELECT t.public_id, t.components::text, c.terms_id, c.reason, c.sums
FROM (
    SELECT statement_id, terms_id, reason, array_agg(amount ORDER BY place) AS sums
    FROM (
        SELECT s.statement_id, s.terms_id, a.reason_code AS reason, p.place,
               sum(p.amount)::bigint AS amount
        FROM settlement_line s
        CROSS JOIN LATERAL unnest(s.charges) WITH ORDINALITY p (amount, place)
        LEFT JOIN settlements_adjustment a ON a.marketplace_id = s.marketplace_id
             AND a.id = -s.order_line_id AND s.kind = 3
        WHERE s.marketplace_id = %(marketplace)s
          AND (%(statement)s::bigint IS NULL OR s.statement_id = %(statement)s)
        GROUP BY 1, 2, 3, 4
    ) summed
    GROUP BY 1, 2, 3
) c
JOIN settlements_statement t ON t.marketplace_id = %(marketplace)s AND t.id = c.statement_id
ORDER BY c.statement_id
"""
_WITHOUT_LINES = """
SELECT public_id, components::text FROM settlements_statement
WHERE marketplace_id = %(marketplace)s AND lines = 0 AND components <> '{}'
  AND (%(statement)s::bigint IS NULL OR id = %(statement)s)
"""


def differences(
    contracts: Contracts, terms: runs.StoredTerms, statement: Statement | None
) -> Iterator[Found]:
    """Every figure of statements, or of one, that does not follow from what it comes from.

    `contracts` are those of all sellers whose statements are looked at.
    """
    parameters = {
        "marketplace": tenancy.current_id(),
        "statement": statement.pk if statement else None,
        "purchases": list(adjustments.PURCHASE_REASONS),
    }
    for subject, names, query in _COMPARED:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            for key, *figures in cursor.fetchall():
                right, found = figures[: len(names)], figures[len(names) :]
                for name, expected, is_ in zip(names, right, found, strict=True):
                    if expected != is_:
                        yield subject, key, name, expected, is_
    yield from _components(terms, parameters)
    yield from _closings(contracts, statement)


def _components(terms: runs.StoredTerms, parameters: dict[str, Any]) -> Iterator[Found]:
    """The sums by component of statements against the charges of their lines."""
    rows = runs.stream("verified_charges", _CHARGES, parameters)
    for (key, stored), charged in groupby(rows, key=lambda row: row[:2]):
        sums: dict[str, list[int]] = {}
        for _, _, terms_id, reason, amounts in charged:
            adjusted = ((adjustments.component(reason), True),) if reason else None
            parts = adjusted or terms[terms_id].parts
            for (component, is_on_top), fee, vat in zip(
                parts, amounts[1::3], amounts[2::3], strict=True
            ):
                of_component = sums.setdefault(component, [0, 0, 0])
                of_component[0] += fee
                of_component[1] += vat
                of_component[2] += vat if is_on_top else 0
        yield from _component_differences(key, sums, json.loads(stored))
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT_LINES, parameters)
        for key, stored in cursor.fetchall():
            yield from _component_differences(key, {}, json.loads(stored))


def _component_differences(
    key: str, sums: dict[str, list[int]], stored: dict[str, list[int]]
) -> Iterator[Found]:
    for component in sorted(sums.keys() | stored.keys()):
        right, found = sums.get(component), stored.get(component)
        if right != found:
            yield "statement", key, f"component {component}", right, found


def _closings(contracts: Contracts, statement: Statement | None) -> Iterator[Found]:
    """Closed statements, closed once more from what their sellers carried then."""
    rows = Statement.objects.exclude(state=Statement.State.OPEN)
    paid = DebtMovement.objects.filter(statement__isnull=False)
    bases: dict[int, tuple[str, int]] = {}
    if statement is not None:
        rows, paid = (found.filter(seller=statement.seller_id) for found in (rows, paid))
    else:
        kept = SellerBalance.objects.exclude(withholding_base=0).values_list(
            "seller_id", "seller__code", "withholding_base"
        )
        bases = {seller_id: (code, base) for seller_id, code, base in kept}
    settled = dict(paid.values_list("statement_id").annotate(Sum("amount")).order_by())
    ordered = rows.select_related("seller").order_by("seller_id", "closed_on", "due_on")
    for seller_id, closed in groupby(
        ordered.iterator(chunk_size=_AT_ONCE), key=lambda row: row.seller_id
    ):
        past = _Past()
        for row in closed:
            if statement is None or row.pk == statement.pk:
                yield from past.differences(row, contracts)
            past.add(row, settled.get(row.pk, 0))
            code = row.seller.code
        if statement is None:
            _, base = bases.pop(seller_id, (code, 0))
            if base != past.withholding_base:
                yield "seller", code, "withholding base", past.withholding_base, base
    for code, base in bases.values():
        yield "seller", code, "withholding base", 0, base


class _Past:
    """What a seller's statements have left so far, one closed after the other."""

    def __init__(self) -> None:
        self.withholding_base = 0
        self._carry = 0
        self._reserve = 0
        self._reserve_used = 0
        self._reserve_came_due = 0
        self._reserves: list[tuple[date, int]] = []  # that are not due yet

    def differences(self, row: Statement, contracts: Contracts) -> Iterator[Found]:
        """What of a closed statement does not follow from its lines and from what came before."""
        closed = Statement(
            seller_id=row.seller_id, due_on=row.due_on, net=row.net, service_net=row.service_net
        )
        balance = SellerBalance(
            seller_id=row.seller_id,
            carry=self._carry,
            reserve=self._reserve,
            reserve_released=self._due_by(row.closed_on) - self._reserve_used,
            withholding_base=self.withholding_base,
        )
        statements.close(
            closed,
            balance,
            Plan({0: row.released_holds}, {0: row.new_holds}),
            contracts.payout_terms(row.seller_id, row.due_on),
            on=row.closed_on,
        )
        for name in statements.CLOSED:
            expected, found = getattr(closed, name), getattr(row, name)
            if expected != found:
                yield "statement", row.public_id, name, expected, found

    def add(self, row: Statement, debt_settled: int) -> None:
        """Go on behind a statement. `debt_settled` was paid, or given up, of what it left."""
        self._carry = row.carry_out + debt_settled
        self._reserve += row.reserve - row.reserve_released
        self._reserve_used += row.reserve_released
        if row.reserve and row.reserve_due_on:
            self._reserves.append((row.reserve_due_on, row.reserve))
        tax = withholding.withhold(row.service_net, self.withholding_base)
        self.withholding_base = withholding.carried(tax, is_paid=row.payout > 0)

    def _due_by(self, day: date) -> int:
        """All reserves that were kept for their days by a day; days are asked for in order."""
        self._reserve_came_due += sum(amount for due_on, amount in self._reserves if due_on <= day)
        self._reserves = [kept for kept in self._reserves if kept[0] > day]
        return self._reserve_came_due
