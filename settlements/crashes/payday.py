"""The payday of a rehearsal: batches that workers pay through the sandbox bank, and what is killed.

The bank loses answers and transfers, is late, and fails, as the accounts' endings say. A worker
that dies right before it calls the bank leaves a transfer that the bank does not know. People
decide about such a one; here they find that nothing was paid, and it is paid again.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import connections
from django.db.models import Exists, OuterRef, Q, Sum

from marketplace import tenancy
from sellers import bank_accounts
from sellers.bank_accounts import Account
from sellers.banks import Bank
from sellers.models import Seller
from settlements import ledger_reading, payout_sending, payouts
from settlements.crashes import workers
from settlements.crashes.workers import Crew
from settlements.gateways import sandbox
from settlements.gateways.interface import Outcome
from settlements.models import Payout, PayoutAttempt, PayoutBatch, SandboxTransfer, Statement

MOST_KILLS: Final = 3
_ENDINGS: Final = (  # of accounts, in the order of sellers
    *("1111", "1112", sandbox.LOSES_ITS_ANSWER, "1113", sandbox.DELAYS, "1114"),
    *(sandbox.FAILS, "1115", sandbox.LOSES_THE_TRANSFER, sandbox.FAILS_LATER),
)
_OFTEN: Final = {workers.WORKER: 4, workers.POOL_PROCESS: 4, workers.HEAD: 1, workers.MESSAGES: 1}
_BEAT: Final = {  # what the scheduler sends, and after how many seconds again
    "settlements.tasks.take_up_payouts": 3,
    "marketplace.tasks.relay_outbox": 0.5,
}
_STUCK: Final = 90  # seconds without a payout that goes on
_UNDER_WAY: Final = (
    *(PayoutBatch.State.APPROVED, PayoutBatch.State.SCHEDULED),
    PayoutBatch.State.EXECUTING,
)


class NotPaid(RuntimeError):
    """Payouts do not come to their end any more."""


@dataclass(slots=True)
class Paid:
    """What a payday came to. Amounts in minor units."""

    kills: list[str] = field(default_factory=list)  # as they came
    decided: int = 0  # payouts that people had to decide about
    states: dict[str, int] = field(default_factory=dict)  # of payouts: how many in which
    by_seller: dict[str, int] = field(default_factory=dict)  # that arrived
    statements: dict[str, int] = field(default_factory=dict)  # how many in which state
    balances: dict[str, int] = field(default_factory=dict)  # of accounts
    told_twice: int = 0  # transfers that the bank was told more than once


def name_accounts(at: datetime) -> None:
    """Let every seller name an account, with which the bank does what its ending says."""
    for number, seller in enumerate(Seller.objects.active().order_by("code")):
        ending = _ENDINGS[number % len(_ENDINGS)]
        digits = f"000-{number:06}-{ending}"
        account = Account(bank=Bank.HANA, holder=seller.name[:100], number=digits)
        bank_accounts.register(seller, account, by=None, at=at)


def pay(
    slug: str,
    crew: Crew,
    start: Callable[[], None],
    *,
    seed: int | None,
    servers: bool,
    at: datetime,
) -> Paid:
    """Have workers pay every batch that the nights have prepared; kill some meanwhile."""
    chance = random.Random(f"{seed}/payday")  # noqa: S311
    kills = [] if seed is None else list(_plan(chance, servers=servers))
    paid = Paid()
    start()
    with tenancy.use(code=slug):
        _schedule(at)
    seen, changed, sent = None, time.monotonic(), dict.fromkeys(_BEAT, 0.0)
    while True:
        crew.check()
        with tenancy.use(code=slug):
            states = Counter(Payout.objects.values_list("state", "attempts__outcome"))
        now = time.monotonic()
        if states != seen:
            seen, changed = states, now
        if kills and _begun(states) >= kills[0][1]:
            target, after = kills.pop(0)
            if target == workers.DATABASE:
                connections.close_all()
            crew.kill(target, chance.choice)
            paid.kills.append(f"{target} after {after} payouts began")
            start()
        for task, each in _BEAT.items():
            if now - sent[task] > each:
                crew.remind(task)
                sent[task] = now
        with tenancy.use(code=slug):
            if not _is_under_way() and not _decide(paid, at):
                break
        if now - changed > _STUCK:
            told = "; ".join(paid.kills)
            raise NotPaid(f"Seed {seed}: no payout goes on for {_STUCK} seconds ({told}): {states}")
        time.sleep(0.01)
    crew.dismiss()
    with tenancy.use(code=slug):
        _look(paid)
    return paid


def differences(reference: Paid, paid: Paid) -> Iterator[str]:
    """What is not as after the undisturbed payday."""
    if paid.told_twice:
        yield f"payday: the bank was told {paid.told_twice} transfers twice"
    for name in ("by_seller", "statements", "balances"):
        right, found = getattr(reference, name), getattr(paid, name)
        for key in sorted({*right, *found}):
            if right.get(key) != found.get(key):
                yield f"payday, {name}, {key}: {right.get(key)} has become {found.get(key)}"


def _plan(chance: random.Random, *, servers: bool) -> Iterator[tuple[str, int]]:
    often = _OFTEN | ({workers.DATABASE: 2, workers.BROKER: 2} if servers else {})
    after = sorted(chance.randrange(20) for _ in range(chance.randint(1, MOST_KILLS)))
    for count in after:
        yield chance.choices(list(often), list(often.values()))[0], count


def _schedule(at: datetime) -> None:
    for batch in PayoutBatch.objects.filter(state=PayoutBatch.State.PREPARED).order_by("pk"):
        payouts.approve(batch, by=None, at=at, payouts=batch.payouts, amount=batch.amount)
        soon = at + timedelta(seconds=1)
        payouts.schedule(batch, by=None, at=at, scheduled_at=soon)


def _begun(states: Counter) -> int:
    return sum(count for (state, _), count in states.items() if state != Payout.State.PREPARED)


def _is_under_way() -> bool:
    """Whether workers still have something to send, or to ask about."""
    batches = PayoutBatch.objects.filter(state__in=_UNDER_WAY)
    asked = PayoutAttempt.objects.filter(payout=OuterRef("pk"), kind=PayoutAttempt.Kind.ASK)
    answered = asked.exclude(outcome__in=["", "lost"])
    waiting = Payout.objects.unanswered().exclude(Q(state=Payout.State.UNKNOWN) & Exists(answered))
    return batches.exists() or waiting.exists()


def _decide(paid: Paid, at: datetime) -> bool:
    """Have people look at transfers that the bank does not know; True when there is more to pay.

    Those of accounts whose transfers get lost every time are left as they are.
    """
    told = SandboxTransfer.objects.values_list("reference", flat=True)
    unknown = Payout.objects.filter(state=Payout.State.UNKNOWN).exclude(public_id__in=told)
    lost = [
        payout
        for payout in unknown.order_by("pk")
        if not payout_sending.transfer_of(payout).number.endswith(sandbox.LOSES_THE_TRANSFER)
    ]
    for payout in lost:
        payout_sending.record_by_hand(
            payout, by=None, at=at, outcome=Outcome.FAILED, said="not known to the bank"
        )
        payout_sending.release_account(payout, by=None, at=at, reason="")
        paid.decided += 1
    if lost:
        payouts.prepare(on=tenancy.current().last_closed_on, at=at)
        _schedule(at)
    return bool(lost)


def _look(paid: Paid) -> None:
    paid.states = dict(Counter(Payout.objects.values_list("state", flat=True)))
    arrived = Payout.objects.filter(state=Payout.State.PAID).values_list("seller__code")
    paid.by_seller = dict(arrived.annotate(Sum("amount")))
    paid.statements = dict(Counter(Statement.objects.values_list("state", flat=True)))
    rows, _ = ledger_reading.trial_balance(tenancy.current().last_closed_on + timedelta(days=1))
    paid.balances = {row.code: row.debit - row.credit for row in rows}
    paid.told_twice = SandboxTransfer.objects.filter(received__gt=1).count()
