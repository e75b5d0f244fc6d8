"""Move buyers' money that no payment provider pays out from clearing to the accounts of its kinds.

What of an order that is, settlements.tenders says: of what is settled of its lines, and of what
providers gave back.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.db import connection

from marketplace import tenancy
from orders.models import OrderLine, Payment
from settlements import chart, ledger, line_payments, tenders
from settlements.clearing_movements import ORDER_OF, SETTLED, since
from settlements.models import ClearingProof, ProviderRow

TEMPLATE: Final = "tenders"
_BATCH: Final = 2_000  # orders at a time

# Whether an order was paid in part by what no provider pays out.
_IS_OTHERWISE_PAID = """
(
    SELECT true FROM orders_payment p WHERE p.marketplace_id = %(marketplace)s
      AND p.order_id = t.order_id AND p.provider_id = '' AND p.kind = ANY(%(kinds)s)
    LIMIT 1
)
"""
_OTHERWISE_PAID = f"""
SELECT t.order_line_id, t.order_id, t.amount FROM ({SETTLED}) t
WHERE {_IS_OTHERWISE_PAID}
"""  # noqa: S608 (all parts are constants)

# What lines had come to in statements that closed before.
_BEFORE = """
SELECT n.line, sum(l.amount)::bigint
FROM unnest(%(lines)s::bigint[]) AS n (line)
CROSS JOIN LATERAL (
    SELECT statement_id,
           list_amount - seller_discount - platform_discount - partner_discount AS amount
    FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = n.line
    OFFSET 0
) l
CROSS JOIN LATERAL (
    SELECT FROM settlements_statement
    WHERE marketplace_id = %(marketplace)s AND id = l.statement_id AND closed_on <= %(after)s
    OFFSET 0
) s
GROUP BY n.line
"""

# Of these the orders of which a provider has given something back since the last proof.
_GIVEN_BACK = f"""
SELECT DISTINCT t.order_id FROM settlements_providerrow r
JOIN LATERAL ({ORDER_OF.format(id="r.provider_id")}) t ON true
WHERE r.marketplace_id = %(marketplace)s AND r.id > %(last_row)s AND r.kind = 'refund'
  AND {_IS_OTHERWISE_PAID}
"""  # noqa: S608 (all parts are constants)


def move(on: date, last: ClearingProof | None) -> Counter[int]:
    """Move what has changed since a proof, by a journal on a day; returns by order how much."""
    moved: Counter[str] = Counter()
    by_order: Counter[int] = Counter()
    words = {**since(last), "on": on, "kinds": sorted(tenders.KINDS)}
    with connection.cursor() as cursor:
        cursor.execute(_OTHERWISE_PAID, words)
        tonight = cursor.fetchall()
        cursor.execute(_GIVEN_BACK, words)
        orders = sorted({order for _, order, _ in tonight} | {order for (order,) in cursor})
    added = {line: amount for line, _, amount in tonight}
    for first in range(0, len(orders), _BATCH):
        for order, parts in _tenders_of(orders[first : first + _BATCH], added, words).items():
            for account, part in parts.items():
                moved[account] += part
                by_order[order] += part
    draft = ledger.Draft(TEMPLATE, on.isoformat(), on)
    draft.credit(chart.CLEARING, sum(moved.values()))
    for account in sorted(moved):
        draft.debit(account, moved[account])
    if draft.legs:
        ledger.post([draft])
    return by_order


def _tenders_of(
    orders: list[int], added: Mapping[int, int], words: Mapping[str, Any]
) -> dict[int, Counter[str]]:
    """By order, what accounts other than clearing bring more than at the last proof."""
    lines: dict[int, list[int]] = defaultdict(list)
    for line, order in OrderLine.objects.filter(order_id__in=orders).values_list("pk", "order_id"):
        lines[order].append(line)
    before = _before([line for its in lines.values() for line in its], words["after"])
    paid_by = line_payments.of_orders(orders, _account)
    paid: dict[int, Counter[str]] = defaultdict(Counter)
    order_of: dict[str, int] = {}
    for payment in Payment.objects.filter(order_id__in=orders).order_by("pk"):
        paid[payment.order_id][_account(payment)] += payment.amount
        order_of.setdefault(payment.provider_id, payment.order_id)
    given_back: Counter[int] = Counter()  # at the last proof
    given_since: Counter[int] = Counter()
    rows = ProviderRow.objects.filter(
        kind=ProviderRow.Kind.REFUND, provider_id__in=order_of.keys() - {""}
    )
    for row, provider_id, gross in rows.values_list("pk", "provider_id", "gross"):
        sums = given_since if row > words["last_row"] else given_back
        sums[order_of[provider_id]] -= gross
    found = {}
    for order, its in lines.items():
        old = [(before[line], paid_by[line]) for line in its]
        now = [(before[line] + added.get(line, 0), paid_by[line]) for line in its]
        back = given_back[order]
        change = Counter(tenders.parts(paid[order], now, given_back=back + given_since[order]))
        change.subtract(tenders.parts(paid[order], old, given_back=back))
        del change[chart.CLEARING]
        found[order] = change
    return found


def _account(payment: Payment) -> str:
    return tenders.account_of(payment.kind, payment.provider_id)


def _before(lines: list[int], after: date) -> dict[int, int]:
    words = {"marketplace": tenancy.current_id(), "lines": lines, "after": after}
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, words)
        return defaultdict(int, cursor.fetchall())
