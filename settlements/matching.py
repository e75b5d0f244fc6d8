"""What a payment provider says of a payment against what the orders say. Values in, values out.

Amounts are minor units, signed as the provider's rows are: payments above zero, refunds below.
"""

from dataclasses import dataclass
from typing import Final

PAYMENT: Final = "payment"
REFUND: Final = "refund"
AMOUNT: Final = "amount"
MISSING_HERE: Final = "missing_here"
MISSING_THERE: Final = "missing_there"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the two differ, and what of it the provider moved without an explanation here.

    `suspended` is put on suspense as a credit (below zero: a debit); the rest of the difference is
    money that the provider still owes, which the clearing account goes on saying.
    """

    kind: str
    difference: int
    suspended: int


def judge(side: str, expected: int | None, found: int | None) -> Verdict | None:
    """Compare the sums of one payment, or of what was given back on it; None where they agree.

    `expected` is None where the orders know no such payment, `found` where the provider names
    none. A refund that the provider has not made yet is no difference: it still may.
    """
    difference = (found or 0) - (expected or 0)
    if expected is None:
        return Verdict(MISSING_HERE, difference, difference)
    if side == REFUND:
        return Verdict(AMOUNT, difference, difference) if difference < 0 else None
    if found is None:
        return Verdict(MISSING_THERE, difference, 0)
    if not difference:
        return None
    return Verdict(AMOUNT, difference, max(difference, 0))
