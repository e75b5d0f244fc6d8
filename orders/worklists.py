"""The orders and claims of one seller, page by page, and what each of them still asks for.

Only the seller's own lines and amounts are ever read: an order may hold those of others. What a
page costs depends on the page, never on how much has been sold before.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Final

from marketplace import paging
from marketplace.models import Marketplace
from orders import claim_deadlines, shipping, verdicts
from orders.confirmation_days import DueDays
from orders.folding import NOT_GOODS
from orders.models import Claim, Order, OrderLine, Shipment
from sellers.models import Seller

Status, State = OrderLine.Status, Claim.State

ALL: Final = "all"
TABS: Final = {  # of orders; each is one status, so that an index holds it newest first
    ALL: None,
    "new": Status.PAID,
    "to_ship": Status.PREPARING,
    "shipped": Status.SHIPPED,
    "delivered": Status.DELIVERED,
    "confirmed": Status.CONFIRMED,
    "cancelled": Status.CANCELLED,
    "returned": Status.RETURNED,
}
MOST_CLAIMS: Final = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for: a tab, days of payment (both included), or one order by its number."""

    tab: str = ALL
    paid_from: date | None = None
    paid_to: date | None = None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line with what is left to do about it. `ship_by` only while something is left to ship."""

    row: OrderLine
    to_ship: int
    sent: int
    ship_by: date | None
    is_late: bool
    claims: Sequence[Claim] = ()

    @property
    def sales(self) -> int:
        return self.row.list_amount - self.row.seller_discount

    @property
    def open_claim(self) -> Claim | None:
        return next((claim for claim in self.claims if claim.state in Claim.OPEN_STATES), None)

    @property
    def may_cancel(self) -> int:
        """How many units the seller may cancel: those still here that no claim keeps."""
        if self.row.status == Status.PENDING_PAYMENT:
            return self.row.units_left
        return self.to_ship


@dataclass(frozen=True)
class SellersOrder:
    """An order as one of its sellers sees it."""

    order: Order
    lines: Sequence[Line]
    shipping: Sequence[OrderLine]
    parcels: Sequence[Shipment] = ()

    @cached_property
    def sales(self) -> int:
        charged = sum(line.list_amount - line.seller_discount for line in self.shipping)
        return sum(line.sales for line in self.lines) + charged

    @cached_property
    def ship_by(self) -> date | None:
        return min((line.ship_by for line in self.lines if line.ship_by), default=None)

    @property
    def is_late(self) -> bool:
        return any(line.is_late for line in self.lines)

    @property
    def is_new(self) -> bool:
        return any(line.row.status == Status.PAID for line in self.lines)

    @property
    def to_ship(self) -> int:
        return sum(line.to_ship for line in self.lines)


def orders(seller: Seller, filters: Filters, parameters, *, at: datetime) -> paging.Page:
    """A page of the seller's orders, newest first, as SellersOrder."""
    lines = _lines_of(seller, filters)
    page = paging.page_of_keys(parameters, lines, "order_id")
    found = _assembled(seller, page.rows, at)
    return paging.Page(found, page.newer, page.older)


def order(seller: Seller, public_id: str, *, at: datetime) -> SellersOrder | None:
    """One order with its parcels and claims; None where nothing in it is the seller's."""
    keys = list(Order.objects.filter(public_id=public_id).values_list("pk", flat=True))
    found = _assembled(seller, keys, at)
    if not found:
        return None
    parcels = Shipment.objects.filter(order_id=keys[0], seller=seller).order_by("pk")
    parcels = list(parcels.prefetch_related("lines__line"))
    return SellersOrder(found[0].order, found[0].lines, found[0].shipping, parcels)


def to_ship(seller: Seller, most: int, *, at: datetime) -> list[SellersOrder]:
    """The seller's orders of which something waits to be shipped, the longest wait first."""
    keys = set()
    for status in shipping.OPEN:
        lines = _lines_of(seller, Filters()).filter(status=status).exclude(stream__in=NOT_GOODS)
        keys.update(lines.order_by("order_id").values_list("order_id", flat=True)[:most])
    found = _assembled(seller, sorted(keys)[:most], at)
    return [order for order in reversed(found) if order.to_ship]


def counts(seller: Seller) -> dict[str, int]:
    """How many lines wait in the tabs that ask for work, and claims for an answer; capped."""
    lines = OrderLine.objects.filter(seller=seller).exclude(stream__in=NOT_GOODS)
    waiting = {
        "new": lines.filter(status=Status.PAID),
        "to_ship": lines.filter(status=Status.PREPARING),
        "claims": Claim.objects.filter(seller=seller, state=State.REQUESTED),
    }
    return {
        name: len(paging.up_to_the_limit(rows.order_by().values_list("pk")))
        for name, rows in waiting.items()
    }


@dataclass(frozen=True, slots=True)
class SellersClaim:
    """A claim with the day until which its answer, or a replacement, is in time while it waits."""

    row: Claim
    answer_by: date | None
    resend_by: date | None
    is_late: bool


def claims_waiting(seller: Seller, *, at: datetime) -> list[SellersClaim]:
    """What the seller has to decide or to complete, unanswered ones first, longest wait first."""
    rows: list[Claim] = []
    for state in Claim.OPEN_STATES:
        waiting = _claims_of(seller).filter(state=state).order_by("requested_at", "pk")
        rows += waiting[:MOST_CLAIMS]
    return _with_days(seller, rows, at)


def claims(seller: Seller, parameters, *, at: datetime) -> paging.Page:
    """A page of all the seller's claims, newest first."""
    page = paging.page(parameters, _claims_of(seller))
    return paging.Page(_with_days(seller, page.rows, at), page.newer, page.older)


def claim(seller: Seller, public_id: str, *, at: datetime) -> SellersClaim | None:
    rows = _claims_of(seller).filter(public_id=public_id)
    return next(iter(_with_days(seller, rows, at)), None)


def _lines_of(seller: Seller, filters: Filters):
    lines = OrderLine.objects.filter(seller=seller)
    status = TABS[filters.tab]
    if status is not None:
        lines = lines.filter(status=status).exclude(stream__in=NOT_GOODS)
    if filters.paid_from:
        lines = lines.filter(paid_on__gte=filters.paid_from)
    if filters.paid_to:
        lines = lines.filter(paid_on__lte=filters.paid_to)
    if filters.number:
        # Two steps, each by its own unique index.
        keys = Order.objects.filter(number=filters.number).values_list("pk", flat=True)
        lines = lines.filter(order_id__in=list(keys))
    return lines


def _assembled(seller: Seller, keys: Sequence[int], at: datetime) -> list[SellersOrder]:
    """Orders by falling key, each with the seller's own lines."""
    rows = OrderLine.objects.filter(order_id__in=list(keys), seller=seller)
    rows = list(rows.select_related("order").order_by("-order_id", "number"))
    goods = [row for row in rows if row.stream not in NOT_GOODS]
    told = _told(seller, goods, at)
    by_order: dict[int, list[OrderLine]] = defaultdict(list)
    for row in rows:
        by_order[row.order_id].append(row)
    return [
        SellersOrder(
            order=lines[0].order,
            lines=[told[row.pk] for row in lines if row.stream not in NOT_GOODS],
            shipping=[row for row in lines if row.stream in NOT_GOODS],
        )
        for lines in by_order.values()
    ]


def _told(seller: Seller, rows: Sequence[OrderLine], at: datetime) -> Mapping[int, Line]:
    ids = [row.pk for row in rows]
    sent: Counter = shipping.sent_units(ids) if ids else Counter()
    claims_by_line: dict[int, list[Claim]] = defaultdict(list)
    for found in Claim.objects.filter(line_id__in=ids, seller=seller).order_by("-pk"):
        claims_by_line[found.line_id].append(found)
    days = DueDays()
    today = _today(seller, at)
    told = {}
    for row in rows:
        left = shipping.left(row, sent[row.pk], _cancelling(claims_by_line[row.pk]))
        ship_by = days.ship_by(row.paid_on) if left and row.paid_on else None
        is_late = ship_by is not None and ship_by < today
        told[row.pk] = Line(row, left, sent[row.pk], ship_by, is_late, claims_by_line[row.pk])
    return told


def _cancelling(found: Iterable[Claim]) -> int:
    return sum(
        claim.quantity
        for claim in found
        if claim.type == Claim.Type.CANCEL and claim.state in Claim.OPEN_STATES
    )


def _claims_of(seller: Seller):
    return Claim.objects.filter(seller=seller).select_related("line__order")


def _with_days(seller: Seller, rows: Iterable[Claim], at: datetime) -> list[SellersClaim]:
    zone, days, today = _zone(seller), DueDays(), _today(seller, at)
    found = []
    for row in rows:
        is_asked = row.state == State.REQUESTED
        answer_by = claim_deadlines.answer_by(row, days, zone) if is_asked else None
        resend_by = claim_deadlines.resend_by(row, days, zone)
        due = answer_by or resend_by
        found.append(SellersClaim(row, answer_by, resend_by, due is not None and due < today))
    return found


def _today(seller: Seller, at: datetime) -> date:
    return verdicts.business_date(at, _zone(seller))


def _zone(seller: Seller):
    return Marketplace.objects.get(pk=seller.marketplace_id).tz
