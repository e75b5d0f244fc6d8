"""What a seller sees first: money, grade, what waits for the shop, and how sales go.

Reads across all floors and decides nothing. Each part is asked once, whatever the seller's
history, and what waits is counted up to a limit (paging.counted); the days are the marketplace's
business days.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet

from listings.models import Listing, Revision
from marketplace import paging
from marketplace.models import Marketplace
from marketplace.refusals import Refused
from orders.models import Claim, OrderLine
from sellers import grade_standing
from sellers.grade_standing import Standing
from sellers.models import PerformanceDay, Seller
from settlements import positions
from settlements.positions import Position

TREND_DAYS = 30


@dataclass(frozen=True, slots=True)
class Queue:
    """How much waits for the shop, and since when the first of what was counted does."""

    count: int
    oldest: date | datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    """What was confirmed by buyers on a business day."""

    on: date
    sales: int
    orders: int


@dataclass(frozen=True, slots=True)
class Home:
    """`position` is None where it cannot be told; `trouble` says why."""

    position: Position | None
    trouble: Refused | None
    standing: Standing
    new: Queue
    to_ship: Queue
    claims: Queue
    findings: Queue
    days: tuple[Day, ...]
    has_listings: bool

    @property
    def is_new(self) -> bool:
        """Nothing was listed and nothing was sold."""
        is_unsold = self.position is not None and self.position.is_empty
        return is_unsold and not self.has_listings


def of_seller(seller: Seller, marketplace: Marketplace, *, on: date) -> Home:
    """The home page of a seller on a business day; the caller has entered the marketplace."""
    last_day = marketplace.last_closed_on or on
    position = trouble = None
    try:
        position = positions.of_seller(seller, on=on)
    except Refused as refused:  # no calendar or no fees are in force: the rest is still true
        trouble = refused
    return Home(
        position=position,
        trouble=trouble,
        standing=grade_standing.of_seller(seller, on=on, figures_on=last_day),
        new=_orders(seller, OrderLine.Status.PAID),
        to_ship=_orders(seller, OrderLine.Status.PREPARING),
        claims=_claims(seller),
        findings=_findings(seller),
        days=_days(seller, last_day),
        has_listings=Listing.objects.filter(seller=seller).exists(),
    )


def _orders(seller: Seller, status: str) -> Queue:
    lines = OrderLine.objects.filter(
        ~Q(stream="shipping"), seller=seller, status=status, units_left__gt=0
    )
    orders = lines.values("order_id").annotate(paid=Min("paid_on")).order_by("order_id")
    return _queue(orders, "paid")


def _claims(seller: Seller) -> Queue:
    waiting = Claim.objects.filter(seller=seller, state=Claim.State.REQUESTED)
    return _queue(waiting.order_by("requested_at").values("requested_at"), "requested_at")


def _findings(seller: Seller) -> Queue:
    """Listings of which a wording was blocked or sent back: the rows of that tab."""
    waiting = Revision.objects.to_mend().filter(listing__seller=seller).order_by()
    listings = waiting.values("listing_id").distinct()
    return Queue(paging.up_to_the_limit(listings).count(), None)


def _queue(rows: QuerySet, since: str) -> Queue:
    """Of rows by what waited longest, and the column that says since when."""
    found = paging.up_to_the_limit(rows).aggregate(count=Count("*"), oldest=Min(since))
    return Queue(found["count"], found["oldest"])


def _days(seller: Seller, last: date) -> tuple[Day, ...]:
    first = last - timedelta(days=TREND_DAYS - 1)
    rows = PerformanceDay.objects.filter(seller=seller, on__gte=first, on__lte=last)
    known = {
        day: (sales, orders)
        for day, sales, orders in rows.values_list("on", "sales_confirmed", "orders_confirmed")
    }
    days = (first + timedelta(days=at) for at in range(TREND_DAYS))
    return tuple(Day(day, *known.get(day, (0, 0))) for day in days)
