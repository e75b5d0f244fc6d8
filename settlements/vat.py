"""VAT on fees and on what partners supply. Amounts are minor units, rates parts per million.

A fee's VAT kind is said by its rule: on top of the fee, contained in it, or none. VAT is computed
from the rounded fee, per component and line. Source: the settlement arithmetic, sections 5 and 6.
"""

from typing import Final

from marketplace import money

EXCLUSIVE: Final = "exclusive"
INCLUSIVE: Final = "inclusive"
EXEMPT: Final = "exempt"
KINDS: Final = (EXCLUSIVE, INCLUSIVE, EXEMPT)


def ratio(kind: str, vat_rate_ppm: int) -> tuple[int, int]:
    """Return (numerator, denominator) by which a fee is multiplied to give its exact VAT."""
    if kind == EXCLUSIVE:
        return vat_rate_ppm, money.MILLION
    if kind == INCLUSIVE:
        return vat_rate_ppm, money.MILLION + vat_rate_ppm
    return 0, 1


def on_invoice(fees: int, kind: str, vat_rate_ppm: int) -> int:
    """Return the VAT of a month's invoice over the sum of its fees (`vat_level = invoice`).

    The difference to the sum of the lines' VAT is one named line (단수차) of that month.
    """
    numerator, denominator = ratio(kind, vat_rate_ppm)
    return money.round_ratio(fees * numerator, denominator, money.HALF_UP)


def of_payee(share: int, vat_rate_ppm: int, *, is_registered: bool) -> int:
    """Return the VAT a partner adds to the share he supplies; 0 unless registered for VAT."""
    return money.share(share, vat_rate_ppm, money.HALF_UP) if is_registered else 0
