"""Which price leaves a seller a wanted amount: exactly the smallest, by the functions that settle.

What is left of a price nearly always grows with it: rounding lets it fall back by a few units, a
tier or a price band by more. So the prices are cut where another rule or tier begins; within a cut
the search halves down to the prices that rounding leaves in doubt, and tries those one by one.
Values in, values out; amounts are minor units.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from marketplace.money import MILLION
from marketplace.refusals import Refused, gettext_noop
from settlements import fees, vat
from settlements.fee_rules import (
    AFTER_SELLER_DISCOUNT,
    BAND_ON_BASE,
    BUYER_PAID,
    FEE_OF,
    SALE_VAT,
    WHOLE,
)
from settlements.fees import Charge, Terms

_LEAST_LEFT: Final = Fraction(1, 1000)  # of each further unit of the price


class NotSearchable(Refused):
    code = "price_not_searchable"
    message = gettext_noop(
        "No price can be worked out: fees take nearly all of it, or go by tiers of another fee."
    )


def smallest(
    wanted: int,
    chosen: Sequence[tuple[int, Terms]],
    *,
    quantity: int = 1,
    seller_discount: int = 0,
    other_discount: int = 0,
    highest: int,
) -> int | None:
    """Return the smallest unit price that leaves at least `wanted` of all units, or None.

    `chosen` are the terms by the unit price from which on they hold, in order; the first one holds
    from 0. `highest` is the largest price to look at. Refuses terms under which what is left does
    not grow with the price.
    """
    lowest = -(-(seller_discount + other_discount) // quantity)  # the buyer pays nothing
    ends = [start for start, _ in chosen[1:]] + [highest + 1]
    for (start, terms), end in zip(chosen, ends, strict=True):
        cuts = _cuts(terms, quantity, seller_discount, other_discount)
        first = max(start, lowest)
        edges = [first, *sorted(cut for cut in cuts if first < cut < end)]
        for low, high in zip(edges, [*edges[1:], end], strict=True):
            if low >= high:
                continue
            found = _within(wanted, terms, low, high - 1, quantity, seller_discount, other_discount)
            if found is not None:
                return found
    return None


def _within(
    wanted: int, terms: Terms, low: int, high: int, quantity: int, by_seller: int, by_others: int
) -> int | None:
    """The smallest price from `low` to `high`, both included, between which no tier begins."""

    def left(price: int) -> int:
        return fees.figures(terms, quantity, price * quantity, by_seller, by_others)[3]

    if left(low) >= wanted:
        return low
    slack = _slack(terms)
    if left(high) < wanted - slack:
        return None
    # Where less than `wanted - slack` is left, no lower price leaves what is wanted.
    if left(low) < wanted - slack:
        end = high
        while end - low > 1:
            middle = (low + end) // 2
            if left(middle) < wanted - slack:
                low = middle
            else:
                end = middle
    return next((price for price in range(low, high + 1) if left(price) >= wanted), None)


def _slack(terms: Terms) -> int:
    """By how much less a higher price may leave: each rounding is off by less than one unit, and a
    fee on another fee takes its error over."""
    count = len(terms.charges)
    return 2 * (count * (count + 1) + 2 * count)


def _cuts(terms: Terms, quantity: int, by_seller: int, by_others: int) -> Iterator[int]:
    """The unit prices at which a tier begins that changes the rate on the whole base."""
    _refuse_flat(terms)
    off = {AFTER_SELLER_DISCOUNT: by_seller, BUYER_PAID: by_seller + by_others}
    for charge in terms.charges:
        rule = charge.rule
        if rule.band_basis != BAND_ON_BASE or rule.band_kind != WHOLE or len(rule.bands) < 2:
            continue
        if rule.base.startswith(FEE_OF):
            raise NotSearchable()
        for band in rule.bands[1:]:
            yield -(-(band.start + off.get(rule.base, 0)) // quantity)


def _refuse_flat(terms: Terms) -> None:
    taken = Fraction(0)
    steepest: dict[str, Fraction] = {}
    for charge in terms.charges:
        base = charge.rule.base
        slope = steepest.get(base.removeprefix(FEE_OF), Fraction(0)) if FEE_OF in base else 1
        share = slope * _rate(charge, terms.vat_rate_ppm)
        steepest[charge.rule.component] = share
        is_on_top = charge.rule.vat_kind == vat.EXCLUSIVE
        taken += share * (MILLION + (terms.vat_rate_ppm if is_on_top else 0)) / MILLION
    if 1 - taken < _LEAST_LEFT:
        raise NotSearchable()


def _rate(charge: Charge, vat_rate_ppm: int) -> Fraction:
    """The highest rate that a charge may take, less its benefits; of the VAT of a sale its own."""
    if charge.rule.component == SALE_VAT:
        return Fraction(*vat.ratio(vat.INCLUSIVE, vat_rate_ppm))
    rate = Fraction(max(band.rate_ppm for band in charge.bands()), MILLION)
    for percent_off_ppm in charge.percents_off_ppm:
        rate *= Fraction(MILLION - percent_off_ppm, MILLION)
    return rate
