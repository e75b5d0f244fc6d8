"""Let events act on stored lines: lock, fold, write, all orders of a batch at once.

The number of statements depends on the number of batches, never on that of orders or lines.
Accepting orders and events, confirming, and completing claims all end here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from django.db import transaction

from marketplace import states
from orders import bulk, confirmation_days, folding, outcomes
from orders.models import OrderLine, PerformanceTouch

BATCH = 2_000  # orders

# As folding.Line has them, and in that order.
_STATE = (
    "id",
    "number",
    "seller__code",
    "stream",
    "delivery_group",
    "quantity",
    "units_left",
    "status",
    "paid_on",
    "shipped_on",
    "delivered_on",
    "confirm_due_on",
    "confirmed_on",
    "cancelled_on",
    "cancelled_by_seller",
)
_WRITTEN = (*_STATE[6:7], *_STATE[8:])  # all that changes but the status


@transaction.atomic
def apply(
    events: Mapping[int, Collection[folding.Event]], *, by, at, reason=""
) -> dict[int, list[folding.Excess]]:
    """Let events act on their orders, given by the order's id.

    Returns, by order, the events that asked for more units than there were.
    """
    excesses = {}
    keys = sorted(events)
    due_on = confirmation_days.DueDays().due_on
    for start in range(0, len(keys), BATCH):
        excesses |= _apply(keys[start : start + BATCH], events, due_on, by, at, reason)
    return excesses


def _apply(keys, events, due_on, by, at, reason) -> dict[int, list[folding.Excess]]:
    orders, sellers = _lock(keys)
    folded = folding.Folded([], [], [])
    excesses = {}
    changed = []
    for order_id, lines in orders.items():
        before = [line.copy() for line in lines]
        result = folding.fold(lines, events[order_id], due_on)
        folded.sales += result.sales
        folded.reversals += result.reversals
        if result.excesses:
            excesses[order_id] = result.excesses
        changed += [(old, new) for old, new in zip(before, lines, strict=True) if old != new]
    _save(changed, by, at, reason)
    outcomes.record(
        [
            outcomes.Sold(sale.line.id, sale.quantity, sale.rate_on, sale.basis_on, sale.cause)
            for sale in folded.sales
        ],
        [
            outcomes.TakenBack(back.line.id, back.quantity, back.on, back.cause)
            for back in folded.reversals
        ],
    )
    touch(_touched(changed, folded, sellers))
    return excesses


def _lock(keys: Sequence[int]) -> tuple[dict[int, list[folding.Line]], dict[int, int]]:
    """The lines of the orders, locked, by order; and each line's seller."""
    rows = lock(keys).values_list("order_id", "seller_id", *_STATE)
    orders, sellers = defaultdict(list), {}
    for order_id, seller_id, *state in rows:
        orders[order_id].append(folding.Line(*state))
        sellers[state[0]] = seller_id
    return orders, sellers


def lock(orders: Iterable[int]):
    """The lines of some orders, locked when read. Whoever changes a line locks all of its order.

    In the order of their ids, so that two of them wait for each other and never deadlock.
    """
    lines = OrderLine.objects.filter(order_id__in=list(orders)).order_by("pk")
    return lines.select_for_update(of=("self",), no_key=True)


def _save(changed: Iterable[tuple[folding.Line, folding.Line]], by, at, reason) -> None:
    """Write the lines that changed, and move those whose status did, one set for each status."""
    rows, moved = [], defaultdict(list)
    for old, new in changed:
        values = tuple(getattr(new, name) for name in _WRITTEN)
        if values != tuple(getattr(old, name) for name in _WRITTEN):
            rows.append((new.id, *values))
        if old.status != new.status:
            moved[new.status].append(new.id)
    bulk.update(OrderLine, _WRITTEN, rows)
    for status, ids in sorted(moved.items()):
        lines = OrderLine.objects.filter(pk__in=ids)
        states.move_many(lines, OrderLine.Status(status), by=by, at=at, reason=reason)


def _touched(changed, folded, sellers):
    """The seller's days whose figures these changes are part of."""
    for old, new in changed:
        for name in ("paid_on", "shipped_on", "cancelled_on"):
            on = getattr(new, name)
            if on is not None and on != getattr(old, name):
                yield sellers[new.id], on
    for sale in folded.sales:
        yield sellers[sale.line.id], sale.basis_on
    for back in folded.reversals:
        yield sellers[back.line.id], back.on


def touch(days: Iterable[tuple[int, date]]) -> None:
    """Note the days of sellers whose figures are to be computed again."""
    bulk.insert(PerformanceTouch, ("seller_id", "on"), sorted(set(days)))
