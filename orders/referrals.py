"""Who brought the sales of order lines: told with the order, queued with what a line comes to.

What a referrer earns by that is settlement's business. It is named by string, as it is built
above this floor.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from django.utils.module_loading import import_string

from marketplace import tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import bulk, verdicts
from orders.models import OrderLine, OutcomeToCredit, Referral
from orders.submissions import NewLine, NewOrder
from sellers.models import Seller

# Which streams fee rules name for sellers on days: what no rule names leaves the referrer all.
STREAMS_CHARGED: Final = "settlements.commissions.streams_charged"


class UnknownReferrer(Refused):
    code = "unknown_referrer"
    message = gettext_noop("No seller of this marketplace has the code “%(value)s”.")


class ReferralNotCharged(Refused):
    code = "referral_not_charged"
    message = gettext_noop(
        "No fee rule names the stream “%(stream)s” for “%(seller)s”, so nobody has said what the "
        "commission is. Publish a rule of what is kept of it first."
    )


class Referrers:
    """Those who brought lines of a batch of orders, as the orders name them by code."""

    def __init__(self, orders: Iterable[NewOrder]) -> None:
        said = [
            (order, line.referral.seller_code)
            for order in orders
            for line in order.lines
            if line.referral is not None
        ]
        self._sellers: dict[str, int] = {}
        self._streams: Mapping[tuple[int, date], Collection[str]] = {}
        if said:
            sellers = Seller.objects.filter(bulk.among("code", {code for _, code in said}))
            self._sellers = dict(sellers.values_list("code", "pk"))
            self._streams = import_string(STREAMS_CHARGED)(
                {
                    (self._sellers[code], _placed_on(order))
                    for order, code in said
                    if code in self._sellers
                }
            )

    def of(self, order: NewOrder, line: NewLine, at: str) -> tuple[int, str] | None:
        """Who brought a line, by id, and the stream. Raises UnknownReferrer, ReferralNotCharged."""
        said = line.referral
        if said is None:
            return None
        seller_id = self._sellers.get(said.seller_code)
        if seller_id is None:
            raise UnknownReferrer(value=said.seller_code, field=at + "seller_code")
        if said.stream not in self._streams[seller_id, _placed_on(order)]:
            told = {"stream": said.stream, "seller": said.seller_code}
            raise ReferralNotCharged(**told, field=at + "stream")
        return seller_id, said.stream


def store(rows: Sequence[tuple[int, int, int, str]]) -> None:
    """Store who brought lines, given by order, line number, referrer and stream.

    The lines were written by the same transaction, and have come to nothing yet.
    """
    if not rows:
        return
    lines = OrderLine.objects.filter(bulk.among("order_id", {order_id for order_id, *_ in rows}))
    keys = {row[:2]: row[2] for row in lines.values_list("order_id", "number", "pk")}
    said = [(keys[order_id, number], *rest) for order_id, number, *rest in rows]
    bulk.insert(Referral, ("line_id", "seller_id", "stream"), said)


def of_orders(orders: Iterable[int]) -> dict[tuple[int, int], tuple[int, str]]:
    """Referrer and stream of the lines of orders, by order and line number."""
    lines = OrderLine.objects.filter(bulk.among("order_id", orders))
    rows = Referral.objects.filter(line__in=lines)
    found = rows.values_list("line__order_id", "line__number", "seller_id", "stream")
    return {row[:2]: row[2:] for row in found}


def queue(outcomes: Sequence[tuple[int, int, date]]) -> None:
    """Let commissions wait for those outcomes, given by id, line and basis date, that are due some.

    In the transaction that writes the outcomes.
    """
    found = Referral.objects.filter(bulk.among("line_id", {row[1] for row in outcomes}))
    referrers = dict(found.values_list("line_id", "seller_id"))
    rows = [
        (key, referrers[line_id], basis_on)
        for key, line_id, basis_on in outcomes
        if line_id in referrers
    ]
    bulk.insert(OutcomeToCredit, ("outcome_id", "seller_id", "basis_on"), rows)


def _placed_on(order: NewOrder) -> date:
    return verdicts.business_date(order.placed_at, tenancy.current().tz)
