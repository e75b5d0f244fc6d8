"""What an order's lines cost and who pays for them: discounts by funder, shipping, payments.

Figures are computed once, when an order is accepted, and never again. Amounts are minor units.
Source: the settlement arithmetic, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from marketplace import money
from marketplace.refusals import Refused, gettext_noop
from orders.remainders import FUNDERS, SELLER, DiscountExceedsLine

TAXABLE: Final = "taxable"
EXEMPT: Final = "exempt"


class LineNotPriceable(Refused):
    code = "line_not_priceable"
    message = gettext_noop("Line %(line)s cannot be priced: its %(field)s is %(value)s.")


class LineRepeated(Refused):
    code = "line_repeated"
    message = gettext_noop("Line number %(line)s stands twice in the order.")


class DiscountNotUsable(Refused):
    code = "discount_not_usable"
    message = gettext_noop("A discount of %(amount)s by “%(funder)s” cannot be applied.")


class DiscountExceedsLines(Refused):
    code = "discount_exceeds_lines"
    message = gettext_noop(
        "A discount of %(amount)s is more than the %(left)s left on the lines it is for."
    )


class TendersDoNotMatch(Refused):
    code = "tenders_do_not_match"
    message = gettext_noop("The payments sum to %(paid)s, but the order costs %(charged)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of goods as its sender numbered it, with the discounts already on it by funder."""

    number: int
    seller: str
    unit_price: int
    quantity: int
    seller_discount: int = 0
    platform_discount: int = 0
    partner_discount: int = 0

    @property
    def list_amount(self) -> int:
        return self.unit_price * self.quantity

    @property
    def after_seller_discount(self) -> int:
        return self.list_amount - self.seller_discount

    @property
    def buyer_paid(self) -> int:
        return self.after_seller_discount - self.platform_discount - self.partner_discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """Shipping of one seller's delivery group: a line of its own, with its own funding."""

    seller: str
    amount: int
    group: str = ""
    seller_discount: int = 0
    platform_discount: int = 0
    partner_discount: int = 0

    @property
    def buyer_paid(self) -> int:
        discounts = self.seller_discount + self.platform_discount + self.partner_discount
        return self.amount - discounts


@dataclass(frozen=True, slots=True)
class CartDiscount:
    """A discount over the cart; a seller's one lies only over that seller's own lines."""

    funder: str
    amount: int
    seller: str | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """A priced order. `tender_parts` has a row per payment, over `lines` and then `shipping`."""

    lines: tuple[Line, ...]  # by number
    shipping: tuple[Shipping, ...]  # as sent
    charged: int
    tender_parts: tuple[tuple[int, ...], ...]


def price(
    lines: Sequence[Line],
    cart_discounts: Sequence[CartDiscount] = (),
    shipping: Sequence[Shipping] = (),
    tenders: Sequence[int] = (),
) -> Priced:
    """Price an order whose payments are known. Discounts and payments are taken in sequence.

    Lines are taken by number, whatever order they arrive in. Refuses repeated numbers, amounts
    below zero, a discount above what is left on its lines, and payments that do not sum to what
    is charged.
    """
    priced = discounted(lines, cart_discounts)
    for line in shipping:
        _refuse_unusable(f"{line.seller}/{line.group}", line, line.amount)
    paid_by_buyer = [line.buyer_paid for line in priced] + [line.buyer_paid for line in shipping]
    parts = tender_parts(tenders, paid_by_buyer)
    return Priced(priced, tuple(shipping), sum(paid_by_buyer), parts)


def discounted(lines: Sequence[Line], cart_discounts: Sequence[CartDiscount]) -> tuple[Line, ...]:
    """Return the lines by number with the cart's discounts laid over them, in sequence.

    Each is split by what the earlier ones left of a line. Refuses as `price` does.
    """
    priced = sorted(lines, key=lambda line: line.number)
    for before, after in pairwise(priced):
        if before.number == after.number:
            raise LineRepeated(line=after.number)
    for line in priced:
        if line.quantity < 1 or line.unit_price < 0:
            field = "quantity" if line.quantity < 1 else "unit_price"
            raise LineNotPriceable(line=line.number, field=field, value=getattr(line, field))
        _refuse_unusable(str(line.number), line, line.list_amount)
    for discount in cart_discounts:
        _apply(discount, priced)
    return tuple(priced)


def tender_parts(
    tenders: Sequence[int], paid_by_buyer: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Split payments in sequence over lines, each by what the earlier ones left of a line.

    So the parts of a line sum to what the buyer pays for it. Refuses payments below zero and
    payments that do not sum to the lines.
    """
    if sum(tenders) != sum(paid_by_buyer) or any(tender < 0 for tender in tenders):
        raise TendersDoNotMatch(paid=sum(tenders), charged=sum(paid_by_buyer))
    left = list(paid_by_buyer)
    rows = []
    for tender in tenders:
        parts = money.split(tender, left)
        left = [before - part for before, part in zip(left, parts, strict=True)]
        rows.append(tuple(parts))
    return tuple(rows)


def sale_vat(after_seller_discount: int, vat_rate_ppm: int, tax_kind: str = TAXABLE) -> int:
    """Return the VAT contained in what a line sold for, for the seller's own VAT; 0 if exempt."""
    if tax_kind == EXEMPT:
        return 0
    return money.included_vat(after_seller_discount, vat_rate_ppm, money.HALF_UP)


def _apply(discount: CartDiscount, lines: list[Line]) -> None:
    """Lay one discount over the lines it is for, in place."""
    if discount.funder not in FUNDERS or discount.amount < 0:
        raise DiscountNotUsable(amount=discount.amount, funder=discount.funder)
    is_sellers = discount.funder == SELLER
    at = [n for n, line in enumerate(lines) if not is_sellers or line.seller == discount.seller]
    weights = [lines[n].buyer_paid for n in at]
    if discount.amount > sum(weights):
        raise DiscountExceedsLines(amount=discount.amount, left=sum(weights))
    field = f"{discount.funder}_discount"
    for n, part in zip(at, money.split(discount.amount, weights), strict=True):
        given = getattr(lines[n], field) + part
        lines[n] = replace(lines[n], **{field: given})


def _refuse_unusable(name: str, line: Line | Shipping, list_amount: int) -> None:
    """Refuse a line whose amount or discounts are below zero, or whose discounts exceed it."""
    discounts = (line.seller_discount, line.platform_discount, line.partner_discount)
    if list_amount < 0 or min(discounts) < 0:
        field, value = ("amount", list_amount) if list_amount < 0 else ("discount", min(discounts))
        raise LineNotPriceable(line=name, field=field, value=value)
    if sum(discounts) > list_amount:
        raise DiscountExceedsLine(discount=sum(discounts), list_amount=list_amount)
