"""The line holds of some sellers while their statements close, one after the other.

What is left of an order line, what the units of a claim are worth, or what was supplied in a month
counts once the statement that it stands on closes, not before: what falls due next week takes
nothing from what is due today.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db import connection

from marketplace import tenancy
from settlements import holds, purchases
from settlements.disputed import NOTHING, Disputed, DisputedLines
from settlements.holds import Asking, Plan
from settlements.models import Hold, HoldMovement, Statement
from settlements.purchases import Month, Supplied

# By the dates of their outcomes, so that only the months are searched which hold these lines.
_NETS = """
SELECT o.line_id, s.id, s.state <> 'open', sum(l.net)::bigint, array_agg(o.sequence)
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
    """Line holds in force, and those with something to give back; locked while the book is open.

    A book that only looks (`is_locking` false) locks nothing, and is not saved.
    """

    def __init__(self, sellers: Collection[int], *, is_locking: bool = True):
        self._by_seller: defaultdict[int, list[Hold]] = defaultdict(list)
        rows = Hold.objects.at_work().filter(seller_id__in=sellers).order_by("pk")
        for hold in rows.select_for_update(no_key=True) if is_locking else rows:
            self._by_seller[hold.seller_id].append(hold)
        self._movements: list[HoldMovement] = []
        self._changed: dict[int, Hold] = {}
        self._closing: defaultdict[int, dict[int, tuple[int, list[int]]]] = defaultdict(dict)
        self._left: defaultdict[int, int] = defaultdict(int)
        self._disputed = DisputedLines(self._holds())
        lines = {hold.order_line_id for hold in self._holds() if hold.order_line_id}
        for line_id, statement_id, is_closed, net, sequences in _nets(lines):
            if is_closed:
                self._count(line_id, net, sequences)
            else:
                self._closing[statement_id][line_id] = net, sequences
        self._open_supplies: defaultdict[int, list[Supplied]] = defaultdict(list)
        self._supplied: defaultdict[Month, int] = defaultdict(int)
        self._missing: dict[Month, int] = {}
        self._read_supplies(
            {(hold.seller_id, hold.invoice_month) for hold in self._holds() if hold.invoice_month}
        )

    def plan(self, statement: Statement) -> Plan:
        """What holds ask of a statement; its own lines count from here on."""
        for line_id, (net, sequences) in self._closing.pop(statement.pk, {}).items():
            self._count(line_id, net, sequences)
        for row in self._open_supplies.pop(statement.pk, ()):
            self._supplied[row.month] += row.gross
        return self._plan(self._by_seller[statement.seller_id])

    def expect(self, line_id: int, net: int) -> None:
        """Count an order line that is not settled yet, in a book that only looks ahead."""
        self._left[line_id] += net

    def settle(self, statement: Statement, plan: Plan, taken: int) -> None:
        """Note what a statement gave back, and kept back of what was asked."""
        by_id = {hold.pk: hold for hold in self._by_seller[statement.seller_id]}
        for hold_id, amount in plan.released.items():
            by_id[hold_id].taken -= amount
            self._note(by_id[hold_id], statement, released=amount)
        for hold_id, amount in plan.filled(taken).items():
            by_id[hold_id].taken += amount
            self._note(by_id[hold_id], statement, taken=amount)

    def surpluses(self) -> set[int]:
        """The sellers of whom more is held than holds want by now."""
        return {
            seller_id for seller_id, held in self._by_seller.items() if self._plan(held).released
        }

    def hand_over(self) -> None:
        """Let holds in force keep what released ones have taken of their line, if they lack it."""
        by_line: defaultdict[int, list[Hold]] = defaultdict(list)
        for hold in self._holds():
            if hold.order_line_id:
                by_line[hold.order_line_id].append(hold)
        for same in by_line.values():
            staying = {hold.pk: hold for hold in same if hold.state == Hold.State.PLACED}
            for hold_id, lacking in self._plan(staying.values()).asked.items():
                self._hand_on(staying[hold_id], lacking, same)

    def save(self) -> None:
        Hold.objects.bulk_update(self._changed.values(), ["taken"], batch_size=2000)
        HoldMovement.objects.bulk_create(self._movements, batch_size=2000)

    def _holds(self) -> list[Hold]:
        return [hold for found in self._by_seller.values() for hold in found]

    def _count(self, line_id: int, net: int, sequences: Iterable[int]) -> None:
        self._left[line_id] += net
        self._disputed.count(line_id, sequences)

    def _plan(self, held: Iterable[Hold]) -> Plan:
        return holds.plan(self._asking(hold) for hold in held)

    def _hand_on(self, heir: Hold, lacking: int, same: Iterable[Hold]) -> None:
        for hold in same:
            if hold.state == Hold.State.RELEASED and (given := min(hold.taken, lacking)):
                hold.taken -= given
                heir.taken += given
                lacking -= given
                self._changed |= {hold.pk: hold, heir.pk: heir}

    def _asking(self, hold: Hold) -> Asking:
        if hold.invoice_month:
            subject = f"supplies {hold.invoice_month}"
        else:
            subject = f"line {hold.order_line_id}" if hold.order_line_id else f"hold {hold.pk}"
        return Asking(
            hold_id=hold.pk,
            subject=subject,
            wanted=self._wanted(hold),
            taken=hold.taken,
            is_part=hold.claim_id is not None,
        )

    def _wanted(self, hold: Hold) -> int:
        if hold.state == Hold.State.RELEASED:
            return 0
        if hold.invoice_month:
            month = (hold.seller_id, hold.invoice_month)
            return min(max(self._supplied[month], 0), self._missing[month])
        if hold.order_line_id is None:
            return hold.amount
        if hold.claim_id is not None:
            return self._disputed.of_line(hold.order_line_id).get(hold.pk, NOTHING).worth
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


def disputed(held: Iterable[Hold]) -> dict[int, Disputed]:
    """What holds of claims keep of their lines, or will once the sale's statement closes, by id.

    Of other holds, of decided claims, and of lines that are not settled yet nothing is told.
    """
    lines = {hold.order_line_id for hold in held if hold.claim_id and hold.order_line_id}
    if not lines:
        return {}
    found = DisputedLines(Hold.objects.placed().filter(order_line__in=lines))
    for line_id, _statement_id, is_closed, _net, sequences in _nets(lines):
        if is_closed:
            found.count(line_id, sequences)
    told: dict[int, Disputed] = {}
    for line_id in lines:
        told |= found.coming(line_id)
    return told


def _nets(lines: Collection[int]) -> list[tuple[int, int, bool, int, list[int]]]:
    """What each of some order lines comes to on each statement that it stands on.

    With it, of which of the line's outcomes.
    """
    if not lines:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_NETS, {"marketplace": tenancy.current_id(), "lines": list(lines)})
        return cursor.fetchall()
