"""The night's automatic purchase confirmation of delivered lines.

A line is confirmed in the night in which its waiting time ends, with that night's date; one that
a claim held back, in the first night after. Nights that were missed are caught up in order, so
that each line gets the date of its own night.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import islice

from django.db import transaction

from marketplace import changes
from orders import applying, bulk, confirmation_days, folding
from orders.models import OrderLine
from sellers.models import Seller

BATCH = 5_000  # lines
CAUSE = "confirmed_by_itself"


@transaction.atomic
def confirm_due(
    on: date, *, at: datetime, first_seller: int | None = None, end_seller: int | None = None
) -> int:
    """Confirm every line that is due by the night of `on`; returns how many.

    For a half-open range of sellers where one is given. Repeating a night confirms nothing.
    """
    lines = OrderLine.objects.all()
    if first_seller is not None:
        lines = lines.filter(seller_id__gte=first_seller)
    if end_seller is not None:
        lines = lines.filter(seller_id__lt=end_seller)
    _find_due_days(lines)
    due = lines.due_for_confirmation(on).order_by("order_id", "pk")
    rows = due.values_list("order_id", "number", "pk", "seller_id").iterator(BATCH)
    confirmed: Counter[int] = Counter()
    while batch := list(islice(rows, BATCH)):
        confirmed += _confirm(batch, on, at)
    _announce(confirmed, on, at)
    return confirmed.total()


def _announce(confirmed: Counter[int], on: date, at: datetime) -> None:
    """Tell each seller how many, once a night: a row for each order would be millions."""
    ids = dict(Seller.objects.filter(bulk.among("id", confirmed)).values_list("pk", "public_id"))
    rows = [
        (ids[seller_id], seller_id, {"on": on.isoformat(), "lines": count})
        for seller_id, count in confirmed.items()
    ]
    changes.announce_many("orders.confirmed", rows, at=at)


def _confirm(batch: Sequence[tuple[int, int, int, int]], on: date, at: datetime) -> Counter[int]:
    """How many lines of each seller were confirmed."""
    held = applying.Held({order_id for order_id, *_ in batch})
    # Asked again after locking: whoever was making a claim meanwhile has made it by now.
    due = OrderLine.objects.due_for_confirmation(on)
    still_due = due.filter(bulk.among("id", [key for _, _, key, _ in batch]))
    keys = set(still_due.values_list("pk", flat=True))
    acting = defaultdict(list)
    for order_id, number, key, _ in batch:
        if key in keys:
            event = folding.Event(folding.CONFIRMED, at, on, line=number, cause=CAUSE)
            acting[order_id].append(event)
    held.apply(acting, by=None, at=at, reason=CAUSE)
    return Counter(seller_id for _, _, key, seller_id in batch if key in keys)


def _find_due_days(lines) -> None:
    """Give a day to delivered lines that have none yet, because no rule was published then."""
    waiting = lines.filter(status=OrderLine.Status.DELIVERED, confirm_due_on__isnull=True)
    orders = waiting.order_by().values_list("order_id", flat=True).distinct()
    delivered_on = {
        line.id: line.delivered_on
        for of_order in applying.Held(orders).lines.values()
        for line in of_order
        if line.status == OrderLine.Status.DELIVERED and line.confirm_due_on is None
    }
    due = confirmation_days.DueDays().of_lines(delivered_on)
    bulk.update(OrderLine, ["confirm_due_on"], [row for row in due.items() if row[1] is not None])
