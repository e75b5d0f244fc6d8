"""Gather the rows of one order into the order, what has happened to it, and what to tell of them.

Values in, values out. A row that does not fit is told and left out, or holds its whole order back
where the profile says so. Amounts are minor units.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from marketplace.refusals import Refused, gettext_noop
from orders.cells import EPOCH
from orders.events import NewEvent
from orders.profile_rows import REPAIRS
from orders.profiles import CANCELS, LINES, ORDERS, PAYMENTS, Profile
from orders.submissions import SHIPPING, NewLine, NewOrder, NewPayment, NewReferral

REJECTED: Final = "rejected"
REPAIRED: Final = "repaired"
NO_ITEMS: Final = "no_items"
TENDER_DIFFERS: Final = "tender_differs"
OFF_BY_ONE: Final = "tender_off_by_one"
TIME_MISSING: Final = "time_missing"

LEFT_OUT: Final = "left_out"  # a row that was told of; its values say whether it `is_bad`
RANKS: Final = {ORDERS: 0, LINES: 1, PAYMENTS: 2, CANCELS: 3, LEFT_OUT: 4}
MOST_ROWS: Final = 10_000  # of one order


class NumberRepeated(Refused):
    code = "number_repeated"
    message = gettext_noop("“%(value)s” stands in an earlier row; this one was not taken.")


class OrderUnknown(Refused):
    code = "order_unknown"
    message = gettext_noop("No usable row tells of order “%(value)s”.")


class SellerUnknown(Refused):
    code = "unknown_seller"
    message = gettext_noop("No seller has the code “%(value)s”.")


class NoLineLeft(Refused):
    code = "no_line_left"
    message = gettext_noop("The order has no line left that could be imported.")


class NoItems(Refused):
    code = "no_items"
    message = gettext_noop("The order was paid but has no items: there is nothing to settle.")


class TenderDiffers(Refused):
    code = "tender_differs"
    message = gettext_noop("The payments sum to %(paid)s, but the order costs %(charged)s.")


class OrderHeldBack(Refused):
    code = "order_held_back"
    message = gettext_noop("Other rows of order “%(value)s” cannot be used, so all were held back.")


class TooManyRows(Refused):
    code = "too_many_rows"
    message = gettext_noop("The order has more than %(limit)s rows; this one was left out.")


@dataclass(frozen=True, slots=True)
class At:
    """A row of a file."""

    file: int
    row: int


@dataclass(slots=True)
class Row:
    """A usable row, typed by its profile."""

    role: str
    at: At
    values: dict[str, Any]
    remarks: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Something about a row that a person should know."""

    head: str
    at: At
    key: str
    column: str
    refusal: Refused
    amount: int | None = None


@dataclass(slots=True)
class Gathered:
    """An order with its events, or none; its cancels; and the rows that its parts came from."""

    key: str
    order: NewOrder | None = None
    order_at: At = At(0, 0)
    events: list[NewEvent] = field(default_factory=list)
    cancels: list[Row] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    line_rows: list[At] = field(default_factory=list)  # as order.lines
    payment_rows: list[At] = field(default_factory=list)


def gather(
    profile: Profile, key: str, rows: Iterable[Row], is_seller: Callable[[str], bool]
) -> Gathered:
    """Gather the rows of one key: orders before lines before payments, each in file order."""
    gathered = Gathered(key)
    by_role: dict[str, list[Row]] = {role: [] for role in RANKS}
    for row in rows:
        by_role[row.role].append(row)
    gathered.cancels = by_role[CANCELS]
    head, *repeated = by_role[ORDERS] or [None]
    if head is None:
        for row in (*by_role[LINES], *by_role[PAYMENTS]):
            _reject(gathered, row, profile, "order", OrderUnknown(value=key))
        return gathered
    if profile.tables[ORDERS].files:
        for row in repeated:
            _reject(gathered, row, profile, "number", NumberRepeated(value=key))
    gathered.order_at = head.at
    lines = _usable_lines(gathered, profile, by_role[LINES], is_seller)
    payments = _unrepeated(gathered, profile, by_role[PAYMENTS], "sequence")
    is_spoiled = len(lines) < len(by_role[LINES]) or any(
        row.values["is_bad"] for row in by_role[LEFT_OUT]
    )
    if lines and not (is_spoiled and profile.holds_incomplete):
        _build(gathered, profile, head, lines, payments)
    elif lines:
        # The first row of an order may be its first line as well.
        for at in dict.fromkeys(row.at for row in (head, *lines, *payments)):
            gathered.told.append(Told(REJECTED, at, key, "", OrderHeldBack(value=key)))
    elif profile.tables[ORDERS].files:
        _tell_empty(gathered, head, by_role[LINES] or by_role[LEFT_OUT], payments)
    return gathered


def _tell_empty(
    gathered: Gathered, head: Row, left_out: Sequence[Row], payments: Sequence[Row]
) -> None:
    """Tell of an order without a line, and whether it ever had one."""
    if left_out:
        gathered.told.append(Told(REJECTED, head.at, gathered.key, "", NoLineLeft()))
    else:
        paid = sum(row.values["amount"] for row in payments)
        gathered.told.append(Told(NO_ITEMS, head.at, gathered.key, "", NoItems(), paid))


def moment(microseconds: int) -> datetime:
    """The moment that a value stands for."""
    return EPOCH + timedelta(microseconds=microseconds)


def _usable_lines(
    gathered: Gathered, profile: Profile, rows: Sequence[Row], is_seller: Callable[[str], bool]
) -> list[Row]:
    lines = []
    for row in _unrepeated(gathered, profile, rows, "number"):
        seller = row.values["seller"]
        if is_seller(seller):
            lines.append(row)
        else:
            _reject(gathered, row, profile, "seller", SellerUnknown(value=seller))
    return lines


def _unrepeated(gathered: Gathered, profile: Profile, rows: Sequence[Row], name: str) -> list[Row]:
    """Number the rows that have no number of their own, and leave out those that repeat one."""
    usable: dict[int, Row] = {}
    for position, row in enumerate(rows, 1):
        number = row.values.get(name) or position
        if number in usable:
            _reject(gathered, row, profile, name, NumberRepeated(value=number))
        else:
            row.values[name] = number
            usable[number] = row
    return list(usable.values())


def _reject(gathered: Gathered, row: Row, profile: Profile, name: str, refusal: Refused) -> None:
    column = profile.tables[row.role].cells[name].name
    gathered.told.append(Told(REJECTED, row.at, gathered.key, column, refusal))


def _build(
    gathered: Gathered,
    profile: Profile,
    head: Row,
    rows: Sequence[Row],
    payment_rows: Sequence[Row],
) -> None:
    key, values = gathered.key, head.values
    lines = [_line(profile, row.values) for row in rows]
    gathered.line_rows = [row.at for row in rows]
    for line, at in _shipping(rows):
        lines.append(line)
        gathered.line_rows.append(at)
    charged = sum(_charged(line) for line in lines)
    if profile.total_paid_by:
        payments = [NewPayment(1, profile.total_paid_by, charged)]
        gathered.payment_rows = [head.at]
    else:
        payments = [_payment(row.values) for row in payment_rows]
        gathered.payment_rows = [row.at for row in payment_rows]
    gathered.order = NewOrder(
        number=key,
        source=profile.source,
        placed_at=moment(values["placed_at"]),
        lines=lines,
        payments=payments,
        buyer_reference=values.get("buyer", ""),
        channel=values.get("channel", ""),
    )
    gathered.events = [
        NewEvent(profile.source, f"{key}:{kind}", kind, key, moment(at))
        for kind, at in values["events"]
    ]
    for row in (head, *rows, *payment_rows):
        _tell_remarks(gathered, row)
    _compare_tenders(gathered, charged)


def _line(profile: Profile, values: dict[str, Any]) -> NewLine:
    given: dict[str, Any] = {
        name: values[name]
        for name in ("seller_discount", "platform_discount", "partner_discount", "tax_kind")
        if values.get(name)
    }
    if referrer := values.get("referrer"):
        given["referral"] = NewReferral(referrer, values.get("referral_stream", ""))
    sku = values.get("sku", "")
    return NewLine(
        number=values["number"],
        seller_code=values["seller"],
        unit_price=values["unit_price"],
        quantity=values["quantity"],
        sku=sku,
        title=values.get("title", ""),
        category_code=values.get("category") or None,
        listing_code=sku if profile.makes_listings and sku else None,
        delivery_group=values.get("delivery_group", ""),
        **given,
    )


def _shipping(rows: Sequence[Row]) -> list[tuple[NewLine, At]]:
    """One line per seller and delivery group, numbered after the goods, in their order."""
    sums: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], At] = {}
    for row in sorted(rows, key=lambda row: row.values["number"]):
        if row.values.get("shipping"):
            group = (row.values["seller"], row.values.get("delivery_group", ""))
            sums[group] = sums.get(group, 0) + row.values["shipping"]
            first.setdefault(group, row.at)
    last = max(row.values["number"] for row in rows)
    return [
        (NewLine(number, seller, amount, 1, stream=SHIPPING, delivery_group=group), first[key])
        for number, (key, amount) in enumerate(sums.items(), last + 1)
        for seller, group in [key]
    ]


def _charged(line: NewLine) -> int:
    discounts = line.seller_discount + line.platform_discount + line.partner_discount
    return line.unit_price * line.quantity - discounts


def _payment(values: dict[str, Any]) -> NewPayment:
    approved_at = values.get("approved_at")
    return NewPayment(
        sequence=values["sequence"],
        kind=values["kind"],
        amount=values["amount"],
        provider_id=values.get("provider_id", ""),
        approved_at=None if approved_at is None else moment(approved_at),
    )


def _tell_remarks(gathered: Gathered, row: Row) -> None:
    for column, code, params in row.remarks:
        head = TIME_MISSING if code == TIME_MISSING else REPAIRED
        refusal = REPAIRS[code](**params)
        gathered.told.append(Told(head, row.at, gathered.key, column, refusal))


def _compare_tenders(gathered: Gathered, charged: int) -> None:
    assert gathered.order is not None  # noqa: S101
    paid = sum(payment.amount for payment in gathered.order.payments)
    if difference := paid - charged:
        head = OFF_BY_ONE if abs(difference) == 1 else TENDER_DIFFERS
        refusal = TenderDiffers(paid=paid, charged=charged)
        told = Told(head, gathered.order_at, gathered.key, "", refusal, difference)
        gathered.told.append(told)
