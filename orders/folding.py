"""What the events of an order make of its lines: statuses, units left, dates, sales, reversals.

Values in, values out. Every effect only ever goes forward (a date is set once, units only
decrease, a status only advances), so any order of arrival, in any batches, ends in the same
state. That is also why a cancellation for more units than remain takes what remains: refusing
it instead would let the first to arrive win. It is reported, so that a person looks at it.

A line of shipping follows the goods it was charged for: sold with the first of them that is
confirmed, cancelled with the last of them when none was. Afterwards it is given back only by an
event that names the line itself; and so is return shipping, which comes of a claim, sold.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from orders import return_shipping

PAID: Final = "paid"
ACKNOWLEDGED: Final = "acknowledged"
SHIPPED: Final = "shipped"
DELIVERED: Final = "delivered"
CONFIRMED: Final = "confirmed"
CANCELLED: Final = "cancelled"
RETURNED: Final = "returned"  # a completed claim; senders of events cannot say this
PENDING: Final = "pending_payment"
PREPARING: Final = "preparing"

SHIPPING: Final = "shipping"
NOT_GOODS: Final = (SHIPPING, return_shipping.STREAM)

# Events of the same instant are taken as they would have happened.
KINDS: Final = (PAID, ACKNOWLEDGED, SHIPPED, DELIVERED, CONFIRMED, CANCELLED, RETURNED)
_RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}
_PROGRESS: Final = {
    status: rank
    for rank, status in enumerate((PENDING, PAID, PREPARING, SHIPPED, DELIVERED, CONFIRMED))
}
_DATE_OF: Final = {
    PAID: "paid_on",
    SHIPPED: "shipped_on",
    DELIVERED: "delivered_on",
    CONFIRMED: "confirmed_on",
}
_STATUS_OF: Final = {
    PAID: PAID,
    ACKNOWLEDGED: PREPARING,
    SHIPPED: SHIPPED,
    DELIVERED: DELIVERED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; without a line number it concerns all lines (of `seller`)."""

    kind: str
    at: datetime
    on: date  # its business date
    source: str = ""
    source_id: str = ""
    line: int | None = None
    seller: int | None = None
    quantity: int | None = None  # None: all that is left
    by_seller: bool = False
    cause: str = ""  # what outcomes name as their reason; the kind of event if empty

    @property
    def sort_key(self) -> tuple[datetime, int, str, str]:
        return (self.at, _RANK[self.kind], self.source, self.source_id)


@dataclass(slots=True)
class Line:
    """The state of a line. `fold` changes it in place."""

    id: int
    number: int
    seller: int
    stream: str
    group: str
    quantity: int
    units_left: int
    status: str = PENDING
    paid_on: date | None = None
    shipped_on: date | None = None
    delivered_on: date | None = None
    confirm_due_on: date | None = None
    confirmed_on: date | None = None
    cancelled_on: date | None = None
    cancelled_by_seller: bool = False


@dataclass(frozen=True, slots=True)
class Sale:
    """A line became final with so many units."""

    line: Line
    quantity: int
    rate_on: date
    basis_on: date
    cause: str

    @property
    def line_id(self) -> int:
        return self.line.id


@dataclass(frozen=True, slots=True)
class Reversal:
    """Fewer units of a sold line remain, by what happened on a day."""

    line: Line
    quantity: int  # what remains
    on: date
    cause: str

    @property
    def line_id(self) -> int:
        return self.line.id


@dataclass(frozen=True, slots=True)
class Excess:
    """An event asked for more units of a line than there were left, or than were ever sold."""

    event: Event
    line: Line
    asked: int
    remaining: int


@dataclass(slots=True)
class Folded:
    """What came of it beside the lines themselves, in the order in which it happened."""

    sales: list[Sale]
    reversals: list[Reversal]
    excesses: list[Excess]


def fold(
    lines: Sequence[Line],
    events: Iterable[Event],
    due_on: Callable[[date], date | None] = lambda delivered_on: None,
) -> Folded:
    """Let events act on the lines of one order, in the order in which they happened.

    `due_on` tells when a line delivered on a day counts as confirmed by itself.
    """
    order = _Order(lines, due_on)
    for event in sorted(events, key=lambda event: event.sort_key):
        order.take(event)
    return order.folded


class _Order:
    """The lines of an order while events act on them."""

    def __init__(self, lines: Sequence[Line], due_on: Callable[[date], date | None]) -> None:
        self.lines = lines
        self.due_on = due_on
        self.folded = Folded([], [], [])
        self.shipping: dict[tuple[int, str], tuple[Line, list[Line]]] = {}
        for line in lines:
            if line.stream == SHIPPING:
                key = (line.seller, line.group)
                goods = [
                    other
                    for other in lines
                    if other.stream not in NOT_GOODS and (other.seller, other.group) == key
                ]
                if goods:
                    self.shipping[key] = (line, goods)

    def take(self, event: Event) -> None:
        for line in self.lines:
            if event.line is not None:
                if event.line != line.number:
                    continue
            elif line.stream == return_shipping.STREAM or (
                event.seller is not None and event.seller != line.seller
            ):
                continue
            self._take(event, line)

    def _take(self, event: Event, line: Line) -> None:
        follows = self._follows(line)
        if event.kind in (CANCELLED, RETURNED):
            if not follows or event.line is not None:
                self._take_back(event, line)
                self._end_shipping(event, line)
        elif event.kind == PAID or not follows:
            self._advance(event, line)

    def _follows(self, line: Line) -> bool:
        """Whether this is shipping that follows goods."""
        if line.stream != SHIPPING:
            return False
        found = self.shipping.get((line.seller, line.group))
        return found is not None and found[0] is line

    def _advance(self, event: Event, line: Line) -> None:
        """Set the date of an event, once, and the status, forward only."""
        field = _DATE_OF.get(event.kind)
        if field and getattr(line, field) is None:
            setattr(line, field, event.on)
            if event.kind == DELIVERED:
                line.confirm_due_on = self.due_on(event.on)
        status = _STATUS_OF.get(event.kind, PENDING)
        if line.units_left and _PROGRESS[status] > _PROGRESS[line.status]:
            line.status = status
        self._confirm(line, event.cause or event.kind)

    def _confirm(self, line: Line, cause: str) -> None:
        """Sell what is left, once the line is known to be both paid and confirmed."""
        if not (line.units_left and line.paid_on and line.confirmed_on):
            return
        if line.status == CONFIRMED:
            return
        line.status = CONFIRMED
        self._sell(line, cause)
        found = self.shipping.get((line.seller, line.group))
        if found and found[0] is not line:
            self._sell_shipping(found[0], line.paid_on, line.confirmed_on, cause)

    def _sell(self, line: Line, cause: str) -> None:
        assert line.paid_on is not None  # noqa: S101
        assert line.confirmed_on is not None  # noqa: S101
        sale = Sale(line, line.units_left, line.paid_on, line.confirmed_on, cause)
        self.folded.sales.append(sale)

    def _sell_shipping(self, line: Line, paid_on: date, on: date, cause: str) -> None:
        if not line.units_left or line.status == CONFIRMED:
            return
        line.paid_on = line.paid_on or paid_on
        line.confirmed_on = line.confirmed_on or on
        line.status = CONFIRMED
        self._sell(line, cause)

    def _take_back(self, event: Event, line: Line) -> None:
        """Cancel or return units. What was sold before is reversed; what was not is no sale."""
        before = line.units_left
        asked = before if event.quantity is None else event.quantity
        if asked > before:
            self.folded.excesses.append(Excess(event, line, asked, before))
        if not before or asked > line.quantity:  # more than were ever sold is no evidence at all
            return
        line.units_left = max(before - asked, 0)
        if line.status == CONFIRMED and line.units_left < before:
            assert line.confirmed_on is not None  # noqa: S101
            # What happened before the sale was known is reversed on the day of the sale.
            on = max(event.on, line.confirmed_on)
            cause = event.cause or event.kind
            self.folded.reversals.append(Reversal(line, line.units_left, on, cause))
        if not line.units_left:
            self._end(line, event)

    def _end(self, line: Line, event: Event) -> None:
        if event.kind == CANCELLED and line.status != CONFIRMED:
            line.cancelled_on = event.on
            line.cancelled_by_seller = event.by_seller
        line.status = event.kind

    def _end_shipping(self, event: Event, line: Line) -> None:
        """Close the shipping of goods of which nothing is left and none was ever confirmed."""
        if line.units_left or line.stream in NOT_GOODS:
            return
        found = self.shipping.get((line.seller, line.group))
        if found is None:
            return
        shipping, goods = found
        if not shipping.units_left or shipping.status == CONFIRMED:
            return
        if any(other.units_left for other in goods):
            return
        paid_on = shipping.paid_on or line.paid_on
        if paid_on and any(other.status == RETURNED for other in goods):
            # It was delivered, and is given back only by an explicit refund.
            self._sell_shipping(shipping, paid_on, event.on, event.cause or event.kind)
        else:
            shipping.units_left = 0
            self._end(shipping, replace(event, kind=CANCELLED))
