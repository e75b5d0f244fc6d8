"""What of a batch's payouts was checked, and what was not, told before somebody approves it."""

from dataclasses import dataclass
from datetime import datetime

from sellers import business_status
from settlements import business_checks
from settlements.models import Payout, PayoutBatch, PayoutPolicy


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Payouts of which something was not checked, and their sum in minor units."""

    payouts: int = 0
    amount: int = 0

    def __bool__(self) -> bool:
        return self.payouts > 0


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of a batch that is not sent, or not to its end.

    Answers about businesses that are too old are no gap: they are asked for right before sending.
    """

    asks: bool  # whether the policy has businesses asked about
    waits: bool  # whether payouts wait where there is no answer
    bank_compares: bool  # whether whoever takes the transfer refuses another holder by itself
    unverified: Unchecked  # nobody has said that the account is its holder's
    without_number: Unchecked  # no business to ask about
    unanswered: Unchecked  # asked about, and not answered


def of(batch: PayoutBatch, *, at: datetime) -> Checks | None:
    """The checks of a batch's payouts that were not sent; None where none is left.

    The batch's policy was loaded with it. Queries do not grow with the payouts.
    """
    unsent = Payout.objects.filter(batch=batch, state=Payout.State.PREPARED)
    told = ("seller_id", "amount", "account_id", "account__holder_verified_at")
    rows = list(unsent.values_list(*told))
    if not rows:
        return None
    policy = batch.policy
    asks = business_checks.service_of(policy) is not None
    sellers = {seller for seller, *_ in rows} if asks else set()
    numbers = business_status.numbers(sellers)
    unknown = business_status.unknown(sellers, at=at, days=policy.business_days)
    silent = {
        key for key, known in business_status.of(unknown).items() if known.failed_at is not None
    }
    return Checks(
        asks=asks,
        waits=not policy.pays_unanswered,
        bank_compares=policy.gateway == PayoutPolicy.Gateway.PAYOUT_API,
        unverified=_sum(
            amount for _, amount, account, verified in rows if account and verified is None
        ),
        without_number=_sum(amount for key, amount, *_ in rows if asks and key not in numbers),
        unanswered=_sum(amount for key, amount, *_ in rows if key in silent),
    )


def _sum(amounts) -> Unchecked:
    found = list(amounts)
    return Unchecked(len(found), sum(found))
