"""Goodwill: money that the marketplace or a seller grants a buyer for goods that stay.

It reduces the price of what remains of a confirmed line, at the cost of whoever grants it, once a
second person approves. Up to the amount that the confirmation policy names, all goodwill of the
order together, one person grants it alone. Borne by the seller it is taken off the next statement,
with its fees; borne by the marketplace it is an expense of its own, and the seller loses nothing.
"""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Final

from django.db import transaction

from marketplace import approvals, reasons, tenancy
from marketplace.models import Approval
from marketplace.refusals import Refused, gettext_noop
from orders import outcomes, reductions, remainders, verdicts
from orders.models import Claim, ConfirmationPolicy, Order, OrderLine, Outcome
from sellers.models import Seller

CAUSE: Final = "goodwill"
FUNDERS: Final = (remainders.PLATFORM, remainders.SELLER)


class NothingToReduce(Refused):
    code = "goodwill_needs_a_sale"
    message = gettext_noop(
        "Goodwill is granted on what a buyer keeps of a confirmed purchase. Of line %(line)s there"
        " is none."
    )


@dataclass(frozen=True, slots=True)
class Granted:
    """Goodwill on a line. `amount` in minor units, with VAT."""

    line: int  # its number
    on: date
    funder: str
    amount: int


@transaction.atomic
def ask(
    order: Order,
    *,
    line: int,
    amount: int,
    funder: str,
    reason: str,
    claim: str = "",
    by,
    at: datetime,
) -> Approval:
    """Ask for goodwill on a line of an order, by its number; as little as policy lets one person
    grant is granted at once.

    `claim` is the public id of the claim that it is about. Raises NothingToReduce,
    remainders.ReductionExceedsPaid, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    reason = reasons.given(reason)
    # Of two who ask at once, the second sees what the first was granted.
    order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
    _refuse_more_than_paid(_line(order, line), amount)
    data = {"line": line, "amount": amount, "funder": funder, "reason": reason, "claim": claim}
    told = {"by": by, "at": at, "reason": reason, "data": data}
    is_small = amount <= left_to_grant_alone(order, at=at)
    return approvals.ask("grant_goodwill", order, **told, is_small=is_small)


def left_to_grant_alone(order: Order, *, at: datetime) -> int:
    """How much more goodwill of an order one person may grant, by the policy of the day."""
    policy = ConfirmationPolicy.objects.on(verdicts.business_date(at, tenancy.current().tz))
    if policy is None or not policy.goodwill_alone:
        return 0
    return max(policy.goodwill_alone - sum(each.amount for each in of_order(order)), 0)


def ask_for_claim(claim: Claim, *, amount: int, funder: str, reason: str, by, at: datetime):
    """Ask for goodwill on the line of a claim. Raises what ask() does."""
    line = OrderLine.objects.select_related("order").get(pk=claim.line_id)
    about = {"line": line.number, "claim": claim.public_id}
    return ask(line.order, **about, amount=amount, funder=funder, reason=reason, by=by, at=at)


def grant(
    order: Order,
    *,
    line: int,
    amount: int,
    funder: str,
    reason: str,
    claim: str,
    by,
    at: datetime,
) -> None:
    """Grant it; the process of an approval. Raises NothingToReduce, ReductionExceedsPaid."""
    row = _line(order, line)
    _refuse_more_than_paid(row, amount)
    told = {"reason": reason, "cause": CAUSE, "claim": claim}
    reductions.reduce_price(row, amount, funder, by=by, at=at, **told)


def of_line(line: OrderLine) -> list[Granted]:
    """What was granted on a line, the earliest first."""
    return _granted(Outcome.objects.filter(line=line))


def of_order(order: Order, seller: Seller | None = None) -> list[Granted]:
    """What was granted on the lines of an order, or on those of one seller; by line."""
    found = Outcome.objects.filter(line__order=order)
    return _granted(found.filter(seller=seller) if seller else found)


def waiting(order: Order) -> Approval | None:
    """What was asked for and waits for a second person."""
    asked = Approval.objects.waiting().about(order)
    return asked.filter(kind="grant_goodwill").first()


def _granted(found) -> list[Granted]:
    rows = found.select_related("line").order_by("line__number", "sequence")
    return [
        Granted(after.line.number, after.basis_on, funder, more)
        for before, after in pairwise(rows)
        if after.cause == CAUSE and before.line_id == after.line_id
        for funder in FUNDERS
        if (more := _discount(after, funder) - _discount(before, funder))
    ]


def _discount(outcome: Outcome, funder: str) -> int:
    return getattr(outcome, f"{funder}_discount")


def _line(order: Order, number: int) -> OrderLine:
    found = OrderLine.objects.filter(order=order, number=number).first()
    if found is None:
        raise NothingToReduce(line=number, field="line")
    return found


def _refuse_more_than_paid(line: OrderLine, amount: int) -> None:
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    sold = outcomes.after_taking_back(line.pk, 0)
    if sold is None or not sold[1].quantity:
        raise NothingToReduce(line=line.number, field="line")
    if amount > (paid := sold[1].buyer_paid):
        raise remainders.ReductionExceedsPaid(amount=amount, paid=paid, field="amount")
