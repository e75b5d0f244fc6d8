"""What the seller centre shows of payouts: one seller's own, and what is still to come.

Everything here is asked of one seller; another seller's payout does not exist for it.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q

from sellers.models import Seller
from settlements import payout_candidates, payout_words
from settlements.models import Assignment, Payout, PayoutItem, Statement
from settlements.payout_journals import business_date
from settlements.payout_words import Words

COMING = 20


@dataclass(frozen=True, slots=True)
class Coming:
    """A statement that is not paid yet; `why` something keeps it, and `until` when if known."""

    statement: Statement
    why: Words | None = None
    until: datetime | None = None


def of_seller(seller: Seller):
    """The payouts that a seller is shown: those given up before they were sent are left out."""
    return Payout.objects.filter(seller=seller).exclude(state=Payout.State.STOPPED)


def assignments(seller: Seller, *, at: datetime):
    """Whom the seller's claims belong to, now or later."""
    on = business_date(at)
    rows = Assignment.objects.in_force().filter(seller=seller)
    still = rows.filter(Q(until_on=None) | Q(until_on__gt=on) & Q(until_on__gt=F("from_on")))
    return still.order_by("from_on")


def coming(seller: Seller, *, at: datetime) -> list[Coming]:
    """The statements to be paid, oldest first: closed ones with why they wait, then open ones."""
    on = business_date(at)
    policy = payout_candidates.policy_on(on)
    found = payout_candidates.find(on=on, at=at, policy=policy, seller=seller, most=COMING)
    ready = [Coming(statement) for each in found.candidates for statement in each.statements]
    held = [
        Coming(each.statement, payout_words.of(each.reason), each.until) for each in found.waiting
    ]
    closed = sorted(ready + held, key=lambda each: (each.statement.due_on, each.statement.pk))
    open_ones = Statement.objects.open().filter(seller=seller).order_by("due_on")[:COMING]
    return [*closed, *(Coming(statement) for statement in open_ones)][:COMING]


def of_statement(statement: Statement) -> Payout | None:
    """The payout that pays a statement, if there is one."""
    item = PayoutItem.objects.filter(statement=statement, is_live=True).select_related("payout")
    found = item.first()
    return found.payout if found else None


def why_waiting(statement: Statement, *, at: datetime) -> Words | None:
    """Why a payable statement is not paid; None where nothing keeps it."""
    if statement.state != Statement.State.PAYABLE:
        return None
    on = max(business_date(at), statement.due_on)
    reason = payout_candidates.why_waiting(statement, on=on, at=at)
    return payout_words.of(reason) if reason else None
