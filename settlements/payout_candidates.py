"""The closed statements that wait for their money: which can be paid now, and why not the others.

The night, the operators' page and the sentinels all ask here, so that they never disagree.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from django.db.models import Exists, OuterRef

from sellers.models import BankAccount, Seller
from settlements import holding, payout_rules
from settlements.models import Payout, PayoutPolicy, Statement
from settlements.payout_rules import Due, Payee

MOST = 1_000  # statements that a page looks at


@dataclass(frozen=True, slots=True)
class Candidate:
    """One payout that can be made: statements of a seller, and the account that they go to."""

    seller: Seller
    account: BankAccount
    statements: list[Statement]
    amount: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement that cannot be paid now. `until` where it is known when it can."""

    statement: Statement
    reason: str  # a code of payout_rules
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    candidates: list[Candidate] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def looked_at(self) -> int:
        """How many statements these are."""
        return sum(len(each.statements) for each in self.candidates) + len(self.waiting)


def policy_on(day: date) -> PayoutPolicy | None:
    """How the marketplace in use pays on a day; None where nobody has said so yet."""
    return PayoutPolicy.objects.all().on(day)


def ready(*, on: date, at: datetime, policy: PayoutPolicy | None) -> list[Candidate]:
    """The payouts that can be made. Costs little however many sellers have named no account."""
    accounts = BankAccount.objects.usable(at).filter(seller=OuterRef("seller"))
    rows = Statement.objects.payable_on(on).filter(Exists(accounts))
    return _sorted(rows, at=at, policy=policy).candidates


def find(
    *, on: date, at: datetime, policy: PayoutPolicy | None, seller=None, most: int = MOST
) -> Found:
    """Payable statements that were due by `on`, as candidates or with why they wait.

    The oldest ones: what is said of them does not depend on later ones.
    """
    rows = Statement.objects.payable_on(on)
    if seller is not None:
        rows = rows.filter(seller=seller)
    oldest = rows.order_by("due_on", "pk").values_list("pk", flat=True)[:most]
    return _sorted(Statement.objects.filter(pk__in=list(oldest)), at=at, policy=policy)


def why_waiting(statement: Statement, *, on: date, at: datetime) -> str | None:
    """Why a payable statement is not paid on a day, as a code; None where nothing keeps it."""
    own = Statement.objects.payable_on(on).filter(seller=statement.seller_id)
    before = own.filter(due_on__lte=statement.due_on).exclude(pk=statement.pk)
    oldest = before.order_by("due_on", "pk").values_list("pk", flat=True)[:MOST]
    rows = own.filter(pk__in=[*oldest, statement.pk])
    found = _sorted(rows, at=at, policy=policy_on(on))
    reasons = {each.statement.pk: each.reason for each in found.waiting}
    return reasons.get(statement.pk)


def _sorted(rows, *, at: datetime, policy: PayoutPolicy | None) -> Found:
    rows = rows.select_related("seller")
    statements = list(rows.order_by("seller_id", "due_on", "pk"))
    if policy is None:
        waiting = [Waiting(statement, payout_rules.NO_POLICY) for statement in statements]
        return Found(waiting=waiting)
    accounts, failed = _accounts({statement.seller_id for statement in statements})
    blocked = held([statement.pk for statement in statements])
    found = Found()
    for seller_id, group in groupby(statements, key=lambda statement: statement.seller_id):
        own = list(group)
        account = accounts.get(seller_id)
        chosen = payout_rules.sort(
            [Due(statement.pk, statement.payout, statement.pk in blocked) for statement in own],
            payee(own[0].seller, account, has_failed=bool(account and account.pk in failed)),
            at=at,
            payout_limit=policy.payout_limit,
            batch_limit=policy.batch_limit,
        )
        paid = [statement for statement in own if statement.pk in chosen.paid]
        if account is not None and paid:
            found.candidates.append(Candidate(own[0].seller, account, paid, chosen.amount))
        found.waiting.extend(
            _waiting(statement, chosen.waiting[statement.pk], account)
            for statement in own
            if statement.pk in chosen.waiting
        )
    return found


def payee(seller: Seller, account: BankAccount | None, *, has_failed: bool) -> Payee:
    """What the rules ask about a seller and the account that is current now."""
    return Payee(
        is_suspended=seller.state == Seller.State.SUSPENDED,
        account_id=account.pk if account else None,
        usable_from=account.usable_from if account else None,
        has_failed=has_failed,
    )


def _waiting(statement: Statement, reason: str, account: BankAccount | None) -> Waiting:
    is_cooling = reason == payout_rules.COOLING and account is not None
    return Waiting(statement, reason, account.usable_from if is_cooling else None)


def _accounts(sellers: Iterable[int]) -> tuple[dict[int, BankAccount], set[int]]:
    """The current account of each seller, and those of them that a payout did not reach."""
    rows = BankAccount.objects.current().filter(seller_id__in=sellers)
    accounts = {row.seller_id: row for row in rows}
    keys = [row.pk for row in accounts.values()]
    failed = Payout.objects.against_account().filter(account_id__in=keys)
    return accounts, set(failed.values_list("account_id", flat=True))


def held(statement_ids: list[int]) -> set[int]:
    """Statements that must not be paid now: they, or their sellers, are held or excluded."""
    return set(holding.payment_blocks(statement_ids))
