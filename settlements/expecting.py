"""What is still to be settled of sellers, and when it falls due if all goes its usual way.

Lines that are paid, sent, delivered or confirmed; and what stands beside sales: adjustments that
are approved, and shares of final revenue reports. The amount is what settlement would make of it
today.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from listings import kind_words
from marketplace import tenancy
from orders import confirmation_days, remainders
from orders.remainders import Remainder
from settlements import adjusted, adjustments, estimates, fees, reversals, runs, sharing
from settlements.estimates import CONFIRMED, DELIVERED, HELD, PAID, SHIPPED
from settlements.forecast_changes import Item, Key
from settlements.models import Adjustment, RevenueReport
from settlements.rating import RateBook

ON_THE_WAY: Final = timedelta(days=2)  # from sending to delivery, where no rule says more
BESIDE: Final = "beside"  # no line of an order: an adjustment, or a share of reported revenue
STAGES: Final = (PAID, SHIPPED, DELIVERED, CONFIRMED, BESIDE)
AHEAD: Final = -1  # in place of an outcome: what was paid ahead on a line
REPORT: Final = -2  # a revenue report


_OPEN = """
WITH claimed AS (
    SELECT DISTINCT line_id FROM orders_claim
    WHERE marketplace_id = %(marketplace)s AND seller_id >= %(first)s AND seller_id < %(end)s
      AND state IN ('requested', 'approved', 'collected', 'redelivering', 'arbitration')
), line AS (
    SELECT * FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND seller_id >= %(first)s AND seller_id < %(end)s
      AND stream <> 'shipping' AND status IN ('paid', 'preparing', 'shipped', 'delivered')
      AND paid_on IS NOT NULL AND units_left > 0
    UNION ALL  -- apart, as each half has a small index of its own
    SELECT * FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND seller_id >= %(first)s AND seller_id < %(end)s
      AND stream = 'shipping' AND status IN ('paid', 'preparing', 'shipped', 'delivered')
      AND paid_on IS NOT NULL AND units_left > 0
)
SELECT seller_id, id, CASE WHEN claimed.line_id IS NOT NULL THEN 'held'
            WHEN status = 'preparing' THEN 'paid' ELSE status END,
       paid_on, shipped_on, delivered_on, confirm_due_on, stream, category_id, listing_kind,
       channel, seller_type, tax_kind = 'taxable', unit_price, quantity, seller_discount,
       platform_discount, partner_discount, units_left,
       (SELECT f.advanced - f.taken_back FROM settlements_fastsettlement f
        WHERE f.marketplace_id = %(marketplace)s AND f.order_line_id = line.id
          AND f.ended_on IS NULL)
FROM line LEFT JOIN claimed ON claimed.line_id = line.id
ORDER BY seller_id, id
"""

_WAITING = """
SELECT o.seller_id, o.line_id, o.sequence, o.rate_on, o.basis_on, l.stream, l.category_id,
       l.listing_kind, l.channel, l.seller_type, l.tax_kind = 'taxable', l.unit_price,
       o.quantity, o.list_amount, o.seller_discount, o.platform_discount, o.partner_discount,
       b.quantity, b.list_amount, b.seller_discount, b.platform_discount, b.partner_discount,
       f.quantity, f.list_amount, f.seller_discount, f.platform_discount, f.partner_discount,
       s.terms_id,
       (SELECT p.advanced - p.taken_back FROM settlements_fastsettlement p
        WHERE p.marketplace_id = %(marketplace)s AND p.order_line_id = o.line_id
          AND p.ended_on IS NULL AND o.sequence = 0)
FROM orders_outcometosettle q
JOIN orders_outcome o ON o.marketplace_id = %(marketplace)s AND o.id = q.outcome_id
JOIN orders_orderline l ON l.marketplace_id = %(marketplace)s AND l.id = o.line_id
LEFT JOIN orders_outcome b ON b.marketplace_id = %(marketplace)s AND b.line_id = o.line_id
     AND b.sequence = o.sequence - 1
LEFT JOIN orders_outcome f ON f.marketplace_id = %(marketplace)s AND f.line_id = o.line_id
     AND f.sequence = 0
LEFT JOIN LATERAL (
    SELECT terms_id FROM settlement_line
    WHERE marketplace_id = %(marketplace)s AND order_line_id = o.line_id AND sequence = 0
      AND basis_on = f.basis_on AND o.sequence > 0
    LIMIT 1
) s ON true
WHERE q.marketplace_id = %(marketplace)s AND q.seller_id >= %(first)s AND q.seller_id < %(end)s
ORDER BY o.seller_id, o.line_id, o.sequence
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is still to be settled: how far it is, and when it falls due if all goes well."""

    seller_id: int
    key: Key
    stage: str
    basis_on: date | None
    item: Item
    is_service: bool  # income from personal services, from which tax is withheld
    said: str = ""  # what it is for, where it is beside sales
    needs_invoice: bool = False  # supplied to the marketplace, and held until its invoice is there

    @property
    def is_line(self) -> bool:
        """Whether it will be a line of its own, other than what is taken back of one."""
        return self.key[1] != AHEAD

    @property
    def order_line_id(self) -> int | None:
        """The order line that it is of, or that was paid ahead."""
        return None if self.stage == BESIDE else abs(self.key[0])

    def taken_back(self, ahead: int) -> "Expected":
        """What was paid ahead on the line, as it is expected to come off beside it."""
        item = replace(self.item, sales=0, net=-ahead)
        return replace(self, key=ahead_key(self.key[0]), item=item, is_service=False)


def ahead_key(line_id: int) -> Key:
    """What stands for a payment ahead on an order line: an amount beside sales, once a line."""
    return -line_id, AHEAD


def expected(on: date, first_seller: int, end_seller: int) -> Iterator[Expected]:
    """Everything of a range of sellers that is still to be settled."""
    book = RateBook(on=on, first_seller=first_seller, end_seller=end_seller)
    parameters = {
        "marketplace": tenancy.current_id(),
        "first": first_seller,
        "end": end_seller,
    }
    due = _DueDays(book)
    yield from _unconfirmed(book, due, parameters)
    yield from _unsettled(book, due, parameters)
    yield from _adjusted(book, due, first_seller, end_seller)
    yield from _reported(book, due, first_seller, end_seller)


class _DueDays(dict):
    """When lines fall due. Without a contract it hangs on few dates and on no seller."""

    def __init__(self, book: RateBook):
        super().__init__()
        self._book = book

    def of(self, seller_id: int, basis_on: date, rate_on: date) -> date:
        own = seller_id if seller_id in self._book.contracts.sellers else None
        return self[own, basis_on, rate_on]

    def __missing__(self, key: tuple[int | None, date, date]) -> date:
        seller_id, basis_on, rate_on = key
        due_on = self[key] = self._book.due_on(seller_id or 0, basis_on, rate_on, lambda day: False)
        return due_on


def _unconfirmed(book: RateBook, due: _DueDays, parameters: dict) -> Iterator[Expected]:
    days = confirmation_days.DueDays()
    for row in runs.stream("forecast", _OPEN, parameters):
        seller_id, line_id, stage, paid_on, shipped_on, delivered_on, confirm_due_on = row[:7]
        terms = estimates.terms_of(book, seller_id, paid_on, tuple(row[7:13]), row[13])
        left = remainders.remaining(*row[13:19])
        net = fees.figures(terms, *estimates.amounts_of(left))[3]
        is_service = book.contracts.is_service(seller_id, paid_on)
        if stage == HELD:
            item = Item(None, left.after_seller_discount, net)
            yield from _with_ahead(
                Expected(seller_id, (line_id, 0), stage, None, item, is_service), row[19]
            )
            continue
        basis_on = confirm_due_on or _confirmed_on(days, book.on, paid_on, shipped_on, delivered_on)
        basis_on = max(basis_on, book.on)
        item = Item(due.of(seller_id, basis_on, paid_on), left.after_seller_discount, net)
        yield from _with_ahead(
            Expected(seller_id, (line_id, 0), stage, basis_on, item, is_service), row[19]
        )


def _with_ahead(expected: Expected, ahead: int | None) -> Iterator[Expected]:
    yield expected
    if ahead:
        yield expected.taken_back(ahead)


def _confirmed_on(
    days: confirmation_days.DueDays,
    on: date,
    paid_on: date,
    shipped_on: date | None,
    delivered_on: date | None,
) -> date:
    """When a line is confirmed by itself, if it is sent and delivered as usual from now on."""
    if delivered_on is None:
        if shipped_on is None:
            shipped_on = max(days.ship_by(paid_on) or paid_on, on)
        delivered_on = max(shipped_on + ON_THE_WAY, on)
    return days.due_on(delivered_on) or delivered_on


def _unsettled(book: RateBook, due: _DueDays, parameters: dict) -> Iterator[Expected]:
    """What is confirmed or given back and waits for its night."""
    stored = runs.StoredTerms(book)
    for row in runs.stream("forecast_waiting", _WAITING, parameters):
        seller_id, line_id, sequence, rate_on, basis_on = row[:5]
        after = Remainder(*row[12:17])
        if (terms_id := row[27]) is None:
            terms = estimates.terms_of(book, seller_id, rate_on, tuple(row[5:11]), row[11])
        else:
            terms = stored[terms_id]
        if sequence:
            before, sold = Remainder(*row[17:22]), Remainder(*row[22:27])
            back = reversals.reversed_between(terms, sold, before, after)
            sales, net = -(back.list_amount - back.seller_discount), -back.net
        else:
            sales = after.after_seller_discount
            net = fees.figures(terms, *estimates.amounts_of(after))[3]
        item = Item(due.of(seller_id, basis_on, rate_on), sales, net)
        is_service = book.contracts.is_service(seller_id, rate_on)
        yield from _with_ahead(
            Expected(seller_id, (line_id, sequence), CONFIRMED, basis_on, item, is_service),
            row[28],
        )


def _adjusted(
    book: RateBook, due: _DueDays, first_seller: int, end_seller: int
) -> Iterator[Expected]:
    """Adjustments that are approved and wait for their night."""
    rows = Adjustment.objects.filter(
        state=Adjustment.State.APPROVED, seller_id__gte=first_seller, seller_id__lt=end_seller
    )
    for row in rows.order_by("seller_id", "pk"):
        if row.reason_code == adjustments.FAST_ADVANCE:
            due_on = book.calendar.add_business_days(max(row.basis_on, book.on), 1)
        else:
            due_on = due.of(row.seller_id, row.basis_on, row.basis_on)
        figures = adjusted.figures(row, book.contracts)
        key = (-row.pk, 0)
        yield _beside(book, row, key, due_on, row.reason_code, row.tax_kind, figures, row.reason)


def _reported(
    book: RateBook, due: _DueDays, first_seller: int, end_seller: int
) -> Iterator[Expected]:
    """Shares of final revenue reports that wait for their night."""
    sellers = {"first_seller": first_seller, "end_seller": end_seller}
    for row, amount, tax_kind in sharing.coming(book, **sellers):
        if not amount:
            continue
        schedule = book.contracts.schedule(row.seller_id, row.basis_on)
        figures = adjustments.figures(amount, tax_kind, schedule.vat_rate_ppm)
        due_on = due.of(row.seller_id, row.basis_on, row.basis_on)
        reason_code = adjustments.reason_of(row.stream)
        said = f"{kind_words.name(row.stream)} {row.on.isoformat()}"
        key = (-row.pk, REPORT)
        yield _beside(book, row, key, due_on, reason_code, tax_kind, figures, said)


def _beside(
    book: RateBook,
    row: Adjustment | RevenueReport,
    key: Key,
    due_on: date,
    reason_code: str,
    tax_kind: str,
    figures: adjustments.Figures,
    said: str,
) -> Expected:
    is_supply = adjustments.is_purchase(adjustments.component(reason_code))
    return Expected(
        row.seller_id,
        key,
        BESIDE,
        row.basis_on,
        Item(due_on, 0, figures.net),
        is_service=is_supply and book.contracts.is_service(row.seller_id, row.basis_on),
        said=said,
        needs_invoice=is_supply and tax_kind in adjustments.INVOICED,
    )
