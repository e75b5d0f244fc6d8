"""Discounts that the marketplace funds: a payment to the seller, or a cut of its fees.

What the seller gets is the same: the price before the discount, less fees. What differs is what was
supplied. A payment leaves the fees whole, and the discount is part of the seller's sales. A cut
makes the fees less, with their VAT, and the seller has sold for less. Values in, values out;
amounts are minor units. Source: 부가가치세법 제29조 제5항, by which a discount is no supply.
"""

from typing import Final, NamedTuple

from marketplace import money

PAYMENT: Final = "payment"
FEE_CUT: Final = "fee_cut"
KINDS: Final = (PAYMENT, FEE_CUT)


class Cut(NamedTuple):
    """By how much fees are less, and the VAT on them."""

    supply: int = 0
    vat: int = 0

    @property
    def whole(self) -> int:
        """The discount that they are less by."""
        return self.supply + self.vat


def cut(discounts: int, fees: int, vat: int) -> Cut:
    """Return what `discounts` take off fees, in the proportion in which these hold VAT.

    `fees` are with all their `vat`; a cut of all of them leaves neither. Below zero, where more
    was given back than charged, it is the same below zero.
    """
    if not fees:
        return Cut(discounts)
    size = money.round_ratio(abs(discounts * vat), abs(fees), money.HALF_UP)
    tax = size if discounts * vat * fees >= 0 else -size
    return Cut(discounts - tax, tax)
