"""Income tax withheld from people paid for services, 3 % and a tenth of it for the municipality.

It hangs on a line's income kind, not on the seller. Amounts are minor units, cut below ten as the
tax law does. Source: the settlement arithmetic, section 10.
"""

from dataclasses import dataclass
from typing import Final

from marketplace import money

GOODS: Final = "goods"
SERVICE: Final = "service"

INCOME_PPM: Final = 30_000
LOCAL_PPM: Final = 100_000  # of the income tax
UNIT: Final = 10


@dataclass(frozen=True, slots=True)
class Withholding:
    """The base it is computed from and the two taxes; due only when money is paid out."""

    base: int
    income: int = 0
    local: int = 0

    @property
    def total(self) -> int:
        return self.income + self.local


def withhold(service_net: int, base_carry_in: int = 0) -> Withholding:
    """Compute the tax on a statement's service lines and the base carried from earlier ones.

    `service_net` is the sum of net of the service lines, reversals included. A base below zero
    is taxed with nothing and used up later.
    """
    base = service_net + base_carry_in
    taxed = max(base, 0)
    income = money.floor_to(money.share(taxed, INCOME_PPM, money.FLOOR), UNIT)
    local = money.floor_to(money.share(income, LOCAL_PPM, money.FLOOR), UNIT)
    return Withholding(base, income, local)


def carried(withholding: Withholding, *, is_paid: bool) -> int:
    """Return the base that is carried on: paid, only a negative one; unpaid, all of it."""
    return min(withholding.base, 0) if is_paid else withholding.base
