"""Accept what senders tell about orders: paid, shipped, delivered, confirmed, cancelled.

An event is kept once per sender's id, and acts on the lines it concerns in the same transaction.
One that comes before its order is kept too, and acts when the order is accepted. What an event
does to a line is decided in orders.folding.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from marketplace import changes, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import applying, arrivals, bulk, folding, verdicts
from orders.models import Order, OrderEvent
from orders.verdicts import Verdict
from sellers.models import Seller

BATCH = 5_000

_COLUMNS = (  # the fields of NewEvent, in its order
    "source",
    "source_id",
    "kind",
    "order_number",
    "occurred_at",
    "line_number",
    "seller_code",
    "quantity",
    "by_seller",
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


@transaction.atomic(savepoint=False)
def accept_many(events: Iterable[NewEvent], *, at: datetime, is_news: bool = True) -> list[Verdict]:
    """Keep events and let them act; a verdict for each, in the order given.

    Sent again it is `repeated`, or refused as `event_differs` if it says something else. Accepted
    with a code: `order_not_known_yet`, and `more_than_remains` where it took what was left.
    A cancellation of more units than were ever sold is kept as evidence, and refused. The change
    feed is told of lines that changed where that is news, not history.
    """
    events = list(events)
    given = [_checked(event, at) for event in events]
    usable = [n for n, verdict in enumerate(given) if verdict is None]
    numbers = {events[n].order_number for n in usable}
    arrivals.bring_events(numbers)
    rows = Order.objects.filter(bulk.among("number", numbers)).values_list("number", "pk")
    orders = dict(rows)
    # The events of an order act together, and orders are locked in the order of their ids.
    usable.sort(key=lambda n: orders.get(events[n].order_number, 0))
    for start in range(0, len(usable), BATCH):
        batch = usable[start : start + BATCH]
        found = _accept([events[n] for n in batch], orders, at, is_news)
        for n, verdict in zip(batch, found, strict=True):
            given[n] = verdict
    return given


def kept_for(orders: dict[str, int]) -> dict[int, list[folding.Event]]:
    """The events that came before their orders, by the order's id. `orders`: number to id."""
    rows = OrderEvent.objects.filter(bulk.among("order_number", orders)).values_list(*_COLUMNS)
    events = [NewEvent(*row) for row in rows]
    return _by_order(events, orders)


def more_than_remains(excess: folding.Excess) -> MoreThanRemains:
    return MoreThanRemains(
        line=excess.line.number, asked=excess.asked, remaining=excess.remaining, field="quantity"
    )


def _accept(
    events: Sequence[NewEvent], orders: Mapping[str, int], at: datetime, is_news: bool
) -> list[Verdict]:
    """A batch of usable events; `orders` are those that are known, number to id."""
    held = applying.Held({orders[e.order_number] for e in events if e.order_number in orders})
    sellers = _sellers(events)
    first: dict[tuple[str, str], NewEvent] = {}
    strays = {}
    for n, event in enumerate(events):
        lines = held.lines.get(orders.get(event.order_number))
        stray = _stray(event, lines, sellers) if lines else None
        if stray is None:
            first.setdefault(_key(event), event)
        else:
            strays[n] = stray
    fresh = _insert(first.values(), at)
    told = _told_before(first.keys() - fresh)
    acting = _by_order([first[key] for key in fresh], orders)
    excesses = {
        (excess.event.source, excess.event.source_id): excess
        for found in held.apply(acting, by=None, at=at).values()
        for excess in found
    }
    if is_news:
        _announce(held, at)
    given = []
    for n, event in enumerate(events):
        key = _key(event)
        if n in strays:
            given.append(strays[n])
        elif key in fresh:
            fresh.remove(key)  # the next one like it is a repetition
            given.append(_verdict(event, orders, excesses.get(key)))
        else:
            given.append(_compared(event, told.get(key) or first[key]))
    return given


def _announce(held: applying.Held, at: datetime) -> None:
    """Tell each seller of an order which of his lines changed; how, the order itself says."""
    orders = Order.objects.filter(bulk.among("id", {order_id for order_id, _ in held.changed}))
    ids = dict(orders.values_list("pk", "public_id"))
    rows = [
        (ids[order_id], seller_id, {"lines": sorted(lines)})
        for (order_id, seller_id), lines in held.changed.items()
    ]
    changes.announce_many("order.lines_changed", rows, at=at)


def _insert(events: Iterable[NewEvent], at: datetime) -> set[tuple[str, str]]:
    # Sorted, so that two senders of the same events wait for each other and never deadlock.
    rows = [(*_content(event), at) for event in sorted(events, key=_key)]
    columns = (*_COLUMNS, "received_at")
    return set(
        bulk.insert(OrderEvent, columns, rows, returning="source, source_id", or_ignore=True)
    )


def _by_order(
    events: Sequence[NewEvent], orders: Mapping[str, int]
) -> dict[int, list[folding.Event]]:
    """As the fold takes them: with business dates and sellers' ids. Unknown orders are left out."""
    sellers, zone = _sellers(events), _zone()
    found = defaultdict(list)
    for event in events:
        if event.order_number in orders:
            found[orders[event.order_number]].append(_folding_event(event, sellers, zone))
    return found


def _sellers(events: Iterable[NewEvent]) -> dict[str, int]:
    codes = {event.seller_code for event in events if event.seller_code}
    if not codes:
        return {}
    return dict(Seller.objects.filter(bulk.among("code", codes)).values_list("code", "pk"))


def _verdict(event: NewEvent, orders: Mapping[str, int], excess: folding.Excess | None) -> Verdict:
    number = event.order_number
    if excess is not None:
        refusal = more_than_remains(excess)
        if excess.asked > excess.line.quantity:
            return verdicts.refused(number, refusal)
        return Verdict(number, verdicts.ACCEPTED, refusal, "quantity")
    if number not in orders:
        return Verdict(number, verdicts.ACCEPTED, OrderNotKnownYet(order=number), "order_number")
    return Verdict(number, verdicts.ACCEPTED)


def _compared(event: NewEvent, before: NewEvent) -> Verdict:
    if _content(event) == _content(before):
        return Verdict(event.order_number, verdicts.REPEATED)
    differs = EventDiffers(source_id=event.source_id, field="source_id")
    return verdicts.refused(event.order_number, differs)


def _stray(
    event: NewEvent, lines: Sequence[folding.Line], sellers: Mapping[str, int]
) -> Verdict | None:
    """An accepted order never gets further lines, so an event for another one is a mistake."""
    field, value = "", None
    if event.line_number is not None:
        if event.line_number not in {line.number for line in lines}:
            field, value = "line_number", event.line_number
    elif event.seller_code and sellers.get(event.seller_code) not in {
        line.seller for line in lines
    }:
        field, value = "seller_code", event.seller_code
    if not field:
        return None
    refusal = UnknownLine(order=event.order_number, value=value, field=field)
    return verdicts.refused(event.order_number, refusal)


def _told_before(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], NewEvent]:
    keys = set(keys)
    if not keys:
        return {}
    rows = OrderEvent.objects.filter(
        bulk.among("source", {source for source, _ in keys}),
        bulk.among("source_id", {source_id for _, source_id in keys}),
    )
    events = [NewEvent(*row) for row in rows.values_list(*_COLUMNS)]
    return {_key(event): event for event in events}


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


def _folding_event(event: NewEvent, sellers: Mapping[str, int], zone) -> folding.Event:
    return folding.Event(
        kind=event.kind,
        at=event.occurred_at,
        on=verdicts.business_date(event.occurred_at, zone),
        source=event.source,
        source_id=event.source_id,
        line=event.line_number,
        # A code that nobody has concerns no line.
        seller=sellers.get(event.seller_code, -1) if event.seller_code else None,
        quantity=event.quantity,
        by_seller=event.by_seller,
    )


def _content(event: NewEvent) -> tuple:
    return (
        event.source,
        event.source_id,
        event.kind,
        event.order_number,
        event.occurred_at,
        event.line_number,
        event.seller_code or "",
        event.quantity,
        bool(event.by_seller),
    )


def _key(event: NewEvent) -> tuple[str, str]:
    return (event.source, event.source_id)


def _zone():
    return tenancy.current().tz
