"""One payout: sent once, asked about when its answer is lost, and ended by what the bank says.

Before a bank is called, a row says so, committed in a transaction of its own, and the database
takes one such row a payout. Whoever finds that row without an answer, after a crash or a lost
line, asks what became of the transfer and never sends it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Q

from marketplace import audit, calendar_days, changes, outbox, sealing, states, tenancy
from marketplace.refusals import Refused, gettext_noop
from settlements import (
    business_checks,
    keeping_windows,
    payout_candidates,
    payout_exceptions,
    payout_journals,
    payout_rules,
    payouts,
    transfer_files,
)
from settlements.gateways import choosing
from settlements.gateways.interface import Answer, Gateway, NoAnswer, Outcome
from settlements.models import (
    Payout,
    PayoutAttempt,
    PayoutBatch,
    PayoutException,
    PayoutItem,
    PayoutPolicy,
    Statement,
)
from settlements.transfer_files import Transfer

State = Payout.State
ASKED_EACH = timedelta(minutes=10)
# A bank may take back for some days that a transfer has failed.
WORD_TAKEN_BACK_WITHIN = timedelta(days=3)
TAKEN_UP = 200  # of each kind at a time; most of them are still on their way to a worker
REPEATED = "repeated"  # it was known already


class NotAnswered(Refused):
    code = "payout_not_waiting"
    message = gettext_noop("This payout is not waiting for such a result.")


class AccountNotFailed(Refused):
    code = "payout_account_not_failed"
    message = gettext_noop("Nothing keeps this payout's account from being paid to.")


@dataclass(frozen=True, slots=True)
class _Call:
    """What the bank is called with, read before the call."""

    policy: PayoutPolicy
    gateway: Gateway
    transfer: Transfer
    state: str


def serve(marketplace_id: int, payout_id: int, *, now) -> None:
    """Send a payout, or ask about one that may have been sent. `now` tells the time at each step.

    Must not be called within a transaction: what is written before the call has to stay.
    """
    call = _read(marketplace_id, payout_id)
    if call.state == State.PREPARED:
        _send(marketplace_id, payout_id, call, now)
    elif call.state in (*Payout.UNANSWERED, State.FAILED):
        _ask(marketplace_id, payout_id, call, now)


def ask(marketplace_id: int, payout_id: int, *, now) -> None:
    """Ask what became of a payout, whatever is known of it: its bank says that it has changed.

    Must not be called within a transaction.
    """
    _ask(marketplace_id, payout_id, _read(marketplace_id, payout_id), now)


def transfer_of(payout: Payout) -> Transfer:
    """What the bank is told; its policy is loaded with it."""
    return Transfer(
        reference=payout.public_id,
        bank=payout.bank,
        number=sealing.reveal(payout, "number"),
        holder=payout.holder,
        amount=payout.amount,
        memo=payout.batch.policy.memo,
    )


def record(
    payout_id: int, answer: Answer | None, *, at: datetime, by=None, source: str = ""
) -> str:
    """Write down what a bank says of a payout, in one transaction. None is a lost answer.

    Returns the state it came to, REPEATED where that was known, or the kind of the exception that
    was raised for people. The caller has entered the marketplace.
    """
    rows = Payout.objects.select_for_update(of=("self",), no_key=True)
    payout = rows.select_related("batch__policy").get(pk=payout_id)
    if answer is None or answer.outcome == Outcome.NOT_FOUND:
        return _not_known(payout, is_lost=answer is None, at=at)
    if answer.amount is not None and answer.amount != payout.amount:
        kind = PayoutException.Kind.AMOUNT_DIFFERS
        return payout_exceptions.raise_for(
            payout, kind, at=at, source=source, expected=payout.amount, found=answer.amount
        )
    if payout.state in (State.PREPARED, State.STOPPED):
        if answer.outcome == Outcome.ACCEPTED:
            return REPEATED
        kind = PayoutException.Kind.NOT_SENT
        return payout_exceptions.raise_for(payout, kind, at=at, source=source, found=payout.amount)
    came_to = _BY_OUTCOME[answer.outcome](payout, answer, by, at, source)
    payouts.end_where_done(payout.batch_id, at=at)
    return came_to


def record_by_hand(payout: Payout, *, by, at: datetime, outcome: str, said: str) -> None:
    """What people found out at the bank. Carried out by marketplace.approvals.

    Raises NotAnswered where the payout does not wait for it.
    """
    if outcome == State.RETURNED and payout.state == State.PAID:
        _returned(payout, by, at, said)
    elif outcome in (Outcome.PAID, Outcome.FAILED) and payout.state in Payout.UNANSWERED:
        record(payout.pk, Answer(Outcome(outcome), said=said), at=at, by=by)
    else:
        raise NotAnswered()


def release_account(payout: Payout, *, by, at: datetime, reason: str) -> None:
    """Let the account of a payout that did not arrive be paid to again.

    For failures that were not the account's fault. Raises AccountNotFailed.
    """
    rows = Payout.objects.against_account().filter(pk=payout.pk)
    if not rows.update(released_at=at):
        raise AccountNotFailed()
    audit.record("payout.account_released", by=by, at=at, obj=payout, reason=reason)


def left_behind(*, at: datetime) -> list[int]:
    """The ids of payouts that a task has to take up: never sent, or to be asked about.

    Those of a batch under way that nobody sent; unanswered ones; and for some days those that
    failed, whose bank may take its word back. Files are not asked about: people bring the results.
    """
    last = Max("attempts__began_at")
    unsent = Payout.objects.filter(state=State.PREPARED, batch__state=PayoutBatch.State.EXECUTING)
    files = PayoutPolicy.FILES
    asked = Payout.objects.exclude(batch__policy__gateway__in=files).annotate(last=last)
    unanswered = asked.unanswered().filter(last__lt=at - ASKED_EACH)
    lately = Q(state=State.FAILED, ended_at__gt=at - WORD_TAKEN_BACK_WITHIN)
    failed = asked.filter(lately, last__lt=at - ASKED_EACH * 36)
    # A file is written in one go: what began and was never accepted is accepted now.
    begun = Payout.objects.filter(state=State.SENDING, batch__policy__gateway__in=files)
    begun = begun.filter(sent_at__lt=at - ASKED_EACH)
    found: set[int] = set()
    for rows in (unsent, unanswered, failed, begun):
        found.update(rows.order_by("pk").values_list("pk", flat=True)[:TAKEN_UP])
    return sorted(found)


def _read(marketplace_id: int, payout_id: int) -> _Call:
    with tenancy.use(marketplace_id):
        payout = Payout.objects.select_related("batch__policy").get(pk=payout_id)
        policy = payout.batch.policy
        return _Call(policy, choosing.of(policy), transfer_of(payout), payout.state)


def _send(marketplace_id: int, payout_id: int, call: _Call, now) -> None:
    with tenancy.use(marketplace_id):
        if keeping_windows.closed_at(call.policy, now()):
            return  # the next tick tries again; not even the holder can be asked about
    business_checks.before_sending(marketplace_id, payout_id, now=now)
    holder = call.gateway.holder_of(call.transfer.bank, call.transfer.number)
    with tenancy.use(marketplace_id, durable=True):
        attempt = _begun(payout_id, call, holder, at=now())
    if attempt is None:
        return
    try:
        answer = call.gateway.send(call.transfer)
    except NoAnswer:
        answer = None
    with tenancy.use(marketplace_id, durable=True):
        _ended(attempt, answer, at=now())
        record(payout_id, answer, at=now())


def _ask(marketplace_id: int, payout_id: int, call: _Call, now) -> None:
    if call.gateway.writes_file:
        if call.state == State.SENDING:  # it stands in the file; only that was not written down
            with tenancy.use(marketplace_id, durable=True):
                record(payout_id, Answer(Outcome.ACCEPTED), at=now())
        return
    with tenancy.use(marketplace_id, durable=True):
        kind = PayoutAttempt.Kind.ASK
        attempt = PayoutAttempt.objects.create(payout_id=payout_id, kind=kind, began_at=now())
    try:
        answer = call.gateway.ask(call.transfer.reference)
    except NoAnswer:
        answer = None
    with tenancy.use(marketplace_id, durable=True):
        _ended(attempt, answer, at=now())
        record(payout_id, answer, at=now())


def _begun(payout_id: int, call: _Call, holder: str | None, *, at: datetime):
    """Write down that the bank is called now; None where it must not be, or is already."""
    rows = Payout.objects.select_for_update(of=("self",), no_key=True)
    payout = rows.select_related("batch__policy", "seller", "account", "assignment").get(
        pk=payout_id
    )
    if payout.state != State.PREPARED or payout.batch.state != PayoutBatch.State.EXECUTING:
        return None
    # Asked first: a hold takes the payout out of its batch also while nobody answers.
    if reason := _hindrance(payout, call, holder, at):
        payouts.release(payout, reason, by=None, at=at)
        payouts.end_where_done(payout.batch_id, at=at)
        return None
    if business_checks.must_wait(payout, at=at):
        return None
    if keeping_windows.closed_at(payout.batch.policy, at):
        return None
    on = payout_journals.business_date(at)
    days = payout.batch.policy.result_days
    due_on = calendar_days.load(on).add_business_days(on, days)
    sent = {"sent_at": at, "result_due_on": due_on}
    states.move(payout, State.SENDING, by=None, at=at, changes=sent)
    payout_journals.sent(payout, at=at)
    changes.announce("payout.sent", payout.public_id, at=at, seller_id=payout.seller_id)
    return PayoutAttempt.objects.create(payout=payout, kind=PayoutAttempt.Kind.SEND, began_at=at)


def _hindrance(payout: Payout, call: _Call, holder: str | None, at: datetime) -> str | None:
    """What has changed since the payout was prepared, looked at right before it is sent."""
    destinations = payout_candidates.Destinations([payout.seller_id])
    statements = dict(payout.items.values_list("statement_id", "statement__due_on"))
    current = {destinations.of(payout.seller_id, due_on) for due_on in statements.values()}
    if current != {payout.assignment or payout.account}:
        return payout_rules.ACCOUNT_CHANGED
    payee = destinations.payee(payout.seller, *current)
    if reason := payout_rules.hindrance(payee, at=at):
        return reason
    if held := payout_candidates.held(list(statements)):
        return min(held.values())
    if holder is not None and not payout_rules.has_same_name(holder, payout.holder):
        return payout_rules.HOLDER_DIFFERS
    if call.gateway.writes_file:
        try:
            transfer_files.check(call.transfer)
        except transfer_files.UnwritableTransfer:
            return payout_rules.UNWRITABLE
    return None


def _ended(attempt: PayoutAttempt, answer: Answer | None, *, at: datetime) -> None:
    attempt.ended_at = at
    attempt.outcome = answer.outcome if answer else "lost"
    attempt.said = f"{answer.code} {answer.said}".strip()[:200] if answer else ""
    attempt.save(update_fields=["ended_at", "outcome", "said"])


def _not_known(payout: Payout, *, is_lost: bool, at: datetime) -> str:
    """The bank is silent, or does not know the transfer, which may still be on its way to it."""
    may_be_lost = payout.state == State.SENDING or (payout.state == State.SENT and not is_lost)
    if may_be_lost:
        states.move(payout, State.UNKNOWN, by=None, at=at)
        payouts.end_where_done(payout.batch_id, at=at)
    return payout.state


def _accepted(payout: Payout, answer: Answer, by, at: datetime, source: str) -> str:
    if payout.state not in (State.SENDING, State.UNKNOWN):
        return REPEATED
    states.move(payout, State.SENT, by=by, at=at)
    return State.SENT


def _paid(payout: Payout, answer: Answer, by, at: datetime, source: str) -> str:
    if payout.state == State.FAILED:
        return _paid_late(payout, by, at, source)
    if payout.state not in Payout.UNANSWERED:
        return REPEATED
    _end(payout, State.PAID, answer, by, at)
    payout_journals.paid(payout, at=at)
    keys = payout.items.filter(is_live=True).values_list("statement_id", flat=True)
    rows = Statement.objects.filter(pk__in=list(keys))
    states.move_many(rows, Statement.State.PAID, by=by, at=at)
    changes.announce("payout.paid", payout.public_id, at=at, seller_id=payout.seller_id)
    return State.PAID


def _failed(payout: Payout, answer: Answer, by, at: datetime, source: str) -> str:
    if payout.state == State.PAID:
        kind = PayoutException.Kind.FAILED_AFTER_PAID
        return payout_exceptions.raise_for(payout, kind, at=at, source=source, found=payout.amount)
    if payout.state not in Payout.UNANSWERED:
        return REPEATED
    _end(payout, State.FAILED, answer, by, at, reason=payout_rules.failure(answer.code))
    payout_journals.failed(payout, at=at)
    _give_back(payout, by, at)
    changes.announce("payout.failed", payout.public_id, at=at, seller_id=payout.seller_id)
    return State.FAILED


def _returned(payout: Payout, by, at: datetime, said: str) -> None:
    reason = payout_rules.BANK_REFUSED
    _end(payout, State.RETURNED, Answer(Outcome.FAILED, said=said), by, at, reason=reason)
    payout_journals.returned(payout, at=at)
    _give_back(payout, by, at)
    changes.announce("payout.returned", payout.public_id, at=at, seller_id=payout.seller_id)


def _give_back(payout: Payout, by, at: datetime) -> None:
    """The money did not arrive: it is owed again, and the seller is told what to do."""
    payouts.statements_back(payout, by=by, at=at)
    told = {"payout": payout.public_id, "is_assigned": bool(payout.payee)}
    outbox.add("payout.failed", seller_id=payout.seller_id, **told)


def _paid_late(payout: Payout, by, at: datetime, source: str) -> str:
    """A bank says paid of what it had said failed: take it out of what is still to be paid.

    Where another payout over the same statements waits, it is given up. Where one has been sent,
    the money may have gone twice: that part goes on suspense, and people look into it.
    """
    payouts.lock()  # nothing is prepared meanwhile
    keys = list(payout.items.values_list("statement_id", flat=True))
    live = PayoutItem.objects.filter(statement_id__in=keys, is_live=True)
    others = Payout.objects.filter(pk__in=live.values("payout_id")).order_by("pk")
    for other in others.select_for_update(no_key=True):
        if other.state == State.PREPARED:
            payouts.release(other, payout_rules.PAID_BEFORE, by=by, at=at)
            payouts.end_where_done(other.batch_id, at=at)
    twice = set(live.values_list("statement_id", flat=True))
    free = payout.items.exclude(statement_id__in=twice)
    owed = sum(free.values_list("amount", flat=True))
    statements = Statement.objects.filter(pk__in=list(free.values_list("statement_id", flat=True)))
    free.update(is_live=True)
    states.move_many(statements, Statement.State.PAID, by=by, at=at)
    _end(payout, State.PAID, Answer(Outcome.PAID), by, at)
    payout_journals.paid_late(payout, owed=owed, at=at)
    changes.announce("payout.paid", payout.public_id, at=at, seller_id=payout.seller_id)
    kinds = PayoutException.Kind
    kind = kinds.PAID_TWICE if twice else kinds.PAID_AFTER_FAILED
    return payout_exceptions.raise_for(
        payout, kind, at=at, source=source, expected=owed, found=payout.amount
    )


def _end(payout: Payout, to: str, answer: Answer, by, at: datetime, *, reason: str = "") -> None:
    said = f"{answer.code} {answer.said}".strip()[:200]
    ended = {"ended_at": at, "reason": reason, "said": said}
    states.move(payout, to, by=by, at=at, reason=said, changes=ended)


_BY_OUTCOME = {
    Outcome.ACCEPTED: _accepted,
    Outcome.PAID: _paid,
    Outcome.FAILED: _failed,
}
