"""What a seller does with a paid order: acknowledge it, and hand its goods to a carrier.

Both end as events of the order, on the same path as those that the shop sends. A line counts as
shipped with the parcel that holds the last of its units; until then it stays open, with what has
left already told beside it. Units that a buyer has asked to cancel are not shipped: the claim is
answered first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from marketplace import audit, changes
from marketplace.refusals import Refused, gettext_noop
from orders import applying, arrivals, carriers, events, verdicts
from orders.folding import NOT_GOODS
from orders.models import Claim, Order, OrderEvent, OrderLine, Shipment, ShipmentLine
from sellers.models import Seller

SOURCE = "seller_centre"
Status = OrderLine.Status
OPEN = (Status.PAID, Status.PREPARING)


class NothingToShip(Refused):
    code = "nothing_to_ship"
    message = gettext_noop("Nothing of order %(order)s waits to be shipped.")


class NotPaidYet(Refused):
    code = "not_paid_yet"
    message = gettext_noop("Order %(order)s is not paid yet. Ship it when it is.")


class CancelAsked(Refused):
    code = "cancel_asked"
    message = gettext_noop(
        "The buyer has asked to cancel line %(line)s of order %(order)s. Answer that claim first."
    )


class MoreThanToShip(Refused):
    code = "more_than_to_ship"
    message = gettext_noop(
        "Line %(line)s has %(left)s units to ship, and %(asked)s were entered. Enter at most that."
    )


class TrackingNumberUsed(Refused):
    code = "tracking_number_used"
    message = gettext_noop(
        "Another parcel of this order has the number %(value)s. Enter the number of this one."
    )


class AlreadyDelivered(Refused):
    code = "already_delivered"
    message = gettext_noop("The parcel has arrived; its tracking number stays as it is.")


@transaction.atomic
def acknowledge(orders: Iterable[Order], seller: Seller, *, by, at: datetime) -> int:
    """Tell that the seller has seen these orders and prepares them; returns how many were new.

    Orders that were acknowledged before, or are not paid, are left as they are.
    """
    orders = {order.pk: order for order in orders}
    arrivals.bring_events(order.number for order in orders.values())
    lines = [
        line
        for line in applying.lock(orders)
        if _is_goods_of(line, seller) and line.status == Status.PAID
    ]
    _tell(OrderEvent.Kind.ACKNOWLEDGED, [(orders[line.order_id], line) for line in lines], at)
    found = {line.order_id for line in lines}
    if found:
        data = {"seller": seller.pk, "count": len(found)}
        audit.record("order.acknowledged", by=by, at=at, obj=Order, data=data)
    return len(found)


@transaction.atomic
def ship(
    order: Order,
    seller: Seller,
    *,
    carrier: str,
    tracking_number: str,
    units: Mapping[int, int | None] | None = None,
    by,
    at: datetime,
) -> Shipment:
    """Record a parcel of a seller's goods. `units` by line number; None means all that is left.

    The same parcel told again is the parcel that is known. Raises what orders.carriers refuses,
    NothingToShip, NotPaidYet, CancelAsked, MoreThanToShip or TrackingNumberUsed.
    """
    by_carrier = carriers.find(carrier)
    number = carriers.tracking_number(by_carrier, tracking_number)
    arrivals.bring_events([order.number])
    lines = [line for line in applying.lock([order.pk]) if _is_goods_of(line, seller)]
    waiting = to_ship(lines)
    known = _known(order, seller, by_carrier.code, number)
    if known:
        if _is_told(known, lines, waiting, units):
            return known
        raise TrackingNumberUsed(value=number, field="tracking_number")
    packed = _packed(order, lines, waiting, units)
    shipment = Shipment.objects.create(
        order=order,
        seller=seller,
        carrier=by_carrier.code,
        tracking_number=number,
        shipped_at=at,
        shipped_by=by,
    )
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, line=line, quantity=quantity) for line, quantity in packed
    )
    data = {"order": order.pk, "units": sum(quantity for _, quantity in packed)}
    audit.record("shipment.recorded", by=by, at=at, obj=shipment, data=data)
    changes.announce("shipment.recorded", shipment.public_id, at=at, seller_id=seller.pk)
    complete(order, lines, at=at)
    return shipment


@transaction.atomic
def correct(shipment: Shipment, *, carrier: str, tracking_number: str, by, at: datetime):
    """Mend the number of a parcel that is still on its way. Raises AlreadyDelivered."""
    by_carrier = carriers.find(carrier)
    number = carriers.tracking_number(by_carrier, tracking_number)
    lines = list(applying.lock([shipment.order_id]))
    shipment = Shipment.objects.select_for_update(no_key=True).get(pk=shipment.pk)
    inside = set(shipment.lines.values_list("line_id", flat=True))
    if not any(line.pk in inside and line.status in (*OPEN, Status.SHIPPED) for line in lines):
        raise AlreadyDelivered()
    known = _known(shipment.order, shipment.seller, by_carrier.code, number)
    if known and known.pk != shipment.pk:
        raise TrackingNumberUsed(value=number, field="tracking_number")
    if (shipment.carrier, shipment.tracking_number) == (by_carrier.code, number):
        return shipment
    data = {"from": [shipment.carrier, shipment.tracking_number], "to": [by_carrier.code, number]}
    shipment.carrier, shipment.tracking_number = by_carrier.code, number
    shipment.save(update_fields=["carrier", "tracking_number"])
    audit.record("shipment.corrected", by=by, at=at, obj=shipment, data=data)
    seller_id = shipment.seller_id
    changes.announce("shipment.corrected", shipment.public_id, at=at, seller_id=seller_id)
    return shipment


def complete(order: Order, lines: Sequence[OrderLine], *, at: datetime) -> None:
    """Tell that those lines are shipped of which parcels hold all that is left."""
    sent = sent_units(line.pk for line in lines)
    done = [
        (order, line)
        for line in lines
        if line.status in OPEN and sent[line.pk] and sent[line.pk] >= line.units_left
    ]
    _tell(OrderEvent.Kind.SHIPPED, done, at)


def to_ship(lines: Iterable[OrderLine]) -> dict[int, int]:
    """How many units of paid goods still have to leave, by line id; lines without any left out.

    Units that a buyer has asked to cancel are not among them.
    """
    lines = list(lines)
    sent = sent_units(line.pk for line in lines)
    asked = _cancelling(line.pk for line in lines)
    found = {line.pk: left(line, sent[line.pk], asked[line.pk]) for line in lines}
    return {key: units for key, units in found.items() if units}


def left(line: OrderLine, sent: int, cancelling: int) -> int:
    """How many units of a line still have to leave, beside those sent or asked to be cancelled."""
    if line.status not in OPEN or line.stream in NOT_GOODS:
        return 0
    return max(line.units_left - sent - cancelling, 0)


def sent_units(line_ids: Iterable[int]) -> Counter:
    """How many units of each line are in parcels."""
    rows = ShipmentLine.objects.filter(line_id__in=list(line_ids)).values_list("line_id")
    return Counter(dict(rows.annotate(units=Sum("quantity"))))


def _packed(
    order: Order, lines: Sequence[OrderLine], waiting: Mapping[int, int], units
) -> list[tuple[OrderLine, int]]:
    """The lines of a parcel with how many units of each are in it."""
    if units is None:
        packed = [(line, waiting[line.pk]) for line in lines if line.pk in waiting]
        if not packed:
            raise _why_nothing(order, lines)
        return packed
    by_number = {line.number: line for line in lines}
    packed = []
    for number, asked in units.items():
        if number not in by_number:
            raise events.UnknownLine(order=order.number, value=number, field="units")
        line = by_number[number]
        left = waiting.get(line.pk, 0)
        if not left:
            raise _why_nothing(order, [line])
        asked = left if asked is None else asked
        verdicts.check_between("units", asked, 1, verdicts.LARGEST_QUANTITY)
        if asked > left:
            raise MoreThanToShip(line=number, left=left, asked=asked, field="units")
        packed.append((line, asked))
    if not packed:
        raise NothingToShip(order=order.number, field="units")
    return packed


def _why_nothing(order: Order, lines: Sequence[OrderLine]) -> Refused:
    asked = _cancelling(line.pk for line in lines)
    for line in lines:
        if line.status == Status.PENDING_PAYMENT:
            return NotPaidYet(order=order.number, field="order_number")
        if line.status in OPEN and asked[line.pk]:
            return CancelAsked(order=order.number, line=line.number, field="order_number")
    return NothingToShip(order=order.number, field="order_number")


def _cancelling(line_ids: Iterable[int]) -> Counter:
    """How many units of each line an open claim wants cancelled."""
    rows = Claim.objects.filter(
        line_id__in=list(line_ids), type=Claim.Type.CANCEL, state__in=Claim.OPEN_STATES
    )
    return Counter(dict(rows.values_list("line_id").annotate(units=Sum("quantity"))))


def _known(order: Order, seller: Seller, carrier: str, number: str) -> Shipment | None:
    if not number:
        return None
    parcels = Shipment.objects.filter(order=order, seller=seller)
    return parcels.filter(carrier=carrier, tracking_number=number).first()


def _is_told(
    known: Shipment, lines: Iterable[OrderLine], waiting: Mapping[int, int], units
) -> bool:
    """Whether a parcel that is known holds what is told of it now."""
    if units is None:
        return not waiting
    inside = dict(known.lines.values_list("line__number", "quantity"))
    if None not in units.values():
        return units == inside
    left = {line.number for line in lines if line.pk in waiting}
    return units.keys() <= inside.keys() - left


def _is_goods_of(line: OrderLine, seller: Seller) -> bool:
    return line.seller_id == seller.pk and line.stream not in NOT_GOODS


def _tell(kind: str, told: Iterable[tuple[Order, OrderLine]], at: datetime) -> None:
    """Send an event for each line; a line is told of each thing once."""
    given = events.accept_many(
        (
            events.NewEvent(
                source=SOURCE,
                source_id=f"{kind}/{order.public_id}/{line.number}",
                kind=kind,
                order_number=order.number,
                occurred_at=at,
                line_number=line.number,
            )
            for order, line in told
        ),
        at=at,
    )
    for verdict in given:
        if verdict.is_refused and verdict.refusal:
            raise verdict.refusal
