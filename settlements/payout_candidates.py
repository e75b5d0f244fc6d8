"""The closed statements that wait for their money: which can be paid now, and why not the others.

The night, the operators' page and the sentinels all ask here, so that they never disagree.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from sellers.models import BankAccount, Seller
from settlements import holding, payout_rules
from settlements.models import Assignment, Hold, Payout, PayoutPolicy, Statement
from settlements.payout_rules import Due, Payee

MOST = 1_000  # statements that a page looks at
Destination = BankAccount | Assignment  # both name bank, holder, number, and from when they count


@dataclass(frozen=True, slots=True)
class Candidate:
    """One payout that can be made: statements of a seller, and where they go."""

    seller: Seller
    account: Destination
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
    accounts = BankAccount.objects.usable(at).order_by().values("seller_id")
    assigned = Assignment.objects.in_force().order_by().values("seller_id")
    rows = Statement.objects.payable_on(on).filter(seller__in=accounts.union(assigned))
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
    if not statements:
        return Found()
    if policy is None:
        waiting = [Waiting(statement, payout_rules.NO_POLICY) for statement in statements]
        return Found(waiting=waiting)
    destinations = Destinations({statement.seller_id for statement in statements})
    blocked = held([statement.pk for statement in statements])
    found = Found()

    def group(statement: Statement):
        to = destinations.of(statement.seller_id, statement.due_on)
        return statement.seller_id, isinstance(to, Assignment) and to.pk

    together = sorted(statements, key=lambda each: (group(each), each.due_on, each.pk))
    for _key, grouped in groupby(together, key=group):
        own = list(grouped)
        account = destinations.of(own[0].seller_id, own[0].due_on)
        chosen = payout_rules.sort(
            [Due(each.pk, each.payout, blocked.get(each.pk, "")) for each in own],
            destinations.payee(own[0].seller, account),
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


def hindrances(statements: Collection[Statement], *, at: datetime) -> dict[int, str]:
    """What would keep statements from being paid if they were closed now, as codes by their ids."""
    destinations = Destinations({statement.seller_id for statement in statements})
    blocked = held([statement.pk for statement in statements])
    found = {}
    for statement in statements:
        to = destinations.of(statement.seller_id, statement.due_on)
        payee = destinations.payee(statement.seller, to)
        is_held = statement.pk in blocked
        reason = payout_rules.HELD if is_held else payout_rules.hindrance(payee, at=at)
        if reason is not None:
            found[statement.pk] = reason
    return found


class Destinations:
    """Where the money of some sellers goes now: their accounts, and whom claims are assigned to."""

    def __init__(self, sellers: Collection[int]):
        accounts = BankAccount.objects.current().filter(seller_id__in=sellers)
        self._accounts = {row.seller_id: row for row in accounts}
        self._assignments: defaultdict[int, list[Assignment]] = defaultdict(list)
        for row in Assignment.objects.in_force().filter(seller_id__in=sellers).order_by("pk"):
            self._assignments[row.seller_id].append(row)
        failed = Payout.objects.against_account().filter(seller_id__in=sellers)
        self._failed = set(failed.values_list("account_id", "assignment_id"))

    def of(self, seller_id: int, due_on: date) -> Destination | None:
        """Where what is due on a day goes; None where the seller has named no account."""
        for row in self._assignments[seller_id]:
            if row.covers(due_on):
                return row
        return self._accounts.get(seller_id)

    def payee(self, seller: Seller, to: Destination | None) -> Payee:
        """What the rules ask about a seller and where their money goes."""
        is_assignee = isinstance(to, Assignment)
        key = (None, to.pk) if is_assignee else (to and to.pk, None)
        return Payee(
            is_suspended=seller.state == Seller.State.SUSPENDED,
            account_id=to.pk if to else None,
            usable_from=to.usable_from if to else None,
            has_failed=to is not None and key in self._failed,
            is_assignee=is_assignee,
        )


def _waiting(statement: Statement, reason: str, account: Destination | None) -> Waiting:
    is_cooling = reason == payout_rules.COOLING and account is not None
    return Waiting(statement, reason, account.usable_from if is_cooling else None)


def held(statement_ids: list[int]) -> dict[int, str]:
    """Why statements must not be paid now, as codes: they, or their sellers, are held or excluded.

    A statement that may be paid is not in the answer.
    """
    return {
        key: payout_rules.BUSINESS_CLOSED if _is_closed(hold) else payout_rules.HELD
        for key, hold in holding.payment_blocks(statement_ids).items()
    }


def _is_closed(hold: Hold) -> bool:
    return hold.reason == Hold.Reason.BUSINESS_CLOSED and hold.kind == Hold.Kind.PAYMENT
