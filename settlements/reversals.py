"""What a cancel, a return or a price reduction gives back, by the original line's terms.

A reversal is the difference of what a line is worth before and after, so that any number of them
adds up to the sale. The original is never edited. Shipping is reversed only by its own refund.
Source: the settlement arithmetic, section 7.
"""

from collections.abc import Iterable
from typing import NamedTuple

from orders import remainders
from orders.remainders import MoreThanRemains, Remainder, Units
from settlements import fees
from settlements.fees import Charged, Terms


class Value(NamedTuple):
    """Every quantity of a line, or of the difference between two states of it, in minor units."""

    quantity: int
    list_amount: int
    seller_discount: int
    platform_discount: int
    partner_discount: int
    buyer_paid: int
    charged: Charged  # (base, fee, VAT) per component
    net: int


def value(terms: Terms, remainder: Remainder, kept: Charged | None = None) -> Value:
    """Return what a line is worth with `remainder` left of it.

    `kept` is what the original line was charged: components that are kept on a refund have its
    figures, even without units; everything else is 0 then. Without `kept` the remainder is the
    original line itself.
    """
    quantity, list_amount = remainder.quantity, remainder.list_amount
    seller, platform = remainder.seller_discount, remainder.platform_discount
    partner = remainder.partner_discount
    charged, _, _, net = fees.figures(terms, quantity, list_amount, seller, platform, partner, kept)
    return Value(
        quantity,
        list_amount,
        seller,
        platform,
        partner,
        list_amount - seller - platform - partner,
        charged,
        net,
    )


def reversed_between(
    terms: Terms, original: Remainder, before: Remainder, after: Remainder
) -> Value:
    """Return what is reversed when a line goes from `before` to `after`; positive gives back.

    `original` is the line as it was sold. Of a price reduction the discount comes out negative:
    it grew. Refuses an `after` with more left than `before`, or a `before` with more than sold.
    """
    _refuse_more(original, before)
    _refuse_more(before, after)
    sold = value(terms, original)
    old = sold if before == original else value(terms, before, sold.charged)
    new = value(terms, after, sold.charged)
    charged = tuple(
        (base - base_left, fee - fee_left, vat - vat_left)
        for (base, fee, vat), (base_left, fee_left, vat_left) in zip(
            old.charged, new.charged, strict=True
        )
    )
    return Value(
        old.quantity - new.quantity,
        old.list_amount - new.list_amount,
        old.seller_discount - new.seller_discount,
        old.platform_discount - new.platform_discount,
        old.partner_discount - new.partner_discount,
        old.buyer_paid - new.buyer_paid,
        charged,
        old.net - new.net,
    )


def worths(terms: Terms, original: Remainder, units: Units, quantities: Iterable[int]) -> list[int]:
    """Return what each of several reversals takes from the seller, one after the other.

    `units` are those left before the first; a quantity above what is left by then takes that.
    Where a reversal would give the seller something, it is worth nothing.
    """
    found = []
    for quantity in quantities:
        after = remainders.take_back(units, min(quantity, len(units.discounts)))
        back = reversed_between(terms, original, units.remainder(), after.remainder())
        found.append(max(back.net, 0))
        units = after
    return found


def _refuse_more(before: Remainder, after: Remainder) -> None:
    if after.quantity > before.quantity or after.list_amount > before.list_amount:
        raise MoreThanRemains(asked=after.quantity, remaining=before.quantity)
    if after.buyer_paid > before.buyer_paid:
        raise MoreThanRemains(asked=after.buyer_paid, remaining=before.buyer_paid)
