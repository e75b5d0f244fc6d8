"""What remains of an order line after units were taken back or its price was reduced.

A line's discounts are split over its units once, funder by funder; units are taken back from the
last one. Whatever was done to a line, its remainder is a sum over the units that are left, so a
reversal can be computed as the difference of two remainders. Amounts are minor units.
Source: the settlement arithmetic, section 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from marketplace import money
from marketplace.refusals import Refused, gettext_noop

SELLER: Final = "seller"
PLATFORM: Final = "platform"
PARTNER: Final = "partner"
FUNDERS: Final = (SELLER, PLATFORM, PARTNER)


class MoreThanRemains(Refused):
    code = "more_than_remains"
    message = gettext_noop("%(asked)s cannot be taken back: only %(remaining)s remain.")


class ReductionExceedsPaid(Refused):
    code = "reduction_exceeds_paid"
    message = gettext_noop(
        "The price cannot be reduced by %(amount)s: the buyer pays only %(paid)s for what remains."
    )


class DiscountExceedsLine(Refused):
    code = "discount_exceeds_line"
    message = gettext_noop("Discounts of %(discount)s are more than the line's %(list_amount)s.")


@dataclass(frozen=True, slots=True)
class Remainder:
    """The amounts of a line over the units that are left. A whole line is one too."""

    quantity: int
    list_amount: int
    seller_discount: int = 0
    platform_discount: int = 0
    partner_discount: int = 0

    @property
    def after_seller_discount(self) -> int:
        return self.list_amount - self.seller_discount

    @property
    def buyer_paid(self) -> int:
        return self.after_seller_discount - self.platform_discount - self.partner_discount


NOTHING: Final = Remainder(quantity=0, list_amount=0)


@dataclass(frozen=True, slots=True)
class Units:
    """The units left of a line, first to last, each with what each funder gives for it."""

    unit_price: int
    discounts: tuple[tuple[int, int, int], ...]  # seller, platform, partner

    def remainder(self) -> Remainder:
        return _summed(self.unit_price, self.discounts)

    def paid(self) -> list[int]:
        """What the buyer still pays for each unit."""
        return [self.unit_price - sum(discounts) for discounts in self.discounts]


def units_of(
    unit_price: int,
    quantity: int,
    seller_discount: int = 0,
    platform_discount: int = 0,
    partner_discount: int = 0,
) -> Units:
    """Split a line's discounts over its units: seller's first, then platform's, then partner's.

    The weight of a unit is its price less the discounts already on it, so none goes below zero.
    Refuses discounts above the price of the line.
    """
    paid = [unit_price] * quantity
    columns = []
    for discount in (seller_discount, platform_discount, partner_discount):
        if discount > sum(paid):
            raise DiscountExceedsLine(
                discount=seller_discount + platform_discount + partner_discount,
                list_amount=unit_price * quantity,
            )
        parts = money.split(discount, paid)
        paid = [before - part for before, part in zip(paid, parts, strict=True)]
        columns.append(parts)
    return Units(unit_price, tuple(zip(*columns, strict=True)))


def take_back(units: Units, quantity: int) -> Units:
    """Take `quantity` units back, from the last one. Refuses more than remain."""
    left = len(units.discounts) - quantity
    if quantity < 0 or left < 0:
        raise MoreThanRemains(asked=quantity, remaining=len(units.discounts))
    return Units(units.unit_price, units.discounts[:left])


def reduce_price(units: Units, amount: int, funder: str = SELLER) -> Units:
    """Add `amount` to what `funder` gives for the units left; they all stay.

    It is split by what the buyer still pays for each unit; more than that is refused.
    """
    paid = units.paid()
    if amount > sum(paid):
        raise ReductionExceedsPaid(amount=amount, paid=sum(paid))
    column = FUNDERS.index(funder)
    discounts = []
    for given, part in zip(units.discounts, money.split(amount, paid), strict=True):
        seller, platform, partner = (
            before + (part if at == column else 0) for at, before in enumerate(given)
        )
        discounts.append((seller, platform, partner))
    return Units(units.unit_price, tuple(discounts))


def remaining(
    unit_price: int,
    quantity: int,
    seller_discount: int,
    platform_discount: int,
    partner_discount: int,
    left: int,
) -> Remainder:
    """Return a line's remainder when `left` of its `quantity` units are left.

    For lines whose price was never reduced afterwards; those are followed with `Units`.
    Refuses more units left than there were, or fewer than none.
    """
    if not 0 <= left <= quantity:
        raise MoreThanRemains(asked=quantity - left, remaining=quantity)
    if not left:
        return NOTHING
    if left == quantity or not (seller_discount or platform_discount or partner_discount):
        amounts = (seller_discount, platform_discount, partner_discount)
        return Remainder(left, unit_price * left, *amounts)
    units = units_of(unit_price, quantity, seller_discount, platform_discount, partner_discount)
    return _summed(unit_price, units.discounts[:left])


def _summed(unit_price: int, discounts: Sequence[tuple[int, int, int]]) -> Remainder:
    quantity = len(discounts)
    if not quantity:
        return NOTHING
    seller, platform, partner = (sum(column) for column in zip(*discounts, strict=True))
    return Remainder(quantity, unit_price * quantity, seller, platform, partner)
