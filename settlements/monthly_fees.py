"""Which fixed fee of a month holds for a seller: the marketplace's, or what its contract says.

Values in, values out. Amounts are minor units without VAT; a month goes by its last day.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class Fee:
    """What sellers whose sales of a month reach a threshold are charged; 0 charges nobody."""

    amount: int
    threshold: int

    def due(self, sales: int) -> int:
        """What sales of a month, less what was returned, are charged."""
        return self.amount if sales >= self.threshold else 0


@dataclass(frozen=True, slots=True)
class Own:
    """What a contract says of it; None is what it leaves to the marketplace."""

    amount: int | None = None
    threshold: int | None = None
    waived_until: date | None = None  # the last day of the last month that is free, or a later one

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING: Final = Own()
WAIVED: Final = Fee(0, 0)


def agreed(standard: Fee, own: Own, *, on: date) -> Fee:
    """The fee of the month that ends on a day, or of a day if it were a month's last one."""
    if own.waived_until is not None and on <= own.waived_until:
        return WAIVED
    return Fee(
        amount=standard.amount if own.amount is None else own.amount,
        threshold=standard.threshold if own.threshold is None else own.threshold,
    )
