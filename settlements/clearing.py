"""Prove the clearing account, order by order: what is settled, and what of it has come.

A statement that closes debits clearing with all that buyers paid for its lines. What came by other
means than a payment provider is moved to the account of its kind the same night. What remains of
each order is an item: owed by its provider, in dispute, without a provider's id, or paid out ahead
of settlement. The items, what was paid out for no order, and journals by hand are the balance;
whatever is left is named. Amounts are minor units, above zero where money is still to come.
"""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Sum

from marketplace import tenancy
from marketplace.models import Marketplace
from orders.models import Payment
from settlements import (
    chart,
    ledger,
    ledger_balances,
    line_payments,
    manual_journals,
    reconciling,
    tenders,
)
from settlements.models import Account, ClearingItem, ClearingProof, Journal, ProviderRow

TENDERS: Final = "tenders"  # template: buyers' money that no provider pays out, to its own accounts
TO_COME: Final = timedelta(days=31)  # in which a provider should have paid out what is settled
_BATCH: Final = 5_000
_BY_HAND: Final = (manual_journals.TEMPLATE, ledger.REVERSAL)
Kind = ClearingItem.Kind

# Buyers' money of the lines of statements that closed on some days, by order line.
_SETTLED = """
SELECT l.order_line_id, o.order_id,
       sum(l.list_amount - l.seller_discount - l.platform_discount - l.partner_discount)::bigint
       AS amount
FROM settlements_statement s
JOIN settlement_line l ON l.marketplace_id = %(marketplace)s AND l.statement_id = s.id
     AND l.basis_on >= s.first_basis_on AND l.basis_on + 0 <= s.last_basis_on
JOIN orders_orderline o ON o.marketplace_id = %(marketplace)s AND o.id = l.order_line_id
WHERE s.marketplace_id = %(marketplace)s AND s.closed_on > %(after)s AND s.closed_on <= %(on)s
GROUP BY l.order_line_id, o.order_id
"""

# Of these the lines of orders that were paid in part by what no provider pays out.
_OTHERWISE_PAID = f"""
SELECT t.order_line_id, t.order_id, t.amount FROM ({_SETTLED}) t
WHERE EXISTS (
    SELECT FROM orders_payment p WHERE p.marketplace_id = %(marketplace)s
      AND p.order_id = t.order_id AND p.provider_id = '' AND p.kind = ANY(%(kinds)s)
)
ORDER BY t.order_id
"""  # noqa: S608 (all parts are constants)

# What lines had come to in statements that closed before.
_BEFORE = """
SELECT l.order_line_id,
       sum(l.list_amount - l.seller_discount - l.platform_discount - l.partner_discount)::bigint
FROM settlement_line l
JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
WHERE l.marketplace_id = %(marketplace)s AND l.order_line_id = ANY(%(lines)s)
  AND s.closed_on <= %(after)s
GROUP BY l.order_line_id
"""

# The order that each of a provider's ids belongs to: that of its first payment.
_ORDER_OF = """
SELECT p.order_id FROM orders_payment p
WHERE p.marketplace_id = %(marketplace)s AND p.provider_id = {id} AND p.provider_id <> ''
ORDER BY p.id LIMIT 1
"""

# What rows of providers, and journals of discrepancies, moved on clearing since the last proof, by
# order; none where no order knows the payment.
_CAME = f"""
WITH came AS (
    SELECT o.order_id, -r.gross AS amount
    FROM settlements_providerrow r
    LEFT JOIN LATERAL ({_ORDER_OF.format(id="r.provider_id")}) o ON true
    WHERE r.marketplace_id = %(marketplace)s AND r.id > %(last_row)s AND r.id <= %(row)s
    UNION ALL
    SELECT o.order_id, e.debit - e.credit
    FROM settlements_journal j
    JOIN ledger_entry e ON e.marketplace_id = %(marketplace)s AND e.journal_id = j.id
         AND e.basis_on = j.basis_on AND e.account_id = %(account)s
    JOIN settlements_discrepancy d ON d.marketplace_id = %(marketplace)s
         AND d.public_id = split_part(j.reference, ':', 1)
    LEFT JOIN LATERAL ({_ORDER_OF.format(id="d.provider_id")}) o ON true
    WHERE j.marketplace_id = %(marketplace)s AND j.template = '{reconciling.MOVE}'
      AND j.id > %(last_journal)s AND j.id <= %(journal)s
)
"""  # noqa: S608 (all parts are constants)
_UNKNOWN = f"""{_CAME}
SELECT coalesce(sum(amount), 0)::bigint FROM came WHERE order_id IS NULL
"""  # noqa: S608 (all parts are constants)

# Orders in dispute are looked at as well, because a discrepancy comes and goes without any money.
_RENEW = f"""{_CAME}
, disputed AS MATERIALIZED (
    SELECT DISTINCT p.order_id FROM settlements_discrepancy d
    JOIN orders_payment p ON p.marketplace_id = %(marketplace)s AND p.provider_id = d.provider_id
         AND p.provider_id <> ''
    WHERE d.marketplace_id = %(marketplace)s AND d.state = 'open'
), deltas AS (
    SELECT order_id, amount FROM ({_SETTLED}) t
    UNION ALL SELECT order_id, amount FROM came WHERE order_id IS NOT NULL
    UNION ALL SELECT order_id, -amount FROM unnest(%(orders)s::bigint[], %(tendered)s::bigint[])
              AS t (order_id, amount)
    UNION ALL SELECT order_id, 0 FROM disputed
    UNION ALL SELECT order_id, 0 FROM settlements_clearingitem
              WHERE marketplace_id = %(marketplace)s AND until_on IS NULL AND kind = 'disputed'
), touched AS (
    SELECT order_id, sum(amount)::bigint AS amount FROM deltas GROUP BY order_id
)
, found AS MATERIALIZED (
    SELECT t.order_id, i.id AS item, i.amount AS old_amount, i.kind AS old_kind, i.since_on,
           coalesce(i.amount, 0) + t.amount AS amount,
           CASE WHEN d.order_id IS NOT NULL THEN 'disputed'
                WHEN coalesce(i.amount, 0) + t.amount < 0 THEN 'ahead'
                WHEN EXISTS (SELECT FROM orders_payment p
                             WHERE p.marketplace_id = %(marketplace)s AND p.order_id = t.order_id
                               AND p.provider_id <> '') THEN 'owed'
                ELSE 'unnamed' END AS kind
    FROM touched t
    LEFT JOIN settlements_clearingitem i ON i.marketplace_id = %(marketplace)s
         AND i.order_id = t.order_id AND i.until_on IS NULL
    LEFT JOIN disputed d ON d.order_id = t.order_id
), ended AS (
    UPDATE settlements_clearingitem c SET until_on = %(on)s FROM found f
    WHERE c.marketplace_id = %(marketplace)s AND c.id = f.item
      AND (f.amount, f.kind) <> (f.old_amount, f.old_kind)
    RETURNING f.order_id, f.amount, f.kind, f.old_amount, f.since_on
), changed AS (
    SELECT order_id, amount, kind,
           CASE WHEN sign(amount) = sign(old_amount) THEN since_on ELSE %(on)s END AS since_on
    FROM ended
    UNION ALL
    SELECT order_id, amount, kind, %(on)s FROM found WHERE item IS NULL
)
INSERT INTO settlements_clearingitem (marketplace_id, order_id, kind, amount, since_on, from_on)
SELECT %(marketplace)s, order_id, kind, amount, since_on, %(on)s FROM changed WHERE amount <> 0
"""  # noqa: S608 (all parts are constants)


def night(on: date, *, at: datetime) -> dict[str, int]:
    """Move what no provider pays out, renew the items, and keep the proof of a night.

    The caller holds the transaction; called once for each day, in their order.
    """
    reconciling.one_at_a_time()
    last = ClearingProof.objects.order_by("-day").first()
    after = last.day if last else date.min
    by_order = _post_tenders(on, after)
    proof = _proof(on, last, by_order)
    proof.save(force_insert=True)
    return {"clearing": proof.balance, "unexplained": proof.difference}


def waiting_too_long(on: date):
    """What is settled and should have come by the night of `on`; a test marketplace waits."""
    if tenancy.current().state == Marketplace.State.TEST:
        return ClearingItem.objects.none()
    rows = ClearingItem.objects.now().filter(kind__in=[Kind.OWED, Kind.UNNAMED])
    return rows.filter(since_on__lt=on - TO_COME)


def unexplained(on: date) -> int:
    """What nothing explains of the account after the night of `on`."""
    proof = ClearingProof.objects.filter(day=on).first()
    return proof.difference if proof else 0


def _post_tenders(on: date, after: date) -> Counter[int]:
    """Move buyers' money that no provider pays out to the accounts of its kinds; by order, how
    much."""
    moved: Counter[str] = Counter()
    by_order: Counter[int] = Counter()
    words = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "after": after,
        "kinds": sorted(tenders.KINDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_OTHERWISE_PAID, words)
        lines = cursor.fetchall()
    for first in range(0, len(lines), _BATCH):
        batch = lines[first : first + _BATCH]
        before = _before([line for line, _, _ in batch], after)
        paid_by = line_payments.of_orders({order for _, order, _ in batch}, _account)
        for line, order, amount in batch:
            old = before[line]
            for account, part in tenders.change(old, old + amount, paid_by[line]).items():
                if account != chart.CLEARING:
                    moved[account] += part
                    by_order[order] += part
    draft = ledger.Draft(TENDERS, on.isoformat(), on)
    draft.credit(chart.CLEARING, sum(moved.values()))
    for account in sorted(moved):
        draft.debit(account, moved[account])
    if draft.legs:
        ledger.post([draft])
    return by_order


def _account(payment: Payment) -> str:
    return tenders.account_of(payment.kind, payment.provider_id)


def _before(lines: list[int], after: date) -> dict[int, int]:
    words = {"marketplace": tenancy.current_id(), "lines": lines, "after": after}
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, words)
        return defaultdict(int, cursor.fetchall())


def _proof(on: date, last: ClearingProof | None, by_order: Counter[int]) -> ClearingProof:
    """Renew the items with all that has moved since the last proof, and add them up."""
    account = Account.objects.filter(code=chart.CLEARING).values_list("pk", flat=True).first()
    proof = ClearingProof(
        day=on,
        last_row=ProviderRow.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
        last_journal=Journal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
    )
    words = {
        "marketplace": tenancy.current_id(),
        "on": on,
        "after": last.day if last else date.min,
        "account": account or 0,
        "last_row": last.last_row if last else 0,
        "row": proof.last_row,
        "last_journal": last.last_journal if last else 0,
        "journal": proof.last_journal,
        "orders": list(by_order),
        "tendered": list(by_order.values()),
    }
    with connection.cursor() as cursor:
        if last is None:  # all of the past at once, which may take longer than a night's part may
            cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_UNKNOWN, words)
        [unknown] = cursor.fetchone()
        cursor.execute(_RENEW, words)
    sums = ClearingItem.objects.now().values_list("kind").annotate(Sum("amount")).order_by()
    items = {kind: int(amount) for kind, amount in sums}
    for kind in Kind.values:
        setattr(proof, kind, items.get(kind, 0))
    proof.unknown = unknown + (last.unknown if last else 0)
    proof.by_hand = _by_hand(account) if account else 0
    proof.balance = ledger_balances.of(account, date.max).balance if account else 0
    explained = sum(items.values()) + proof.unknown + proof.by_hand
    proof.difference = proof.balance - explained
    return proof


def _by_hand(account: int) -> int:
    """What journals by hand and counter-entries have ever moved on clearing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(e.debit - e.credit), 0)::bigint FROM settlements_journal j "
            "JOIN ledger_entry e ON e.marketplace_id = %s AND e.journal_id = j.id "
            "AND e.basis_on = j.basis_on AND e.account_id = %s "
            "WHERE j.marketplace_id = %s AND j.template = ANY(%s)",
            [tenancy.current_id(), account, tenancy.current_id(), list(_BY_HAND)],
        )
        [amount] = cursor.fetchone()
    return amount
