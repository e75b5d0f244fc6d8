"""Batches of payouts: prepared, approved by a second person, scheduled, executed, stopped.

Preparing freezes which statements go to which account. Executing only opens the way: each payout
is then sent by a task of its own (settlements.payout_sending), which looks at the batch's state
first, so a batch that is stopped sends no further one. One batch of a marketplace executes at a
time.
"""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Sum

from marketplace import approvals, changes, outbox, sealing, states, tenancy
from marketplace.models import Approval, Marketplace
from marketplace.refusals import Refused, gettext_noop
from settlements import business_checks, keeping_windows, payout_candidates, payout_rules
from settlements.gateways import choosing
from settlements.models import Assignment, Payout, PayoutBatch, PayoutItem, PayoutPolicy, Statement
from settlements.payout_candidates import Candidate
from settlements.payout_journals import business_date

APPROVAL = "approve_payout_batch"
TOPIC = "payout_batch.executing"  # by which the outbox hands a batch to workers
State = PayoutBatch.State


class NothingToPay(Refused):
    code = "nothing_to_pay"
    message = gettext_noop(
        "No statement can be paid now. The list of what waits says why, statement by statement."
    )


class BatchChanged(Refused):
    code = "payout_batch_changed"
    message = gettext_noop("The batch is not what approval was asked for. Look at it again.")


class BatchBusy(Refused):
    code = "payout_batch_busy"
    message = gettext_noop("The batch %(batch)s is being executed. Wait for its end, or stop it.")


class OverDayLimit(Refused):
    code = "payout_day_limit"
    message = gettext_noop(
        "With this batch the limit of one day would be exceeded. Execute it on another day, or "
        "publish a higher limit."
    )


class SandboxOnly(Refused):
    code = "sandbox_moves_no_money"
    message = gettext_noop(
        "This marketplace is live, and its payout policy names the sandbox bank, which moves no "
        "money. Publish a payout policy with a real bank."
    )


class SandboxCheckOnly(Refused):
    code = "sandbox_knows_no_business"
    message = gettext_noop(
        "This marketplace is live, and its payout policy asks the sandbox about businesses, which "
        "knows none. Publish a payout policy that asks the National Tax Service, or nobody."
    )


class NotInTheFuture(Refused):
    code = "payout_schedule_is_past"
    message = gettext_noop("Choose a moment that is still to come.")


@transaction.atomic
def prepare(*, on: date, at: datetime, by=None) -> list[PayoutBatch]:
    """Put every statement that was due by `on` and can be paid into payouts, in batches.

    The caller has entered the marketplace. Repeating finds nothing that is left to prepare.
    """
    lock()
    policy = payout_candidates.policy_on(on)
    if policy is None:
        return []
    batches: list[PayoutBatch] = []
    # Statements that one payout of a seller had no room for go into another one.
    while found := payout_candidates.ready(on=on, at=at, policy=policy):
        cut = payout_rules.cut((each.amount for each in found), policy.batch_limit)
        batches += [_prepared([found[n] for n in places], policy, on, by, at) for places in cut]
    return batches


def prepare_by_hand(*, on: date, at: datetime, by) -> list[PayoutBatch]:
    """The same between two nights. Raises NothingToPay."""
    if not (batches := prepare(on=on, at=at, by=by)):
        raise NothingToPay()
    return batches


@transaction.atomic
def ask_for_approval(batch: PayoutBatch, *, by, at: datetime, reason: str) -> Approval:
    """Ask a second person to approve a batch as it is. Raises states.IllegalMove, AlreadyAsked."""
    batch = _locked(batch)
    if batch.state != State.PREPARED:
        raise states.IllegalMove(old=batch.state, new=State.APPROVED)
    asked = {"payouts": batch.payouts, "amount": batch.amount}
    return approvals.ask(APPROVAL, batch, by=by, at=at, reason=reason, data=asked)


@transaction.atomic
def approve(batch: PayoutBatch, *, by, at: datetime, payouts: int, amount: int) -> None:
    """Carried out by marketplace.approvals. Raises BatchChanged, states.IllegalMove."""
    rows = Payout.objects.filter(batch=batch, state=Payout.State.PREPARED)
    if (rows.count(), rows.aggregate(sum=Sum("amount"))["sum"]) != (payouts, amount):
        raise BatchChanged()
    states.move(batch, State.APPROVED, by=by, at=at)


@transaction.atomic
def schedule(batch: PayoutBatch, *, by, at: datetime, scheduled_at: datetime, reason="") -> None:
    """Let an approved batch be executed at a moment.

    Raises NotInTheFuture, keeping_windows.BankClosed, states.IllegalMove.
    """
    if scheduled_at <= at:
        raise NotInTheFuture()
    batch = _locked(batch)
    keeping_windows.ensure_open(batch.policy, scheduled_at, field="scheduled_at")
    changes_ = {"scheduled_at": scheduled_at}
    states.move(batch, State.SCHEDULED, by=by, at=at, reason=reason, changes=changes_)


@transaction.atomic
def unschedule(batch: PayoutBatch, *, by, at: datetime, reason="") -> None:
    """Take the moment back; the batch stays approved. Raises states.IllegalMove."""
    cleared = {"scheduled_at": None}
    states.move(_locked(batch), State.APPROVED, by=by, at=at, reason=reason, changes=cleared)


@transaction.atomic
def execute(batch: PayoutBatch, *, by, at: datetime, reason="") -> None:
    """Let workers send the payouts of an approved, scheduled or stopped batch.

    Raises BatchBusy while another one is executed, keeping_windows.BankClosed, OverDayLimit,
    SandboxOnly, SandboxCheckOnly, states.IllegalMove, and payout_connections.NoConnection where
    the payout API cannot be called.
    """
    market = lock()
    batch = _locked(batch)
    busy = PayoutBatch.objects.filter(state=State.EXECUTING).exclude(pk=batch.pk).first()
    if busy is not None:
        raise BatchBusy(batch=busy.public_id)
    if choosing.moves_no_money(batch.policy, market):
        raise SandboxOnly()
    if business_checks.knows_nobody(batch.policy, market):
        raise SandboxCheckOnly()
    choosing.of(batch.policy)
    keeping_windows.ensure_open(batch.policy, at)
    on = business_date(at)
    _refuse_over_day_limit(batch, on)
    opened = {"executed_on": on, "scheduled_at": None}
    states.move(batch, State.EXECUTING, by=by, at=at, reason=reason, changes=opened)
    outbox.add(TOPIC, batch_id=batch.pk)


@transaction.atomic
def stop(batch: PayoutBatch, *, by, at: datetime, reason: str) -> None:
    """Send no further payout of a batch; those already sent go on. Raises states.IllegalMove."""
    states.move(_locked(batch), State.STOPPED, by=by, at=at, reason=reason)


@transaction.atomic
def cancel(batch: PayoutBatch, *, by, at: datetime, reason: str) -> None:
    """Give up what of a batch was not sent: its statements can be paid by another batch.

    Raises states.IllegalMove, also for a batch that is being executed: stop it first.
    """
    batch = _locked(batch)
    if State.CANCELLED not in PayoutBatch.MOVES[batch.state]:
        raise states.IllegalMove(old=batch.state, new=State.CANCELLED)
    approvals.give_up(batch, by=by, at=at, reason=reason)
    rows = Payout.objects.filter(batch=batch, state=Payout.State.PREPARED)
    for payout in rows.select_for_update(no_key=True).order_by("pk"):
        release(payout, payout_rules.CANCELLED, by=by, at=at)
    if Payout.objects.filter(batch=batch).exclude(state=Payout.State.STOPPED).exists():
        end_where_done(batch.pk, at=at, by=by)
    else:
        states.move(batch, State.CANCELLED, by=by, at=at, reason=reason)


def release(payout: Payout, reason: str, *, by, at: datetime) -> None:
    """Give up a payout that was not sent; the caller has locked it. Its statements wait again."""
    ended = {"reason": reason, "ended_at": at}
    states.move(payout, Payout.State.STOPPED, by=by, at=at, reason=reason, changes=ended)
    statements_back(payout, by=by, at=at)
    changes.announce("payout.stopped", payout.public_id, at=at, seller_id=payout.seller_id)


def statements_back(payout: Payout, *, by, at: datetime) -> None:
    """Make the statements of a payout payable again, once: its items are live no more."""
    items = PayoutItem.objects.filter(payout=payout, is_live=True)
    keys = list(items.values_list("statement_id", flat=True))
    items.update(is_live=False)
    rows = Statement.objects.filter(pk__in=keys)
    states.move_many(rows, Statement.State.PAYABLE, by=by, at=at)


def lock() -> Marketplace:
    """Let nobody else prepare or execute in the marketplace until the transaction ends."""
    return Marketplace.objects.select_for_update(no_key=True).get(pk=tenancy.current_id())


def end_where_done(batch_id: int, *, at: datetime, by=None) -> None:
    """Move a batch on where nothing is left to be sent, or to be heard of."""
    batch = PayoutBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
    rows = Payout.objects.filter(batch=batch)
    under_way = [Payout.State.PREPARED]
    if batch.state == State.EXECUTING:
        under_way.append(Payout.State.SENDING)
    if State.COMPLETED not in PayoutBatch.MOVES[batch.state]:
        return
    if rows.filter(state__in=under_way).exists():
        return
    to = State.AWAITING if rows.unanswered().exists() else State.COMPLETED
    if to != batch.state:
        states.move(batch, to, by=by, at=at)


def _prepared(
    found: list[Candidate], policy: PayoutPolicy, on: date, by, at: datetime
) -> PayoutBatch:
    batch = PayoutBatch.objects.create(on=on, policy=policy, prepared_at=at, prepared_by=by)
    payouts = Payout.objects.bulk_create([_payout(each, batch) for each in found])
    PayoutItem.objects.bulk_create(
        PayoutItem(payout=payout, statement=statement, amount=statement.payout)
        for payout, each in zip(payouts, found, strict=True)
        for statement in each.statements
    )
    keys = [statement.pk for each in found for statement in each.statements]
    rows = Statement.objects.filter(pk__in=keys)
    states.move_many(rows, Statement.State.IN_PAYOUT, by=by, at=at)
    totals = {"payouts": len(payouts), "amount": sum(payout.amount for payout in payouts)}
    states.move(batch, State.PREPARED, by=by, at=at, changes=totals)
    told = [(payout.public_id, payout.seller_id, {}) for payout in payouts]
    changes.announce_many("payout.prepared", told, at=at)
    return batch


def _payout(found: Candidate, batch: PayoutBatch) -> Payout:
    """A payout to whom the money belongs now; later changes do not reach it."""
    account = found.account
    is_assigned = isinstance(account, Assignment)
    payout = Payout(
        batch=batch,
        seller=found.seller,
        amount=found.amount,
        account=None if is_assigned else account,
        assignment=account if is_assigned else None,
        payee=account.assignee if is_assigned else "",
        bank=account.bank,
        holder=account.holder,
        ending=account.ending,
    )
    sealing.seal(payout, number=sealing.reveal(account, "number"))
    return payout


def _refuse_over_day_limit(batch: PayoutBatch, on: date) -> None:
    limit = batch.policy.day_limit
    if limit is None:
        return
    sent = Payout.objects.filter(batch__executed_on=on).exclude(state=Payout.State.STOPPED)
    sent = sent.exclude(batch=batch).aggregate(sum=Sum("amount"))["sum"] or 0
    if sent + batch.amount > limit:
        raise OverDayLimit()


def _locked(batch: PayoutBatch) -> PayoutBatch:
    rows = PayoutBatch.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("policy").get(pk=batch.pk)
