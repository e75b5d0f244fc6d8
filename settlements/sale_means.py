"""How what was sold was paid for, as a seller's VAT return asks: card, cash receipt, other.

What a line was paid by is known for the whole line; of what remains after a reversal it is split
anew in the same proportions, so that parts always add up to the whole. Discounts that the
platform or a partner pays are part of what the seller sold for, and count as other. Amounts are
minor units. Source: the settlement arithmetic, section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from marketplace import money

CARD: Final = "card"
RECEIPT: Final = "cash_receipt"
OTHER: Final = "other"
MEANS: Final = (CARD, RECEIPT, OTHER)
_CARDS: Final = frozenset({"card", "credit_card", "debit_card"})

Shares: TypeAlias = Mapping[str, int]
"""What of a line each means paid."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What a line sold for: the price less the seller's own discount, and the buyer's part."""

    after_seller_discount: int
    buyer_paid: int


NOTHING: Final = Sold(0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """Sales by one means, and the VAT contained in them."""

    sales: int = 0
    vat: int = 0


def means_of(kind: str, cash_receipt: str) -> str:
    """The column of the return that a payment belongs to."""
    if kind.casefold() in _CARDS:
        return CARD
    return RECEIPT if cash_receipt else OTHER


def shares(parts: Sequence[tuple[str, int]]) -> dict[str, int]:
    """What each means paid of a line, from its parts of the order's payments."""
    found = dict.fromkeys(MEANS, 0)
    for means, part in parts:
        found[means] += part
    return found


def change(before: Sold, now: Sold, paid_by: Shares, vat: tuple[int, int]) -> dict[str, Part]:
    """By means, what sales change by when `before` becomes `now`; a sale comes from NOTHING.

    `vat` is what is contained in the two.
    """
    old, new = _by_means(before, paid_by, vat[0]), _by_means(now, paid_by, vat[1])
    return {
        means: Part(new[means].sales - old[means].sales, new[means].vat - old[means].vat)
        for means in MEANS
    }


def _by_means(sold: Sold, paid_by: Shares, vat: int) -> dict[str, Part]:
    weights = [paid_by[means] for means in MEANS]
    if not any(weights):
        weights = [0, 0, 1]
    sales = money.split(sold.buyer_paid, weights)
    sales[-1] += sold.after_seller_discount - sold.buyer_paid
    taxes = money.split(vat, sales) if any(sales) else [0, 0, 0]
    pairs = zip(sales, taxes, strict=True)
    return {means: Part(*pair) for means, pair in zip(MEANS, pairs, strict=True)}
