"""What was left in a state past its last deadline, by the night of a day, as rows.

How long each may stay is the marketplace's sentinel policy. Each question reads what is open, by
an index of what is open, and not what is done. What came in after the day was over is left to the
next night: this one could not have served it.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast

from marketplace import tenancy
from marketplace.models import Approval
from orders import confirmation_days
from orders.models import Arbitration, Claim, OrderEvent, OrderLine, OutcomeToSettle
from settlements.models import (
    Adjustment,
    Hold,
    Payout,
    PayoutBatch,
    PayoutItem,
    RevenueReport,
    SentinelPolicy,
    Statement,
)
from settlements.sentinel_limits import USUAL, Limits

_DAY = timedelta(days=1)
_ANSWERED_WITHIN = 400  # days; longer than any policy gives for an answer
Policy = SentinelPolicy | Limits
_Status, _Batch, _Payout = OrderLine.Status, PayoutBatch.State, Payout.State


def limits_on(on: date) -> Policy:
    """How long things may stay by the night of a day."""
    return SentinelPolicy.objects.all().on(on) or USUAL


def waiting_outcomes(on: date) -> QuerySet:
    """Outcomes that were due by the night of `on` and are on no statement."""
    rows = OutcomeToSettle.objects.filter(basis_on__lte=on)
    return rows.exclude(_told_after(on, "outcome__line__order__number"))


def waiting_adjustments(on: date) -> QuerySet:
    """Approved adjustments that were due by the night of `on` and are on no statement."""
    decided_later = Approval.objects.filter(
        object_type=Adjustment._meta.label_lower,
        object_key=Cast(OuterRef("pk"), CharField()),
        decided_at__gte=_end_of(on),
    )
    return Adjustment.objects.to_settle(on).exclude(Exists(decided_later))


def waiting_reports(on: date) -> QuerySet:
    """Final revenue reports whose share was due by the night of `on` and is on no statement."""
    return RevenueReport.objects.to_settle(on).filter(reported_at__lt=_end_of(on))


def unconfirmed(on: date) -> QuerySet:
    """Delivered lines whose waiting time ended by `on`, or has no end, held back by no claim."""
    due = Q(confirm_due_on__lte=on) | Q(confirm_due_on=None, delivered_on__lt=on)
    rows = OrderLine.objects.filter(due, status=_Status.DELIVERED)
    return rows.exclude(_claimed(on)).exclude(_told_after(on, "order__number"))


def undelivered(on: date, limits: Policy) -> QuerySet:
    """Paid lines that nobody has delivered or cancelled in time, with no claim about them."""
    rows = OrderLine.objects.filter(
        status__in=[_Status.PAID, _Status.PREPARING, _Status.SHIPPED],
        paid_on__lt=on - timedelta(days=limits.delivery_days),
    )
    return rows.exclude(_claimed(on)).order_by("paid_on", "pk")


def claims(on: date, limits: Policy) -> QuerySet:
    """Open claims that nobody answered in time, whose replacement is late, or that never end."""
    days = confirmation_days.DueDays()
    late = Q(requested_at__lt=_begin(on, limits.claim_days))
    late &= ~Q(state=Claim.State.ARBITRATION)  # which has a deadline of its own
    for state, since, due_on in (
        (Claim.State.REQUESTED, "requested_at", days.answer_by),
        (Claim.State.COLLECTED, "collected_at", days.ship_by),
    ):
        if (last := _last_due(on, due_on)) is not None:
            resumed = Q(resumed_at=None) | Q(resumed_at__lt=_end_of(last))
            late |= resumed & Q(state=state, **{f"{since}__lt": _end_of(last)})
    return Claim.objects.filter(late, state__in=Claim.OPEN_STATES)


def arbitrations(on: date, limits: Policy) -> QuerySet:
    """Claims that wait for the decision of an arbitration for too long."""
    begun = Arbitration.objects.open().filter(opened_at__lt=_begin(on, limits.arbitration_days))
    return Claim.objects.filter(pk__in=begun.values("claim"))


def approvals(on: date, limits: Policy) -> QuerySet:
    """What waits for a second person for too long."""
    return Approval.objects.waiting().filter(asked_at__lt=_begin(on, limits.approval_days))


def batches(on: date, limits: Policy) -> QuerySet:
    """Payout batches that were prepared, approved, scheduled, begun or stopped, and then left.

    Those whose results are awaited are told of by their payouts, as long as there are any.
    """
    until = on - timedelta(days=limits.batch_days)
    unanswered = Payout.objects.filter(batch=OuterRef("pk"), state__in=Payout.UNANSWERED)
    return PayoutBatch.objects.filter(
        Q(state__in=[_Batch.PREPARING, _Batch.PREPARED, _Batch.APPROVED], on__lt=until)
        | Q(state=_Batch.SCHEDULED, scheduled_at__lt=_begin(until))
        | Q(state__in=[_Batch.EXECUTING, _Batch.STOPPED], executed_on__lt=until)
        | Q(~Exists(unanswered), state=_Batch.AWAITING, executed_on__lt=until)
    )


def statements_without_payout(on: date) -> QuerySet:
    """Statements that say they are in a payout and are in none that is under way, or are in one
    and do not say so."""
    under_way = PayoutItem.objects.filter(
        is_live=True, payout__state__in=[_Payout.PREPARED, *Payout.UNANSWERED]
    )
    said = Statement.objects.filter(
        ~Exists(under_way.filter(statement=OuterRef("pk"))), state=Statement.State.IN_PAYOUT
    )
    # Not asked of each statement, as most of those that can be paid are in no payout.
    unsaid = under_way.filter(statement__state=Statement.State.PAYABLE)
    both = said.order_by().values("pk").union(unsaid.order_by().values("statement"))
    return Statement.objects.filter(pk__in=both)


def unpaid(on: date, limits: Policy) -> QuerySet:
    """Statements that could not be paid for too long, though nobody holds them."""
    holds = Hold.objects.placed().of_payment()
    of_statement = holds.filter(statement=OuterRef("pk"))
    of_seller = holds.filter(statement=None, seller=OuterRef("seller"))
    due = Statement.objects.payable_on(on - timedelta(days=limits.payable_days + 1))
    return due.filter(payout__gt=0).exclude(Exists(of_statement)).exclude(Exists(of_seller))


def holds(on: date, limits: Policy) -> QuerySet:
    """Holds that end by a condition, and that nobody has looked at for too long."""
    return Hold.objects.not_reviewed_since(_begin(on, limits.hold_days))


def provisional_reports(on: date, limits: Policy) -> QuerySet:
    """Revenue reports of which no final version came in time."""
    return RevenueReport.objects.provisional_since(on - timedelta(days=limits.report_days))


def _claimed(on: date) -> Exists:
    """Whether a line has an open claim, or had one when the day was over."""
    after = Q(decided_at__gte=_end_of(on)) | Q(completed_on__gt=on)
    rows = Claim.objects.filter(line=OuterRef("pk"))
    return Exists(rows.filter(after | Q(state__in=Claim.OPEN_STATES)))


def _told_after(on: date, order_number: str) -> Exists:
    """Whether something of an order came in after the day was over."""
    rows = OrderEvent.objects.filter(order_number=OuterRef(order_number))
    return Exists(rows.filter(received_at__gte=_end_of(on)))


def _last_due(on: date, due_on: Callable[[date], date | None]) -> date | None:
    """The last day of which what began on it was due by `on`; None where no rule says it."""
    for count in range(_ANSWERED_WITHIN):
        day = on - timedelta(days=count)
        due = due_on(day)
        if due is None:
            return None
        if due <= on:
            return day
    return None


def _begin(on: date, days: int = 0) -> datetime:
    """The first moment of a day, or of one so many days before."""
    return datetime.combine(on - timedelta(days=days), time(), tenancy.current().tz)


def _end_of(on: date) -> datetime:
    return _begin(on + _DAY)
