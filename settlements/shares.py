"""What of a reported amount belongs to the partner who supplied it, and how that changes.

A report says what a stream (advertising, say) brought on a day. The rules of the fee schedule say
what the marketplace keeps of it; the rest is the partner's supply to the marketplace, on which the
partner's own VAT comes. Values in, values out. Amounts are minor units. Source: the settlement
arithmetic, sections 4, 6 and 7.
"""

from typing import Final, NamedTuple

from settlements import adjustments, fees
from settlements.fees import Charged, Terms

INDIVIDUAL: Final = "individual"  # sellers.models.Seller.Type; a person without a registration


class Share(NamedTuple):
    """Of one amount: what each component keeps of it (base, fee, VAT), and what is left."""

    charged: Charged
    kept: int
    share: int


def of(terms: Terms, amount: int) -> Share:
    """Return the partner's share of `amount`; 0 of nothing.

    VAT of a component does not lessen the share: what the marketplace keeps is no supply to the
    partner. A minimum above the amount leaves a share below zero. Raises fees.NotChargeable.
    """
    charged, kept, _, _ = fees.figures(terms, 1 if amount else 0, amount)
    return Share(charged, kept, amount - kept)


def base(list_amount: int, seller_discount: int) -> int:
    """Return what of a sale its host or affiliate has a share of: the price that its seller asked.

    What a marketplace or its partners give the buyer is part of it, as they owe it to the seller.
    """
    return list_amount - seller_discount


def difference(terms: Terms, before: int, after: int) -> int:
    """Return what the share grows by when a report of `before` is restated to `after`.

    Both by the same terms, so any number of restatements adds up to the share of the last one.
    """
    return of(terms, after).share - of(terms, before).share


def tax_kind(seller_type: str) -> str:
    """The VAT of what a partner supplies: none from a person without a registration."""
    return adjustments.OUTSIDE_SCOPE if seller_type == INDIVIDUAL else adjustments.TAXABLE
