"""Accept orders from senders: the shop's checkout, a seller's system, a file of history.

An order is checked and priced once, at the door, and its lines are frozen. Each order stands for
itself: one that is refused changes nothing about the others. Events that came before their
order act as soon as it is accepted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from listings.models import Category, Listing
from marketplace import audit, changes, identifiers
from marketplace.refusals import Refused, gettext_noop
from orders import (
    applying,
    arrivals,
    bulk,
    events,
    pricing,
    referrals,
    return_shipping,
    submissions,
    verdicts,
)
from orders.models import Order, OrderLine, Payment
from orders.submissions import DISCOUNTS, SHIPPING, NewLine, NewOrder, NewPayment
from orders.verdicts import Verdict
from sellers.models import Seller

__all__ = ["LIST", "REFUSE", "NewLine", "NewOrder", "NewPayment", "Verdict", "accept_many"]

REFUSE: Final = "refuse"  # payments that do not match are refused at the door
LIST: Final = "list"  # they are stored with their difference, and listed

BATCH = 1_000

_ORDER = ("public_id", "number", "source", "placed_at", "buyer_reference", "tender_difference")
_SAID = (  # of a line, what its sender said; a repetition says the same
    "number",
    "seller_id",
    "stream",
    "unit_price",
    "quantity",
    *DISCOUNTS,
    "sku",
    "title",
    "delivery_group",
    "tax_kind",
    "channel",
)
_LOOKED_UP = ("category_id", "listing_id", "listing_kind")  # said, or taken from the listing
_DERIVED = ("seller_type", "list_amount", "units_left", "status", "cancelled_by_seller")
_PAYMENT = (
    "sequence",
    "kind",
    "amount",
    "tax_free_amount",
    "provider_id",
    "approved_at",
    "cash_receipt",
)


class OrderDiffers(Refused):
    code = "order_differs"
    message = gettext_noop("Order %(order)s was accepted before and said something else.")


class UnknownSeller(Refused):
    code = "unknown_seller"
    message = gettext_noop("No seller has the code “%(value)s”.")


class UnknownCategory(Refused):
    code = "unknown_category"
    message = gettext_noop("No category has the code “%(value)s”.")


class UnknownListing(Refused):
    code = "unknown_listing"
    message = gettext_noop("The seller has no listing with the code “%(value)s”.")


@transaction.atomic(savepoint=False)
def accept_many(
    orders: Iterable[NewOrder], *, at: datetime, tenders: str = REFUSE, is_news: bool = True
) -> list[Verdict]:
    """Accept orders, each by itself; a verdict for each, in the order given.

    Sent again it is `repeated`, or refused as `order_differs` if it says something else.
    Payments that do not sum to what is charged are refused; with tenders="list" the order is
    stored with the difference, and its verdict is accepted with the code. The change feed is
    told of accepted orders where they are news, not history.
    """
    if tenders not in (REFUSE, LIST):
        raise ValueError(f"tenders is {tenders!r}")
    orders = list(orders)
    given = [_checked(order, at) for order in orders]
    usable = [n for n, verdict in enumerate(given) if verdict is None]
    arrivals.bring_orders(orders[n].number for n in usable)
    for start in range(0, len(usable), BATCH):
        batch = usable[start : start + BATCH]
        found = _accept([orders[n] for n in batch], at, tenders, is_news)
        for n, verdict in zip(batch, found, strict=True):
            given[n] = verdict
    return given


def _checked(order: NewOrder, at: datetime) -> Verdict | None:
    try:
        submissions.check(order, at)
    except Refused as refusal:
        return verdicts.refused(order.number, refusal)
    return None


def _accept(orders: Sequence[NewOrder], at: datetime, tenders: str, is_news: bool) -> list[Verdict]:
    """A batch of orders against which nothing could be said so far."""
    catalogue = _Catalogue(orders)
    stored = _stored(orders)
    given: list[Verdict | None] = []
    new: dict[str, _Priced] = {}
    for order in orders:
        try:
            priced = _price(order, catalogue)
            before = stored.get(order.number)
            if before is None and order.number in new:
                before = new[order.number].content()
            if before is not None:
                given.append(_compared(priced, before))
                continue
            _check_tenders(priced, tenders)
        except Refused as refusal:
            field = "payments" if isinstance(refusal, pricing.TendersDoNotMatch) else ""
            given.append(verdicts.refused(order.number, refusal, field))
            continue
        new[order.number] = priced
        given.append(None)  # when it is written
    accepted = _write(list(new.values()), at)
    if is_news:
        _announce(new, accepted, at)
    return [verdict or accepted[order.number] for order, verdict in zip(orders, given, strict=True)]


@dataclass(slots=True)
class _Line:
    """A line ready to be written; `named` tells which of _LOOKED_UP the sender said himself."""

    said: tuple
    looked_up: tuple
    derived: tuple
    named: tuple[bool, ...] = (True, True, True)
    referral: tuple[int, str] | None = None  # referrer and stream


@dataclass(slots=True)
class _Content:
    """What an accepted order said, as it is stored."""

    order: tuple
    buyer_reference: str
    lines: dict[int, _Line]
    payments: list[tuple]
    public_id: str = ""


@dataclass(slots=True)
class _Priced:
    """An order whose lines are priced and whose codes are found."""

    order: NewOrder
    lines: list[_Line]
    payments: list[tuple]
    charged: int
    paid: int
    remark: Refused | None = None

    def content(self) -> _Content:
        order = self.order
        lines = {line.said[0]: line for line in self.lines}
        facts = (order.source, order.placed_at)
        return _Content(facts, order.buyer_reference, lines, self.payments)


class _Catalogue:
    """The sellers, categories and listings that a batch names, by code."""

    def __init__(self, orders: Sequence[NewOrder]) -> None:
        lines = [line for order in orders for line in order.lines]
        sellers = Seller.objects.filter(bulk.among("code", {line.seller_code for line in lines}))
        self._sellers = {
            code: (key, kind)
            for code, key, kind in sellers.values_list("code", "pk", "seller_type")
        }
        codes = {line.category_code for line in lines if line.category_code}
        categories = Category.objects.filter(bulk.among("code", codes)).values_list("code", "pk")
        self._categories = dict(categories) if codes else {}
        codes = {line.listing_code for line in lines if line.listing_code}
        listings = Listing.objects.filter(
            bulk.among("code", codes),
            bulk.among("seller_id", [key for key, _ in self._sellers.values()]),
        ).values_list("seller_id", "code", "pk", "kind", "live_revision__category_id")
        self._listings = {row[:2]: row[2:] for row in listings} if codes else {}
        self.referrers = referrals.Referrers(orders)

    def seller(self, code: str, field: str) -> tuple[int, str]:
        if code not in self._sellers:
            raise UnknownSeller(value=code, field=field)
        return self._sellers[code]

    def category(self, code: str | None, field: str) -> int | None:
        if not code:
            return None
        if code not in self._categories:
            raise UnknownCategory(value=code, field=field)
        return self._categories[code]

    def listing(self, seller_id: int, code: str | None, field: str) -> tuple:
        """Its id, kind and category."""
        if not code:
            return None, "", None
        if (seller_id, code) not in self._listings:
            raise UnknownListing(value=code, field=field)
        return self._listings[seller_id, code]


def _price(order: NewOrder, catalogue: _Catalogue) -> _Priced:
    goods = [
        pricing.Line(
            number=line.number,
            seller=line.seller_code,
            unit_price=line.unit_price,
            quantity=line.quantity,
            seller_discount=line.seller_discount,
            platform_discount=line.platform_discount,
            partner_discount=line.partner_discount,
        )
        for line in order.lines
        if line.stream != SHIPPING
    ]
    discounted = {
        line.number: tuple(getattr(line, name) for name in DISCOUNTS)
        for line in pricing.discounted(goods, order.cart_discounts)
    }
    lines, charged = [], 0
    for n, line in enumerate(order.lines):
        discounts = discounted.get(line.number) or tuple(getattr(line, at) for at in DISCOUNTS)
        charged += line.unit_price * line.quantity - sum(discounts)
        priced = _line(f"lines[{n}].", line, discounts, order.channel, catalogue)
        priced.referral = catalogue.referrers.of(order, line, f"lines[{n}].referral.")
        lines.append(priced)
    payments = sorted(tuple(getattr(paid, name) for name in _PAYMENT) for paid in order.payments)
    return _Priced(order, lines, payments, charged, sum(paid[2] for paid in payments))


def _line(at: str, line: NewLine, discounts, channel: str, catalogue: _Catalogue) -> _Line:
    seller_id, seller_type = catalogue.seller(line.seller_code, at + "seller_code")
    category_id = catalogue.category(line.category_code, at + "category_code")
    listing_id, kind, listed_in = catalogue.listing(
        seller_id, line.listing_code, at + "listing_code"
    )
    said = (line.number, seller_id, line.stream, line.unit_price, line.quantity, *discounts)
    about = (line.sku, line.title, line.delivery_group, line.tax_kind, channel)
    list_amount = line.unit_price * line.quantity
    pending = OrderLine.Status.PENDING_PAYMENT
    return _Line(
        said=(*said, *about),
        looked_up=(category_id or listed_in, listing_id, line.listing_kind or kind),
        derived=(seller_type, list_amount, line.quantity, pending, False),
        named=(category_id is not None, True, bool(line.listing_kind)),
    )


def _check_tenders(priced: _Priced, tenders: str) -> None:
    if priced.paid == priced.charged:
        return
    refusal = pricing.TendersDoNotMatch(paid=priced.paid, charged=priced.charged)
    if tenders == REFUSE:
        raise refusal
    priced.remark = refusal


def _compared(priced: _Priced, before: _Content) -> Verdict:
    """Whether an order says what it said before. What was erased since is not held against it."""
    number, now = priced.order.number, priced.content()
    same = (
        now.order == before.order
        and before.buyer_reference in ("", now.buyer_reference)
        and now.payments == before.payments
        and now.lines.keys() == before.lines.keys()
        and all(_says_same(line, before.lines[key]) for key, line in now.lines.items())
    )
    if not same:
        return verdicts.refused(number, OrderDiffers(order=number, field="number"))
    return Verdict(number, verdicts.REPEATED, public_id=before.public_id)


def _says_same(now: _Line, before: _Line) -> bool:
    if (now.said, now.referral) != (before.said, before.referral):
        return False
    compared = zip(now.named, now.looked_up, before.looked_up, strict=True)
    return all(was == said for named, said, was in compared if named)


def _stored(orders: Sequence[NewOrder]) -> dict[str, _Content]:
    """What the orders of these numbers said that are accepted already."""
    rows = Order.objects.filter(
        bulk.among("number", {order.number for order in orders})
    ).values_list("pk", "number", "source", "placed_at", "buyer_reference", "public_id")
    found = {
        key: (number, _Content(tuple(facts), reference, {}, [], public_id))
        for key, number, *facts, reference, public_id in rows
    }
    if not found:
        return {}
    # What claims have added since was never said with the order.
    lines = OrderLine.objects.filter(bulk.among("order_id", found))
    lines = lines.exclude(stream=return_shipping.STREAM)
    for key, *values in lines.values_list("order_id", *_SAID, *_LOOKED_UP):
        line = _Line(tuple(values[: len(_SAID)]), tuple(values[len(_SAID) :]), ())
        found[key][1].lines[values[0]] = line
    for (key, number), referral in referrals.of_orders(found).items():
        found[key][1].lines[number].referral = referral
    payments = Payment.objects.filter(bulk.among("order_id", found))
    payments = payments.exclude(kind=return_shipping.STREAM).order_by("order_id", "sequence")
    for key, *values in payments.values_list("order_id", *_PAYMENT):
        found[key][1].payments.append(tuple(values))
    return dict(found.values())


def _write(new: Sequence[_Priced], at: datetime) -> dict[str, Verdict]:
    """Write orders, lines and payments, and let the events act that wait for them."""
    if not new:
        return {}
    written = _write_orders(new)
    ids = {number: key for number, key, _ in written}
    public_ids = {number: public_id for number, _, public_id in written}
    bulk.insert(
        OrderLine,
        ("order_id", *_SAID, *_LOOKED_UP, *_DERIVED),
        [
            (ids[priced.order.number], *line.said, *line.looked_up, *line.derived)
            for priced in new
            for line in priced.lines
        ],
    )
    bulk.insert(
        Payment,
        ("order_id", *_PAYMENT),
        [(ids[priced.order.number], *paid) for priced in new for paid in priced.payments],
    )
    referrals.store(
        [
            (ids[priced.order.number], line.said[0], *line.referral)
            for priced in new
            for line in priced.lines
            if line.referral is not None
        ]
    )
    listed = sum(priced.remark is not None for priced in new)
    audit.record(
        "order.accepted", by=None, at=at, obj=Order, data={"count": len(new), "listed": listed}
    )
    excesses = applying.apply(events.kept_for(ids), by=None, at=at)
    given = {}
    for priced in new:
        number = priced.order.number
        refusal, field = priced.remark, "payments" if priced.remark else ""
        if ids[number] in excesses:
            refusal = refusal or events.more_than_remains(excesses[ids[number]][0])
        given[number] = Verdict(number, verdicts.ACCEPTED, refusal, field, public_ids[number])
    return given


def _announce(new: Mapping[str, _Priced], accepted: Mapping[str, Verdict], at: datetime) -> None:
    """Tell each seller of an order about his part of it. Events that waited are part of this."""
    rows = [
        (accepted[number].public_id, seller_id, {})
        for number, priced in new.items()
        for seller_id in sorted({line.said[1] for line in priced.lines})
    ]
    changes.announce_many("order.accepted", rows, at=at)


def _write_orders(new: Sequence[_Priced]) -> list[tuple[str, int, str]]:
    """Number, id and public id of each."""
    rows = []
    for priced in new:
        order = priced.order
        facts = (order.number, order.source, order.placed_at, order.buyer_reference)
        rows.append((identifiers.public_id("ord"), *facts, priced.paid - priced.charged))
    return bulk.insert(Order, _ORDER, rows, returning="number, id, public_id")
