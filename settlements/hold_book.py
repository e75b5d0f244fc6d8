"""The line holds of some sellers while their statements close, one after the other.

What is left of an order line, or was supplied in a month, counts once the statement that it stands
on closes, not before: what falls due next week takes nothing from what is due today.
"""

from collections import defaultdict
from collections.abc import Collection

from django.db import connection

from marketplace import tenancy
from settlements import holds, purchases
from settlements.holds import Asking, Plan
from settlements.models import Hold, HoldMovement, Statement
from settlements.purchases import Month, Supplied

# By the dates of their outcomes, so that only the months are searched which hold these lines.
_NETS = """
SELECT o.line_id, s.id, s.state <> 'open', sum(l.net)::bigint
FROM orders_outcome o
CROSS JOIN LATERAL (
    SELECT net, statement_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = o.line_id
      AND sequence = o.sequence AND basis_on = o.basis_on
    LIMIT 1
) l
JOIN settlements_statement s ON s.marketplace_id = %(marketplace)s AND s.id = l.statement_id
WHERE o.marketplace_id = %(marketplace)s AND o.line_id = ANY(%(lines)s)
GROUP BY 1, 2, 3
"""


class HoldBook:
    """Line holds in force, and those with something to give back; locked while the book is open."""

    def __init__(self, sellers: Collection[int]):
        self._by_seller: defaultdict[int, list[Hold]] = defaultdict(list)
        rows = Hold.objects.at_work().filter(seller_id__in=sellers)
        for hold in rows.select_for_update(no_key=True).order_by("pk"):
            self._by_seller[hold.seller_id].append(hold)
        self._movements: list[HoldMovement] = []
        self._changed: dict[int, Hold] = {}
        self._closing: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._left: defaultdict[int, int] = defaultdict(int)
        lines = {hold.order_line_id for hold in self._holds() if hold.order_line_id}
        for line_id, statement_id, is_closed, net in _nets(lines):
            if is_closed:
                self._left[line_id] += net
            else:
                self._closing[statement_id][line_id] = net
        self._open_supplies: defaultdict[int, list[Supplied]] = defaultdict(list)
        self._supplied: defaultdict[Month, int] = defaultdict(int)
        self._missing: dict[Month, int] = {}
        self._read_supplies(
            {(hold.seller_id, hold.invoice_month) for hold in self._holds() if hold.invoice_month}
        )

    def plan(self, statement: Statement) -> Plan:
        """What holds ask of a statement; its own lines count from here on."""
        for line_id, net in self._closing.pop(statement.pk, {}).items():
            self._left[line_id] += net
        for row in self._open_supplies.pop(statement.pk, ()):
            self._supplied[row.month] += row.gross
        return holds.plan(self._asking(hold) for hold in self._by_seller[statement.seller_id])

    def settle(self, statement: Statement, plan: Plan, taken: int) -> None:
        """Note what a statement gave back, and kept back of what was asked."""
        by_id = {hold.pk: hold for hold in self._by_seller[statement.seller_id]}
        for hold_id, amount in plan.released.items():
            by_id[hold_id].taken -= amount
            self._note(by_id[hold_id], statement, released=amount)
        for hold_id, amount in plan.filled(taken).items():
            by_id[hold_id].taken += amount
            self._note(by_id[hold_id], statement, taken=amount)

    def save(self) -> None:
        Hold.objects.bulk_update(self._changed.values(), ["taken"], batch_size=2000)
        HoldMovement.objects.bulk_create(self._movements, batch_size=2000)

    def _holds(self) -> list[Hold]:
        return [hold for found in self._by_seller.values() for hold in found]

    def _asking(self, hold: Hold) -> Asking:
        if hold.invoice_month:
            subject = f"supplies {hold.invoice_month}"
        else:
            subject = f"line {hold.order_line_id}" if hold.order_line_id else f"hold {hold.pk}"
        return Asking(hold_id=hold.pk, subject=subject, wanted=self._wanted(hold), taken=hold.taken)

    def _wanted(self, hold: Hold) -> int:
        if hold.state == Hold.State.RELEASED:
            return 0
        if hold.invoice_month:
            month = (hold.seller_id, hold.invoice_month)
            return min(max(self._supplied[month], 0), self._missing[month])
        if hold.order_line_id is None:
            return hold.amount
        left = max(self._left[hold.order_line_id], 0)
        return left if hold.amount is None else min(left, hold.amount)

    def _read_supplies(self, months: Collection[Month]) -> None:
        if not months:
            return
        rows = purchases.supplied(months)
        balances = purchases.balances(months, rows)
        self._missing = {month: balance.missing for month, balance in balances.items()}
        for row in rows:
            if row.is_closed:
                self._supplied[row.month] += row.gross
            else:
                self._open_supplies[row.statement_id].append(row)

    def _note(self, hold: Hold, statement: Statement, **amounts: int) -> None:
        self._changed[hold.pk] = hold
        self._movements.append(HoldMovement(hold=hold, statement=statement, **amounts))


def _nets(lines: Collection[int]) -> list[tuple[int, int, bool, int]]:
    """What each of some order lines comes to on each statement that it stands on."""
    if not lines:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_NETS, {"marketplace": tenancy.current_id(), "lines": list(lines)})
        return cursor.fetchall()
