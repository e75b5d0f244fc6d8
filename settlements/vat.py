"""VAT on fees and on what partners supply. Amounts are minor units, rates parts per million.

A fee's VAT kind is said by its rule: on top of the fee, contained in it, or none. VAT is computed
from the rounded fee, per component and line. Source: the settlement arithmetic, sections 5 and 6.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from marketplace import money

EXCLUSIVE: Final = "exclusive"
INCLUSIVE: Final = "inclusive"
EXEMPT: Final = "exempt"
OUTSIDE_SCOPE: Final = "outside_scope"  # what is no supply, and so no rule of a fee can say
KINDS: Final = (EXCLUSIVE, INCLUSIVE, EXEMPT)

BY_LINE: Final = "line"  # the VAT of an invoice is the sum of its lines'
BY_INVOICE: Final = "invoice"  # it is computed once, from the sum of the month's fees


class Charged(NamedTuple):
    """Fees of one kind of VAT and rate, added up over lines, and the VAT of those lines."""

    kind: str
    vat_rate_ppm: int
    fees: int
    vat: int


class Rounding(NamedTuple):
    """The VAT by which a month's invoice differs from its lines (단수차)."""

    on_top: int = 0  # what is charged beyond the lines
    contained: int = 0  # what of the fees is VAT beyond what the lines say


def ratio(kind: str, vat_rate_ppm: int) -> tuple[int, int]:
    """Return (numerator, denominator) by which a fee is multiplied to give its exact VAT."""
    if kind == EXCLUSIVE:
        return vat_rate_ppm, money.MILLION
    if kind == INCLUSIVE:
        return vat_rate_ppm, money.MILLION + vat_rate_ppm
    return 0, 1


def on_invoice(fees: int, kind: str, vat_rate_ppm: int) -> int:
    """Return the VAT of a month's invoice over the sum of its fees (`vat_level = invoice`).

    Of a sum below zero, where more was given back than charged, it is the same below zero.
    """
    numerator, denominator = ratio(kind, vat_rate_ppm)
    size = money.round_ratio(abs(fees) * numerator, denominator, money.HALF_UP)
    return size if fees >= 0 else -size


def rounding(charged: Iterable[Charged]) -> Rounding:
    """Return by how much the VAT of a month's invoice differs from that of its lines.

    It is one named line (단수차) of that month. Kinds and rates are invoiced apart; the parts of
    one may come in several pieces.
    """
    sums: dict[tuple[str, int], list[int]] = {}
    for kind, vat_rate_ppm, fees, vat in charged:
        fees_and_vat = sums.setdefault((kind, vat_rate_ppm), [0, 0])
        fees_and_vat[0] += fees
        fees_and_vat[1] += vat
    difference = dict.fromkeys((*KINDS, OUTSIDE_SCOPE), 0)
    for (kind, vat_rate_ppm), (fees, vat) in sums.items():
        difference[kind] += on_invoice(fees, kind, vat_rate_ppm) - vat
    return Rounding(difference[EXCLUSIVE], difference[INCLUSIVE])


def of_payee(share: int, vat_rate_ppm: int, *, is_registered: bool) -> int:
    """Return the VAT a partner adds to the share he supplies; 0 unless registered for VAT."""
    return money.share(share, vat_rate_ppm, money.HALF_UP) if is_registered else 0
