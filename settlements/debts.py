"""What becomes of a statement below zero: carried on, taken from the reserve, or invoiced.

Amounts are minor units. Source: the settlement arithmetic, section 9.
"""

from typing import Final

CARRY_FORWARD: Final = "carry_forward"
DEDUCT_FROM_RESERVE: Final = "deduct_from_reserve"
INVOICE_SELLER: Final = "invoice_seller"
POLICIES: Final = (CARRY_FORWARD, DEDUCT_FROM_RESERVE, INVOICE_SELLER)

RESERVE_DAYS: Final = 90  # how long a reserve is kept where nobody said otherwise


def reserve_offered(gross: int, *, due: int, reserve: int, policy: str) -> int:
    """How much of a seller's reserve a statement may use.

    What is `due` is the seller's; where it is below zero, debts have taken of later reserves.
    Of the rest of `reserve` only debts take, and only where the policy says so.
    """
    free = min(max(due, 0), reserve)
    if policy != DEDUCT_FROM_RESERVE:
        return free
    return max(free, min(reserve, max(-gross, 0)))


def invoiced(carry_out: int, *, policy: str) -> int:
    """How much of what a statement ends with is invoiced instead of being carried on."""
    return max(-carry_out, 0) if policy == INVOICE_SELLER else 0
