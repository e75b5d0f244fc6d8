"""Let events act on stored lines: lock, fold, write, all orders of a batch at once.

The number of statements depends on the number of batches, never on that of orders or lines.
Accepting orders and events, confirming, and completing claims all end here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from operator import attrgetter

from marketplace import states
from orders import bulk, confirmation_days, folding, outcomes
from orders.models import OrderLine, PerformanceTouch

BATCH = 2_000  # orders
FEW = 8  # updates

# Columns and what folding.Line calls them, in its order.
_STATE = {
    "id": "id",
    "number": "number",
    "seller_id": "seller",
    "stream": "stream",
    "delivery_group": "group",
    "quantity": "quantity",
    "units_left": "units_left",
    "status": "status",
    "paid_on": "paid_on",
    "shipped_on": "shipped_on",
    "delivered_on": "delivered_on",
    "confirm_due_on": "confirm_due_on",
    "confirmed_on": "confirmed_on",
    "cancelled_on": "cancelled_on",
    "cancelled_by_seller": "cancelled_by_seller",
}
_state_of = attrgetter(*_STATE.values())
_STATUS = list(_STATE).index("status")
_DELIVERED = list(_STATE).index("delivered_on")
_FACTS = [at for at, name in enumerate(_STATE) if at >= 6 and name != "status"]
_NAMES = tuple(_STATE)


def apply(
    events: Mapping[int, Collection[folding.Event]], *, by, at, reason=""
) -> dict[int, list[folding.Excess]]:
    """Let events act on their orders, given by the order's id. The caller holds a transaction.

    Returns, by order, the events that asked for more units than there were.
    """
    excesses = {}
    keys = sorted(events)
    for start in range(0, len(keys), BATCH):
        held = Held(keys[start : start + BATCH])
        excesses |= held.apply(events, by=by, at=at, reason=reason)
    return excesses


def lock(orders: Iterable[int]):
    """The lines of some orders, locked when read. Whoever changes a line locks all of its order.

    By order, then by line. Whoever locks several batches goes through the orders in the same way,
    so that two of them wait for each other and never deadlock.
    """
    lines = OrderLine.objects.filter(bulk.among("order_id", orders))
    return lines.order_by("order_id", "pk").select_for_update(no_key=True)


def lock_line(line: OrderLine) -> OrderLine:
    """One line as it is now, locked with its order. Raises DoesNotExist for a stranger's."""
    for found in lock([line.order_id]):
        if found.pk == line.pk:
            return found
    raise OrderLine.DoesNotExist


class Held:
    """The lines of some orders, locked by this transaction and read as they are now."""

    def __init__(self, orders: Iterable[int]) -> None:
        self.lines: dict[int, list[folding.Line]] = defaultdict(list)
        # What apply() has changed: line numbers, by order and seller.
        self.changed: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._before: dict[int, tuple] = {}
        for order_id, *state in lock(orders).values_list("order_id", *_STATE):
            self.lines[order_id].append(folding.Line(*state))
            self._before[state[0]] = tuple(state)

    def apply(
        self, events: Mapping[int, Collection[folding.Event]], *, by, at, reason=""
    ) -> dict[int, list[folding.Excess]]:
        """Let events act on these orders, once; as the function of this name."""
        days = confirmation_days.DueDays()
        sales, reversals, changed, excesses = [], [], [], {}
        for order_id, lines in self.lines.items():
            if order_id not in events:
                continue
            result = folding.fold(lines, events[order_id], days.due_on)
            sales += result.sales
            reversals += result.reversals
            if result.excesses:
                excesses[order_id] = result.excesses
        self._let_claims_pause(days)
        for order_id, lines in self.lines.items():
            for line in lines:
                before, after = self._before[line.id], _state_of(line)
                if before != after:
                    changed.append((before, after))
                    self.changed[order_id, line.seller].append(line.number)
        _save(changed, by, at, reason)
        outcomes.record(sales, reversals)
        touch(_touched(changed, sales, reversals))
        return excesses

    def _let_claims_pause(self, days: confirmation_days.DueDays) -> None:
        """Count the claims that were closed before delivery was told, in lines now delivered."""
        lines = [line for of_order in self.lines.values() for line in of_order]
        delivered_on = {
            line.id: line.delivered_on
            for line in lines
            if line.delivered_on and self._before[line.id][_DELIVERED] is None
        }
        if not delivered_on:
            return
        due = days.of_lines(delivered_on)
        for line in lines:
            if line.id in due:
                line.confirm_due_on = due[line.id]


def touch(days: Iterable[tuple[int, date]]) -> None:
    """Note days of sellers whose figures are to be computed again."""
    bulk.insert(PerformanceTouch, ("seller_id", "on"), sorted(set(days)))


def _save(changed: Iterable[tuple[tuple, tuple]], by, at, reason) -> None:
    """Write the lines that changed, and move those whose status did.

    Lines that change alike, as a night's confirmations do, are written and moved by one update.
    """
    alike = defaultdict(list)
    for before, after in changed:
        facts = tuple((at, after[at]) for at in _FACTS if after[at] != before[at])
        status = after[_STATUS] if after[_STATUS] != before[_STATUS] else None
        alike[status, facts].append(after)
    if len(alike) <= FEW and all(status for status, _ in alike):
        for (status, facts), lines in alike.items():
            _move(lines, status, {_NAMES[at]: value for at, value in facts}, by, at, reason)
        return
    rows = [
        (line[0], *(line[at] for at in _FACTS))
        for (_, facts), lines in alike.items()
        if facts
        for line in lines
    ]
    bulk.update(OrderLine, [_NAMES[at] for at in _FACTS], rows)
    moved = defaultdict(list)
    for (status, _), lines in alike.items():
        if status:
            moved[status] += lines
    for status, lines in moved.items():
        _move(lines, status, {}, by, at, reason)


def _move(lines: Iterable[tuple], status: str, changes: dict, by, at, reason) -> None:
    ids = [line[0] for line in lines]
    states.move_many(
        OrderLine.objects.filter(bulk.among("id", ids)),
        OrderLine.Status(status),
        by=by,
        at=at,
        reason=reason,
        changes=changes,
    )


def _touched(changed, sales, reversals):
    """The sellers' days whose figures these changes are part of."""
    for before, after in changed:
        for name in ("paid_on", "shipped_on", "cancelled_on"):
            at = _NAMES.index(name)
            if after[at] != before[at]:
                yield after[2], after[at]
    for sale in sales:
        yield sale.line.seller, sale.basis_on
    for back in reversals:
        yield back.line.seller, back.on
