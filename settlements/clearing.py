"""Prove the clearing account, order by order: what is settled, and what of it has come.

A statement that closes debits clearing with all that buyers paid for its lines. What came by other
means than a payment provider is moved to the account of its kind the same night. What remains of
each order is an item: owed by its provider, in dispute, without a provider's id, or paid out ahead
of settlement. The items, what was paid out for no order, and journals by hand are the balance;
whatever is left is named. Amounts are minor units, above zero where money is still to come.
"""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Sum

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import bulk
from orders.models import Order, Payment
from settlements import clearing_tenders, ledger, ledger_balances, reconciling
from settlements.clearing_movements import CAME, MOVED, SETTLED, account_id, has_moved, since
from settlements.models import (
    ClearingItem,
    ClearingProof,
    Discrepancy,
    Journal,
    ProviderRow,
)

TO_COME: Final = timedelta(days=31)  # in which a provider should have paid out what is settled
Kind = ClearingItem.Kind


class ItemNotForBooking(Refused):
    code = "clearing_item_not_for_booking"
    message = gettext_noop(
        "What the order %(order)s adds to the clearing account is not %(amount)s any more, or is "
        "in dispute. Decide on its discrepancy where it has one; otherwise wait for the next "
        "night, and look at its item then."
    )


_UNKNOWN = f"""{CAME}
SELECT coalesce(sum(amount), 0)::bigint FROM came WHERE order_id IS NULL
"""  # noqa: S608 (all parts are constants)

_MOVED_BY_HAND = f"""
SELECT coalesce(sum(e.amount), 0)::bigint FROM settlements_journal j
CROSS JOIN LATERAL (
    SELECT FROM settlements_journal
    WHERE marketplace_id = %(marketplace)s AND id = coalesce(j.reverses_id, j.id)
      AND template <> '{ledger.BY_ORDER}'
    OFFSET 0
) b
CROSS JOIN LATERAL ({MOVED}) e
WHERE j.marketplace_id = %(marketplace)s
  AND j.template IN ('{ledger.BY_HAND}', '{ledger.REVERSAL}')
"""  # noqa: S608 (all parts are constants)

# The items that change, and what they become. Orders in dispute are looked at as well, because a
# discrepancy comes and goes without any money. An order's item is asked for as a range and in order
# of orders, which one index alone gives: to guesses, that of the oldest items costs as little.
_CHANGED = f"""{CAME}
, disputed AS MATERIALIZED (
    SELECT DISTINCT p.order_id FROM settlements_discrepancy d
    CROSS JOIN LATERAL (
        SELECT order_id FROM orders_payment
        WHERE marketplace_id = %(marketplace)s AND provider_id = d.provider_id AND provider_id <> ''
        OFFSET 0
    ) p
    WHERE d.marketplace_id = %(marketplace)s AND d.state = 'open'
), deltas AS (
    SELECT order_id, amount FROM ({SETTLED}) t
    UNION ALL SELECT order_id, amount FROM came WHERE order_id IS NOT NULL
    UNION ALL SELECT order_id, -amount FROM unnest(%(orders)s::bigint[], %(tendered)s::bigint[])
              AS t (order_id, amount)
    UNION ALL SELECT order_id, 0 FROM disputed
    UNION ALL SELECT order_id, 0 FROM settlements_clearingitem
              WHERE marketplace_id = %(marketplace)s AND until_on IS NULL AND kind = 'disputed'
), touched AS (
    SELECT order_id, sum(amount)::bigint AS amount FROM deltas GROUP BY order_id
)
, found AS (
    SELECT t.order_id, i.id AS item, i.amount AS old_amount, i.kind AS old_kind, i.since_on,
           coalesce(i.amount, 0) + t.amount AS amount,
           CASE WHEN d.order_id IS NOT NULL THEN 'disputed'
                WHEN coalesce(i.amount, 0) + t.amount < 0 THEN 'ahead'
                WHEN p.order_id IS NOT NULL THEN 'owed' ELSE 'unnamed' END AS kind
    FROM touched t
    LEFT JOIN LATERAL (
        SELECT id, amount, kind, since_on FROM settlements_clearingitem
        WHERE marketplace_id = %(marketplace)s AND order_id >= t.order_id AND order_id <= t.order_id
          AND until_on IS NULL
        ORDER BY order_id LIMIT 1
    ) i ON true
    LEFT JOIN LATERAL (
        SELECT order_id FROM orders_payment
        WHERE marketplace_id = %(marketplace)s AND order_id = t.order_id AND provider_id <> ''
        LIMIT 1
    ) p ON true
    LEFT JOIN disputed d ON d.order_id = t.order_id
)
SELECT item, order_id, kind, amount,
       CASE WHEN sign(amount) = sign(old_amount) THEN since_on ELSE %(on)s END
FROM found
WHERE (item IS NULL AND amount <> 0) OR (amount, kind) <> (old_amount, old_kind)
"""  # noqa: S608 (all parts are constants)


def night(on: date, *, at: datetime) -> dict[str, int]:
    """Move what no provider pays out, renew the items, and keep the proof of a night.

    The caller holds the transaction; called once for each day, in their order.
    """
    reconciling.one_at_a_time()
    last = ClearingProof.objects.order_by("-day").first()
    if last is None:  # all of the past at once, which may take longer than a night's part may
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
    by_order = clearing_tenders.move(on, last)
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


def refuse_changed(order_id: int, amount: int) -> None:
    """Raise ItemNotForBooking unless an order adds an amount to clearing and nobody disputes it.

    What has moved since the last proof counts as a change. Nothing of it moves before this
    transaction has ended.
    """
    reconciling.one_at_a_time()
    order = Order.objects.get(pk=order_id)
    item = ClearingItem.objects.now().filter(order=order).exclude(kind=Kind.DISPUTED).first()
    named = Payment.objects.filter(order=order).exclude(provider_id="").values("provider_id")
    is_disputed = Discrepancy.objects.open().filter(provider_id__in=named).exists()
    if item is None or item.amount != amount or is_disputed or has_moved(order_id):
        raise ItemNotForBooking(order=order.number, amount=amount)


def _proof(on: date, last: ClearingProof | None, by_order: Counter[int]) -> ClearingProof:
    """Renew the items with all that has moved since the last proof, and add them up."""
    account = account_id()
    proof = ClearingProof(
        day=on,
        last_row=ProviderRow.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
        last_journal=Journal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
    )
    words = {
        **since(last),
        "on": on,
        "row": proof.last_row,
        "journal": proof.last_journal,
        "orders": list(by_order),
        "tendered": list(by_order.values()),
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN, words)
        [unknown] = cursor.fetchone()
        cursor.execute(_CHANGED, words)
        changed = cursor.fetchall()
    _renew(changed, on)
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


def _renew(changed: list[tuple[int | None, int, str, int, date]], on: date) -> None:
    """End items, and let others follow where something is left: (item, order, kind, amount, since
    when)."""
    ended = [item for item, *_ in changed if item is not None]
    ClearingItem.objects.filter(bulk.among("id", ended)).update(until_on=on)
    columns = ("order_id", "kind", "amount", "since_on", "from_on")
    left = [(order, kind, amount, since, on) for _, order, kind, amount, since in changed if amount]
    bulk.insert(ClearingItem, columns, left)


def _by_hand(account: int) -> int:
    """What journals by hand that name no order, and their counter-entries, have ever moved on
    clearing."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVED_BY_HAND, {"marketplace": tenancy.current_id(), "account": account})
        [amount] = cursor.fetchone()
    return amount
