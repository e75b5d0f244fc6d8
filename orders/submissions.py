"""Orders as senders tell them, and what can be said against one without looking anything up.

Values in, values out. Amounts are minor units; codes are the marketplace's own.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from marketplace.refusals import Refused, gettext_noop
from orders import return_shipping, verdicts
from orders.pricing import EXEMPT, TAXABLE, CartDiscount
from orders.remainders import FUNDERS, SELLER, DiscountExceedsLine
from orders.verdicts import LARGEST_AMOUNT, LARGEST_NUMBER, LARGEST_QUANTITY

SHIPPING: Final = "shipping"
REFERRAL_STREAMS: Final = ("host", "affiliate")
DISCOUNTS: Final = ("seller_discount", "platform_discount", "partner_discount")


class NumberRepeated(Refused):
    code = "number_repeated"
    message = gettext_noop("Number %(value)s stands twice in the order.")


class ShippingRepeated(Refused):
    code = "shipping_repeated"
    message = gettext_noop("Shipping of a delivery group is charged once, in one line.")


class OfClaims(verdicts.FieldNotUsable):
    code = "of_claims"
    message = gettext_noop("%(field)s is “%(value)s”: that comes of claims, not of orders.")


class OwnReferral(Refused):
    code = "own_referral"
    message = gettext_noop(
        "“%(value)s” sells this line itself. Name the seller that brought the sale, or none."
    )


class ShippingReferred(Refused):
    code = "shipping_referred"
    message = gettext_noop(
        "Nobody has a commission on shipping. Name who brought the sale on the goods."
    )


class NotOneOf(verdicts.FieldNotUsable):
    code = "not_one_of"
    message = gettext_noop("%(field)s is “%(value)s”; it must be one of %(among)s.")


@dataclass(frozen=True, slots=True)
class NewReferral:
    """Who brought a sale, by code, and as what: one of REFERRAL_STREAMS."""

    seller_code: str
    stream: str


@dataclass(frozen=True, slots=True)
class NewLine:
    """Goods of one seller, a shipping charge (stream "shipping"), or another stream of revenue."""

    number: int
    seller_code: str
    unit_price: int
    quantity: int
    stream: str = "goods"
    sku: str = ""
    title: str = ""
    category_code: str | None = None
    listing_code: str | None = None
    listing_kind: str = ""
    delivery_group: str = ""
    tax_kind: str = TAXABLE
    seller_discount: int = 0
    platform_discount: int = 0
    partner_discount: int = 0
    referral: NewReferral | None = None


@dataclass(frozen=True, slots=True)
class NewPayment:
    sequence: int
    kind: str
    amount: int
    tax_free_amount: int = 0
    provider_id: str = ""
    approved_at: datetime | None = None
    cash_receipt: str = ""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """Cart discounts name sellers by their code, and lie over goods, not over shipping."""

    number: str
    source: str
    placed_at: datetime
    lines: Sequence[NewLine]
    payments: Sequence[NewPayment] = ()
    buyer_reference: str = ""
    channel: str = ""
    cart_discounts: Sequence[CartDiscount] = ()


def check(order: NewOrder, at: datetime) -> None:
    """Refuse an order that could never be accepted, naming the field. `at` is now."""
    verdicts.check_text("number", order.number, 100, needed=True)
    verdicts.check_text("source", order.source, 40, needed=True)
    verdicts.check_moment("placed_at", order.placed_at, at)
    verdicts.check_text("buyer_reference", order.buyer_reference, 100)
    verdicts.check_text("channel", order.channel, 30)
    if not order.lines:
        raise verdicts.FieldMissing(field="lines")
    for n, line in enumerate(order.lines):
        _check_line(f"lines[{n}].", line)
    for n, payment in enumerate(order.payments):
        _check_payment(f"payments[{n}].", payment, at)
    for n, discount in enumerate(order.cart_discounts):
        _check_one_of(f"cart_discounts[{n}].funder", discount.funder, FUNDERS)
        verdicts.check_between(f"cart_discounts[{n}].amount", discount.amount, 0, LARGEST_AMOUNT)
        if discount.funder == SELLER:
            name = f"cart_discounts[{n}].seller"
            _check_one_of(name, discount.seller, [line.seller_code for line in order.lines])
    _refuse_repeated("lines", "number", [line.number for line in order.lines])
    _refuse_repeated("payments", "sequence", [payment.sequence for payment in order.payments])
    _refuse_repeated_shipping(order.lines)


def _check_line(at: str, line: NewLine) -> None:
    text, between = verdicts.check_text, verdicts.check_between
    between(at + "number", line.number, 1, LARGEST_NUMBER)
    text(at + "seller_code", line.seller_code, 64, needed=True)
    between(at + "unit_price", line.unit_price, 0, LARGEST_AMOUNT)
    between(at + "quantity", line.quantity, 1, LARGEST_QUANTITY)
    between(at + "list_amount", line.unit_price * line.quantity, 0, LARGEST_AMOUNT)
    text(at + "stream", line.stream, 30, needed=True)
    if line.stream == return_shipping.STREAM:
        raise OfClaims(field=at + "stream", value=line.stream)
    text(at + "sku", line.sku, 100)
    text(at + "title", line.title, 300)
    text(at + "category_code", line.category_code or "", 300)
    text(at + "listing_code", line.listing_code or "", 100)
    text(at + "listing_kind", line.listing_kind, 30)
    text(at + "delivery_group", line.delivery_group, 60)
    _check_one_of(at + "tax_kind", line.tax_kind, (TAXABLE, EXEMPT))
    discount, list_amount = 0, line.unit_price * line.quantity
    for name in DISCOUNTS:
        between(at + name, getattr(line, name), 0, LARGEST_AMOUNT)
        discount += getattr(line, name)
    if discount > list_amount:
        raise DiscountExceedsLine(
            discount=discount, list_amount=list_amount, field=at + "seller_discount"
        )
    if line.referral is not None:
        _check_referral(at + "referral", line, line.referral)


def _check_referral(at: str, line: NewLine, referral: NewReferral) -> None:
    code = referral.seller_code
    verdicts.check_text(f"{at}.seller_code", code, 64, needed=True)
    _check_one_of(f"{at}.stream", referral.stream, REFERRAL_STREAMS)
    if line.stream == SHIPPING:
        raise ShippingReferred(field=at)
    if code == line.seller_code:
        raise OwnReferral(value=code, field=f"{at}.seller_code")


def _check_payment(at: str, payment: NewPayment, now: datetime) -> None:
    verdicts.check_between(at + "sequence", payment.sequence, 0, 2**15 - 1)
    verdicts.check_text(at + "kind", payment.kind, 40, needed=True)
    if payment.kind == return_shipping.STREAM:
        raise OfClaims(field=at + "kind", value=payment.kind)
    verdicts.check_between(at + "amount", payment.amount, 0, LARGEST_AMOUNT)
    verdicts.check_between(at + "tax_free_amount", payment.tax_free_amount, 0, payment.amount)
    verdicts.check_text(at + "provider_id", payment.provider_id, 100)
    verdicts.check_text(at + "cash_receipt", payment.cash_receipt, 60)
    if payment.approved_at is not None:
        verdicts.check_moment(at + "approved_at", payment.approved_at, now)


def _check_one_of(field: str, value: object, among: Iterable[str]) -> None:
    among = list(among)
    if value not in among:
        shown = ", ".join(sorted(set(among)))
        raise NotOneOf(field=field, value=str(value)[:40], among=shown[:200])


def _refuse_repeated(where: str, name: str, values: Sequence[Hashable]) -> None:
    seen: set[Hashable] = set()
    for n, value in enumerate(values):
        if value in seen:
            raise NumberRepeated(value=value, field=f"{where}[{n}].{name}")
        seen.add(value)


def _refuse_repeated_shipping(lines: Sequence[NewLine]) -> None:
    seen = set()
    for n, line in enumerate(lines):
        if line.stream == SHIPPING:
            group = (line.seller_code, line.delivery_group)
            if group in seen:
                raise ShippingRepeated(field=f"lines[{n}].delivery_group")
            seen.add(group)
