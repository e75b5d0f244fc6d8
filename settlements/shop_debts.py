"""What the seller centre shows of debts: what one seller owes, and how it became less or more.

Everything here is asked of one seller; another seller's debt does not exist for it.
"""

from dataclasses import dataclass

from sellers.models import Seller
from settlements.models import DebtMovement, SellerBalance


@dataclass(frozen=True, slots=True)
class Owed:
    """What a seller owes, in minor units: taken off coming statements, and invoiced."""

    carried: int = 0
    invoiced: int = 0


def owed(seller: Seller) -> Owed:
    """What a seller owes now."""
    balance = SellerBalance.objects.filter(seller=seller).first()
    return Owed(max(-balance.carry, 0), balance.receivable) if balance else Owed()


def movements(seller: Seller):
    """Deposits on the seller's debts, what was written off, and interest, newest first."""
    return DebtMovement.objects.filter(seller=seller).order_by("-pk")
