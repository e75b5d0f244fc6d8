"""Reduce the price of what remains of a confirmed line: the units stay, somebody gives money."""

from datetime import datetime

from django.db import transaction

from marketplace import audit, changes, tenancy
from marketplace.models import Marketplace
from orders import applying, outcomes, verdicts
from orders.models import Order, OrderLine
from orders.remainders import FUNDERS

CAUSE = "price_reduced"


@transaction.atomic
def reduce_price(
    line: OrderLine,
    amount: int,
    funder: str,
    *,
    by,
    at: datetime,
    reason: str = "",
    cause: str = CAUSE,
    claim: str = "",
) -> None:
    """Add `amount` to what `funder` (seller, platform, partner) gives for the units left.

    `claim` is the public id of the claim that it is about, for the audit trail.
    Raises outcomes.NothingSold before the line is confirmed, and remainders.ReductionExceedsPaid
    above what the buyer still pays for it.
    """
    if funder not in FUNDERS:
        raise ValueError(f"funder is {funder!r}")
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    locked = applying.lock_line(line)
    on = verdicts.business_date(at, Marketplace.objects.get(pk=tenancy.current_id()).tz)
    outcomes.record([], [outcomes.Reduced(locked.pk, amount, funder, on, cause)])
    applying.touch([(locked.seller_id, on)])
    data = {"amount": amount, "funder": funder} | ({"claim": claim} if claim else {})
    audit.record("orderline.price_reduced", by=by, at=at, obj=locked, reason=reason, data=data)
    changes.announce(
        "order.price_reduced",
        Order.objects.values_list("public_id", flat=True).get(pk=locked.order_id),
        at=at,
        seller_id=locked.seller_id,
        lines=[locked.number],
    )
