"""Accept what senders tell about orders: paid, shipped, delivered, confirmed, cancelled.

An event is kept once per sender's id, and acts on the lines it concerns in the same transaction.
One that comes before its order is kept too, and acts when the order is accepted. What an event
does to a line is decided in orders.folding.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from orders import applying, arrivals, bulk, folding, verdicts
from orders.models import OrderEvent, OrderLine
from orders.verdicts import Verdict

BATCH = 5_000

_COLUMNS = (
    "source",
    "source_id",
    "kind",
    "order_number",
    "line_number",
    "seller_code",
    "quantity",
    "by_seller",
    "occurred_at",
)
_KINDS = frozenset(OrderEvent.Kind.values)


class EventDiffers(Refused):
    code = "event_differs"
    message = gettext_noop("Event %(source_id)s was sent before and said something else.")


class UnknownKind(Refused):
    code = "unknown_kind"
    message = gettext_noop("“%(value)s” is no kind of event.")


class QuantityNotUsable(Refused):
    code = "quantity_not_usable"
    message = gettext_noop("Only the cancellation of one line may name a number of units.")


class UnknownLine(Refused):
    code = "unknown_line"
    message = gettext_noop("Order %(order)s has no such line: %(value)s.")


class OrderNotKnownYet(Refused):
    code = "order_not_known_yet"
    message = gettext_noop("Order %(order)s has not arrived yet; the event is kept for it.")


class MoreThanRemains(Refused):
    code = "more_than_remains"
    message = gettext_noop(
        "%(asked)s units of line %(line)s were to be cancelled, but only %(remaining)s remained."
    )


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as its sender tells it.

    Without a line it concerns all lines of the order, with a seller all lines of that seller.
    A cancellation without a quantity takes all that is left.
    """

    source: str
    source_id: str
    kind: str
    order_number: str
    occurred_at: datetime
    line_number: int | None = None
    seller_code: str | None = None
    quantity: int | None = None
    by_seller: bool = False


@transaction.atomic
def accept_many(events: Iterable[NewEvent], *, at: datetime) -> list[Verdict]:
    """Keep events and let them act; a verdict for each, in the order given.

    Sent again it is `repeated`, or refused as `event_differs` if it says something else. Accepted
    with a code: `order_not_known_yet`, and `more_than_remains` where it took what was left.
    A cancellation of more units than were ever sold is kept as evidence, and refused.
    """
    events = list(events)
    given: list[Verdict | None] = [_checked(event, at) for event in events]
    usable = [n for n, verdict in enumerate(given) if verdict is None]
    arrivals.bring_events(events[n].order_number for n in usable)
    for start in range(0, len(usable), BATCH):
        batch = usable[start : start + BATCH]
        for n, verdict in zip(batch, _accept([events[n] for n in batch], at), strict=True):
            given[n] = verdict
    return given


def kept_for(orders: dict[str, int]) -> dict[int, list[folding.Event]]:
    """The events that came before their orders, by the order's id. `orders`: number to id."""
    zone = _zone()
    found = defaultdict(list)
    rows = OrderEvent.objects.filter(order_number__in=list(orders)).values_list(*_COLUMNS)
    for row in rows:
        event = NewEvent(**dict(zip(_COLUMNS, row, strict=True)))
        found[orders[event.order_number]].append(_folding_event(event, zone))
    return found


def more_than_remains(excess: folding.Excess) -> MoreThanRemains:
    return MoreThanRemains(
        line=excess.line.number, asked=excess.asked, remaining=excess.remaining, field="quantity"
    )


def _accept(events: Sequence[NewEvent], at: datetime) -> list[Verdict]:
    """A batch of usable events."""
    orders = _orders(events)
    strays = {n: verdict for n, event in enumerate(events) if (verdict := _stray(event, orders))}
    first: dict[tuple[str, str], NewEvent] = {}
    for n, event in enumerate(events):
        if n not in strays:
            first.setdefault(_key(event), event)
    written = _insert(first.values(), at)
    told = _told_before(first.keys() - written)
    excesses = _act([first[key] for key in written], orders, at)
    found, fresh = [], set(written)
    for n, event in enumerate(events):
        key = _key(event)
        if n in strays:
            found.append(strays[n])
        elif key in fresh:
            fresh.remove(key)
            found.append(_verdict(event, orders, excesses.get(key)))
        elif _content(told.get(key) or first[key]) == _content(event):
            found.append(Verdict(event.order_number, verdicts.REPEATED))
        else:
            differs = EventDiffers(source_id=event.source_id, field="source_id")
            found.append(verdicts.refused(event.order_number, differs))
    return found


def _insert(events: Iterable[NewEvent], at: datetime) -> set[tuple[str, str]]:
    # Sorted, so that two senders of the same events wait for each other and never deadlock.
    rows = [(*_content(event), at) for event in sorted(events, key=_key)]
    columns = (*_COLUMNS, "received_at")
    return set(
        bulk.insert(OrderEvent, columns, rows, returning="source, source_id", or_ignore=True)
    )


def _act(events: Sequence[NewEvent], orders, at: datetime) -> dict[tuple, folding.Excess]:
    """Let new events act on the orders that are known; what asked for too much, by event."""
    zone = _zone()
    acting = defaultdict(list)
    for event in events:
        if known := orders.get(event.order_number):
            acting[known.id].append(_folding_event(event, zone))
    excesses = applying.apply(acting, by=None, at=at)
    return {
        (excess.event.source, excess.event.source_id): excess
        for of_order in excesses.values()
        for excess in of_order
    }


def _verdict(event: NewEvent, orders, excess: folding.Excess | None) -> Verdict:
    number = event.order_number
    if excess is not None:
        refusal = more_than_remains(excess)
        if excess.asked > excess.line.quantity:
            return verdicts.refused(number, refusal)
        return Verdict(number, verdicts.ACCEPTED, refusal, "quantity")
    if number not in orders:
        return Verdict(number, verdicts.ACCEPTED, OrderNotKnownYet(order=number), "order_number")
    return Verdict(number, verdicts.ACCEPTED)


@dataclass(slots=True)
class _Known:
    """What there is of an order: its id, the numbers of its lines, the codes of its sellers."""

    id: int
    lines: set[int]
    sellers: set[str]


def _orders(events: Iterable[NewEvent]) -> dict[str, _Known]:
    orders: dict[str, _Known] = {}
    rows = OrderLine.objects.filter(order__number__in={event.order_number for event in events})
    for order_id, number, line, seller in rows.values_list(
        "order_id", "order__number", "number", "seller__code"
    ):
        known = orders.setdefault(number, _Known(order_id, set(), set()))
        known.lines.add(line)
        known.sellers.add(seller)
    return orders


def _stray(event: NewEvent, orders: dict[str, _Known]) -> Verdict | None:
    """An accepted order never gets further lines, so an event for another one is a mistake."""
    known = orders.get(event.order_number)
    if known is None:
        return None
    for field, value, among in (
        ("line_number", event.line_number, known.lines),
        ("seller_code", event.seller_code or None, known.sellers),
    ):
        if value is not None and value not in among:
            refusal = UnknownLine(order=event.order_number, value=value, field=field)
            return verdicts.refused(event.order_number, refusal)
    return None


def _told_before(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], NewEvent]:
    keys = set(keys)
    if not keys:
        return {}
    rows = OrderEvent.objects.filter(
        source__in={source for source, _ in keys}, source_id__in={found for _, found in keys}
    )
    told = {}
    for row in rows.values_list(*_COLUMNS):
        event = NewEvent(**dict(zip(_COLUMNS, row, strict=True)))
        told[_key(event)] = event
    return told


def _checked(event: NewEvent, at: datetime) -> Verdict | None:
    """The verdict of an event that no state of the database could make usable."""
    try:
        verdicts.check_text("source", event.source, 40, needed=True)
        verdicts.check_text("source_id", event.source_id, 120, needed=True)
        verdicts.check_text("order_number", event.order_number, 100, needed=True)
        verdicts.check_text("seller_code", event.seller_code or "", 64)
        verdicts.check_moment("occurred_at", event.occurred_at, at)
        if event.kind not in _KINDS:
            raise UnknownKind(value=str(event.kind)[:40], field="kind")
        if event.line_number is not None:
            verdicts.check_between("line_number", event.line_number, 1, verdicts.LARGEST_NUMBER)
        if event.quantity is not None:
            if event.kind != OrderEvent.Kind.CANCELLED or event.line_number is None:
                raise QuantityNotUsable(field="quantity")
            verdicts.check_between("quantity", event.quantity, 1, verdicts.LARGEST_QUANTITY)
    except Refused as refusal:
        return verdicts.refused(event.order_number, refusal)
    return None


def _folding_event(event: NewEvent, zone) -> folding.Event:
    return folding.Event(
        kind=event.kind,
        at=event.occurred_at,
        on=verdicts.business_date(event.occurred_at, zone),
        source=event.source,
        source_id=event.source_id,
        line=event.line_number,
        seller=event.seller_code or "",
        quantity=event.quantity,
        by_seller=event.by_seller,
    )


def _content(event: NewEvent) -> tuple:
    return (
        event.source,
        event.source_id,
        event.kind,
        event.order_number,
        event.line_number,
        event.seller_code or "",
        event.quantity,
        bool(event.by_seller),
        event.occurred_at,
    )


def _key(event: NewEvent) -> tuple[str, str]:
    return (event.source, event.source_id)


def _zone():
    return Marketplace.objects.get(pk=tenancy.current_id()).tz
