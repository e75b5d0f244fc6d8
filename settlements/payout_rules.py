"""Which closed statements can be paid, why the others cannot, and what is sent together.

Amounts are minor units, moments are told. A verdict is a code; edges turn it into words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

NO_POLICY: Final = "no_policy"
HELD: Final = "held"
BUSINESS_CLOSED: Final = "business_closed"  # held, since the tax office says that it is not open
NO_ACCOUNT: Final = "no_account"
COOLING: Final = "account_cooling"
ACCOUNT_FAILED: Final = "account_failed"
ASSIGNEE_FAILED: Final = "assignee_failed"
SUSPENDED: Final = "seller_suspended"
OVER_PAYOUT_LIMIT: Final = "over_payout_limit"
OVER_BATCH_LIMIT: Final = "over_batch_limit"
# Found right before sending, when the payout exists already:
ACCOUNT_CHANGED: Final = "account_changed"
HOLDER_DIFFERS: Final = "holder_differs"
UNWRITABLE: Final = "unwritable"
AGAINST_ACCOUNT: Final = (HOLDER_DIFFERS, UNWRITABLE)  # until the seller names another one
CANCELLED: Final = "batch_cancelled"
PAID_BEFORE: Final = "paid_before"

REASONS: Final = (
    NO_POLICY,
    HELD,
    BUSINESS_CLOSED,
    NO_ACCOUNT,
    COOLING,
    ACCOUNT_FAILED,
    ASSIGNEE_FAILED,
    SUSPENDED,
    OVER_PAYOUT_LIMIT,
    OVER_BATCH_LIMIT,
)

# What a bank says of a failed transfer, by its code.
NO_SUCH_ACCOUNT: Final = "no_such_account"
ACCOUNT_CLOSED: Final = "account_closed"
BANK_LIMIT: Final = "bank_limit"
BANK_UNAVAILABLE: Final = "bank_unavailable"
BANK_REFUSED: Final = "bank_refused"
_BANK_CODES: Final = {
    "0011": NO_SUCH_ACCOUNT,
    "0012": HOLDER_DIFFERS,
    "0021": ACCOUNT_CLOSED,
    "0031": BANK_LIMIT,
    "0091": BANK_UNAVAILABLE,
}
# What a payout provider says of a transfer that it has surely not taken, by its code.
REFUSED_BY_PROVIDER: Final = {
    "INVALID_BANK": NO_SUCH_ACCOUNT,
    "INVALID_ACCOUNT_NUMBER": NO_SUCH_ACCOUNT,
    "INVALID_ACCOUNT_HOLDER": HOLDER_DIFFERS,
    "ACCOUNT_CLOSED": ACCOUNT_CLOSED,
    "EXCEED_ACCOUNT_LIMIT": BANK_LIMIT,
    "BANK_MAINTENANCE": BANK_UNAVAILABLE,
    "FORBIDDEN_SELLER_PAYOUT": BANK_REFUSED,
    "INSUFFICIENT_BALANCE": BANK_REFUSED,
    "INVALID_REQUEST": BANK_REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """What decides whether a seller can be paid at all."""

    is_suspended: bool
    account_id: int | None
    usable_from: datetime | None
    has_failed: bool  # the last payout to this account did not arrive
    is_assignee: bool = False  # not the seller, but whom the claims were assigned to


@dataclass(frozen=True, slots=True)
class Due:
    """A closed statement with something to pay."""

    id: int
    amount: int
    held: str = ""  # HELD or BUSINESS_CLOSED, where something holds it


@dataclass(frozen=True, slots=True)
class Sorted:
    """The statements that one payout pays, in their order, and why each of the others waits."""

    paid: tuple[int, ...]
    amount: int
    waiting: dict[int, str]


def hindrance(payee: Payee, *, at: datetime) -> str | None:
    """Why nothing can be paid to a seller at a moment; None where it can."""
    if payee.is_suspended:
        return SUSPENDED
    if payee.account_id is None or payee.usable_from is None:
        return NO_ACCOUNT
    if payee.has_failed:
        return ASSIGNEE_FAILED if payee.is_assignee else ACCOUNT_FAILED
    if payee.usable_from > at:
        return COOLING
    return None


def sort(
    due: Sequence[Due],
    payee: Payee,
    *,
    at: datetime,
    payout_limit: int | None = None,
    batch_limit: int | None = None,
) -> Sorted:
    """Put a seller's statements, oldest first, into one payout as far as they fit.

    A statement above a limit waits, the ones after it do not wait for it. Nothing of an amount is
    split: a payout is always whole statements.
    """
    reason = hindrance(payee, at=at)
    paid: list[int] = []
    amount = 0
    waiting: dict[int, str] = {}
    for statement in due:
        together = amount + statement.amount
        if statement.held:
            waiting[statement.id] = statement.held
        elif reason is not None:
            waiting[statement.id] = reason
        elif payout_limit is not None and together > payout_limit:
            waiting[statement.id] = OVER_PAYOUT_LIMIT
        elif batch_limit is not None and together > batch_limit:
            waiting[statement.id] = OVER_BATCH_LIMIT
        else:
            paid.append(statement.id)
            amount = together
    return Sorted(tuple(paid), amount, waiting)


def cut(amounts: Iterable[int], limit: int | None) -> list[list[int]]:
    """Cut payouts, by their places, into batches of at most `limit` each, in their order.

    No amount lies above the limit; sort() has seen to that.
    """
    batches: list[list[int]] = []
    total = 0
    for place, amount in enumerate(amounts):
        if not batches or (limit is not None and total + amount > limit):
            batches.append([])
            total = 0
        batches[-1].append(place)
        total += amount
    return batches


def failure(code: str) -> str:
    """Why a transfer failed, from the bank's code; a code that is not known is a refusal."""
    return {**_BANK_CODES, **REFUSED_BY_PROVIDER}.get(code, BANK_REFUSED)


def has_same_name(given: str, known: str) -> bool:
    """Whether two names of an account holder are one: spaces, case and “(주)” do not count."""
    return _plain_name(given) == _plain_name(known)


def _plain_name(name: str) -> str:
    for form in ("주식회사", "(주)", "㈜"):
        name = name.replace(form, "")
    return "".join(name.split()).casefold()
