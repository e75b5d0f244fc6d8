"""Where a seller's money stands: expected, confirmed, held, paid, and when the next is due.

Expected is an estimate; everything else is read from what nights and payouts have written. What
is owed for payout, on its way or not, is what two accounts of the ledger say.
"""

from dataclasses import dataclass
from datetime import date

from django.db.models import Subquery, Sum, Value
from django.db.models.functions import Coalesce

from sellers.models import Seller
from settlements import estimates, ledger
from settlements.estimates import Expected
from settlements.models import Account, LedgerEntry, Payout, SellerBalance, Statement


@dataclass(frozen=True, slots=True)
class Position:
    """Amounts in minor units. `carry` is below zero where the seller owes the marketplace.

    `held_back` is what statements keep for holds; `invoiced` is debt that is paid by invoice.
    """

    expected: Expected
    confirmed: int
    paid: int
    held_back: int
    reserve: int
    carry: int
    invoiced: int
    next_due_on: date | None
    next_net: int

    @property
    def held(self) -> int:
        """What is kept back for now: by claims and holds, as a reserve, as too little to pay."""
        return self.expected.held.net + self.held_back + self.reserve + self.carried

    @property
    def carried(self) -> int:
        return max(self.carry, 0)

    @property
    def debt(self) -> int:
        """What is taken off the next statements."""
        return max(-self.carry, 0)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever sold, as far as money can tell."""
        amounts = (self.confirmed, self.paid, self.held_back, self.reserve, self.carry)
        return not (any(amounts) or self.expected.lines or self.expected.held.lines)


def of_seller(seller: Seller, *, on: date) -> Position:
    """Where the seller's money stands on a business day. Raises what estimates.expected does."""
    expected = estimates.expected(seller, on=on)
    confirmed, paid = for_payout(seller)
    balance = SellerBalance.objects.filter(seller=seller).first()
    following = Statement.objects.open().filter(seller=seller).order_by("due_on").first()
    return Position(
        expected=expected,
        confirmed=confirmed,
        paid=paid,
        held_back=balance.held if balance else 0,
        reserve=balance.reserve if balance else 0,
        carry=balance.carry if balance else 0,
        invoiced=balance.receivable if balance else 0,
        next_due_on=following.due_on if following else None,
        next_net=following.net if following else 0,
    )


def for_payout(seller: Seller) -> tuple[int, int]:
    """What statements gave the seller to be paid out and is not paid yet, and what was paid."""
    paid = Payout.objects.filter(seller=seller, state=Payout.State.PAID).order_by()
    paid = paid.annotate(of=Value(1)).values("of").annotate(sum=Sum("amount")).values("sum")
    accounts = Account.objects.filter(code__in=[ledger.PAYOUT_PAYABLE, ledger.PAYOUT_IN_TRANSIT])
    found = list(accounts.annotate(paid=Coalesce(Subquery(paid), 0)).values_list("pk", "paid"))
    # The numbers themselves, no subquery: with them the index on account and seller is used.
    keys = [key for key, _ in found]
    rows = LedgerEntry.objects.filter(account_id__in=keys, seller_id=seller.pk)
    sums = rows.aggregate(credit=Sum("credit"), debit=Sum("debit"))
    owed = (sums["credit"] or 0) - (sums["debit"] or 0)
    return owed, found[0][1] if found else 0
