"""What sellers can expect on coming payment days, and how that compares with what came.

A line that is not settled yet is expected on the day that it falls due when all goes its usual
way: sent in time, on the way for a few days, confirmed by itself. Its amount is what settlement
would make of it today. What a night leaves is kept for a while, so that each day's amount can be
compared with what was forecast, line by line.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from marketplace import tenancy
from marketplace.jobs import NIGHT
from marketplace.models import JobRun
from marketplace.refusals import Refused
from orders import confirmation_days, remainders
from orders.remainders import Remainder
from sellers.models import Seller
from settlements import (
    contracts,
    estimates,
    fees,
    forecast_changes,
    nights,
    reversals,
    runs,
)
from settlements import statements as closing
from settlements.estimates import CONFIRMED, DELIVERED, HELD, PAID, SHIPPED
from settlements.forecast_changes import Change, Item, Key
from settlements.holds import Plan
from settlements.models import (
    Adjustment,
    PayoutForecast,
    SellerBalance,
    SettlementLine,
    Statement,
)
from settlements.payables import Payable
from settlements.rating import RateBook

logger = logging.getLogger(__name__)

ON_THE_WAY: Final = timedelta(days=2)  # from sending to delivery, where no rule says more
KEPT: Final = timedelta(days=14)  # for so many days a night's forecast is kept
STAGES: Final = (PAID, SHIPPED, DELIVERED, CONFIRMED)

_OPEN = """
WITH claimed AS (
    SELECT DISTINCT line_id FROM orders_claim
    WHERE marketplace_id = %(marketplace)s AND seller_id >= %(first)s AND seller_id < %(end)s
      AND state IN ('requested', 'approved', 'collected', 'redelivering')
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
    """A line that is still to be settled: how far it is, and when it falls due if all goes well."""

    seller_id: int
    key: Key
    stage: str
    basis_on: date | None
    item: Item
    is_service: bool  # income from personal services, from which tax is withheld

    @property
    def is_line(self) -> bool:
        """Whether it is a line and not what was paid ahead on one and is then taken back."""
        return self.key[0] > 0

    def taken_back(self, ahead: int) -> "Expected":
        """What was paid ahead on the line, as it is expected to come off beside it."""
        item = replace(self.item, sales=0, net=-ahead)
        return replace(self, key=_ahead(self.key[0]), item=item, is_service=False)


@dataclass(slots=True)
class Day:
    """A coming payment day of a seller. Amounts in minor units."""

    due_on: date
    settled: int = 0  # on the open statement
    settled_lines: int = 0
    service_net: int = 0  # of all its lines, the net of personal services
    statement: Statement | None = None
    stages: dict[str, list[int]] = field(
        default_factory=lambda: {stage: [0, 0] for stage in STAGES}
    )  # lines and net of what is still to be settled
    payable: Payable | None = None  # what the day would come to with carry-over and reserve

    @property
    def net(self) -> int:
        return self.settled + sum(net for _, net in self.stages.values())

    @property
    def lines(self) -> int:
        return self.settled_lines + sum(lines for lines, _ in self.stages.values())


@dataclass(frozen=True, slots=True)
class Forecast:
    """The coming payment days of a seller, the next one first, and what claims hold back."""

    on: date
    days: tuple[Day, ...]
    held: tuple[Expected, ...]
    carry: int

    @property
    def held_net(self) -> int:
        return sum(expected.item.net for expected in self.held)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A payment day as it was forecast and as it is now, with what makes the difference."""

    due_on: date
    made_on: date
    was: int
    now: int
    changes: list[Change]

    @property
    def difference(self) -> int:
        return self.now - self.was


def of_seller(seller: Seller, *, on: date) -> Forecast:
    """What the seller can expect as of a business day whose night is still to come.

    Raises what settlements.estimates raises where no rules are in force.
    """
    days: dict[date, Day] = {}
    held = []
    for statement in Statement.objects.open().filter(seller=seller):
        day = days[statement.due_on] = Day(statement.due_on)
        day.settled, day.settled_lines = statement.net, statement.lines
        day.service_net = statement.service_net
        day.statement = statement
    for expected in _expected(on, seller.pk, seller.pk + 1):
        if (due_on := expected.item.due_on) is None:
            held.append(expected)
            continue
        day = days.setdefault(due_on, Day(due_on))
        part = day.stages[expected.stage]
        part[0] += expected.is_line
        part[1] += expected.item.net
        day.service_net += expected.item.net if expected.is_service else 0
    balance = SellerBalance.objects.filter(seller=seller).first() or SellerBalance(seller=seller)
    carry = balance.carry
    ordered = tuple(days[due_on] for due_on in sorted(days))
    _pay(ordered, balance, seller)
    return Forecast(on, ordered, tuple(held), carry)


def lines_of(seller: Seller, due_on: date, *, on: date) -> list[Expected]:
    """What is still to be settled and is expected on a day, the largest amounts first."""
    found = [each for each in _expected(on, seller.pk, seller.pk + 1) if each.item.due_on == due_on]
    return sorted(found, key=lambda each: (-each.item.net, each.key))


def keep(on: date, *, first_seller: int, end_seller: int) -> int:
    """Keep what the sellers of a range can expect after the night of `on`; returns how many days.

    Repeating a night replaces what it left. The caller holds the transaction.
    """
    rows: dict[tuple[int, date | None], PayoutForecast] = {}

    def row(seller_id: int, due_on: date | None) -> PayoutForecast:
        key = (seller_id, due_on)
        if key not in rows:
            rows[key] = PayoutForecast(seller_id=seller_id, made_on=on, due_on=due_on)
        return rows[key]

    sellers = {"seller_id__gte": first_seller, "seller_id__lt": end_seller}
    settled = Statement.objects.open().filter(**sellers)
    for seller_id, due_on, net in settled.values_list("seller_id", "due_on", "net"):
        row(seller_id, due_on).settled = net
    for expected in _expected(on + timedelta(days=1), first_seller, end_seller):
        kept = row(expected.seller_id, expected.item.due_on)
        kept.expected += expected.item.net
        kept.items.append([*expected.key, expected.item.sales, expected.item.net])
    PayoutForecast.objects.filter(made_on=on, **sellers).delete()
    PayoutForecast.objects.bulk_create(rows.values(), batch_size=500)
    return len(rows)


def keep_night(marketplace_id: int, on: date) -> int:
    """Keep what every seller can expect after the night of `on`; returns how many days.

    A range of sellers at a time, each in a transaction of its own, so memory and locks stay small.
    A range for which no rules are in force is left out. Once the next night has begun it is too
    late: the rest of that night's forecasts is left out.
    """
    kept = 0
    with tenancy.use(marketplace_id):
        forget(on)
        sellers = nights.ranges(_weights(), settings.LINES_A_SHARD)
    for first_seller, end_seller, _ in sellers:
        try:
            with tenancy.use(marketplace_id, durable=True):
                days = keep(on, first_seller=first_seller, end_seller=end_seller)
                # What a later night does is seen only after it was seen to begin.
                if JobRun.objects.filter(kind=NIGHT, on__gt=on).exists():
                    transaction.set_rollback(True)
                    return kept
        except Refused as refused:
            logger.warning("no forecast of sellers %s to %s: %s", first_seller, end_seller, refused)
        else:
            kept += days
    return kept


def forget(on: date) -> int:
    """Drop the forecasts of nights long before the one of `on`; returns how many days."""
    return PayoutForecast.objects.filter(made_on__lt=on - KEPT).delete()[0]


def compare(seller: Seller, due_on: date, *, made_on: date, on: date) -> Comparison | None:
    """A payment day against what was forecast for it after a night; None where nothing is kept.

    The day may be closed by now, or still to come.
    """
    rows = list(PayoutForecast.objects.filter(seller=seller, made_on=made_on))
    if not rows:
        return None
    before = {
        (line, sequence): Item(row.due_on, sales, net)
        for row in rows
        for line, sequence, sales, net in row.items
    }
    expected = {each.key: each.item for each in _expected(on, seller.pk, seller.pk + 1)}
    settled = _settled_since(seller, made_on, before, due_on)
    statement = Statement.objects.filter(seller=seller, due_on=due_on).first()
    return Comparison(
        due_on=due_on,
        made_on=made_on,
        was=sum(row.net for row in rows if row.due_on == due_on),
        now=forecast_changes.total(due_on, expected.values()) + (statement.net if statement else 0),
        changes=forecast_changes.explain(due_on, before, expected | settled),
    )


def kept_for(seller: Seller, due_on: date) -> list[PayoutForecast]:
    """What was forecast for a day, night by night, the latest first."""
    rows = PayoutForecast.objects.filter(seller=seller, due_on=due_on)
    return list(rows.defer("items").order_by("-made_on"))


def _settled_since(
    seller: Seller, made_on: date, before: dict[Key, Item], due_on: date
) -> dict[Key, Item]:
    """What nights after `made_on` settled of the seller: onto the day asked for, or of the lines
    that were forecast."""
    statements = dict(
        Statement.objects.filter(seller=seller, due_on__gt=made_on - KEPT).values_list(
            "pk", "due_on"
        )
    )
    lines = SettlementLine.objects.filter(
        seller_id=seller.pk, run_on__gt=made_on, statement_id__in=list(statements)
    )
    taken_back = _taken_back(seller, list(statements))
    found: dict[Key, Item] = {}
    for line in lines.iterator(2000):
        is_beside = line.kind == SettlementLine.Kind.ADJUSTMENT
        key = (-line.pk, 0) if is_beside else (line.order_line_id, line.sequence)
        key = taken_back.get(line.order_line_id, key)
        day = statements[line.statement_id]
        if key in before or day == due_on:
            found[key] = Item(day, line.list_amount - line.seller_discount, line.net)
    return found


def _taken_back(seller: Seller, statements: list[int]) -> dict[int, Key]:
    """The lines that took back what was paid ahead, by what they name in place of an order line."""
    rows = Adjustment.objects.filter(
        seller=seller, statement__in=statements, fast_settlement__isnull=False, amount__lt=0
    )
    found = rows.values_list("pk", "fast_settlement__order_line_id")
    return {-pk: _ahead(line_id) for pk, line_id in found}


def _ahead(line_id: int) -> Key:
    """What stands for a payment ahead on an order line: an amount beside sales, once a line."""
    return -line_id, -1


def _pay(days: tuple[Day, ...], balance: SellerBalance, seller: Seller) -> None:
    """Let each day carry on from the one before, as statements do when they close.

    What holds keep back is left out: they ask whole statements, in the night.
    """
    terms, no_holds = contracts.of_seller(seller.pk), Plan({}, {})
    for day in days:
        statement = Statement(
            seller=seller, due_on=day.due_on, net=day.net, service_net=day.service_net
        )
        of_day = terms.payout_terms(seller.pk, day.due_on)
        day.payable = closing.settle(statement, balance, no_holds, of_day)
        balance.carry = day.payable.carry_out
        balance.reserve += day.payable.reserve - day.payable.reserve_used
        balance.reserve_released -= day.payable.reserve_used
        balance.withholding_base = day.payable.base_carried


def _expected(on: date, first_seller: int, end_seller: int) -> Iterator[Expected]:
    """Every line of a range of sellers that is still to be settled."""
    book = RateBook(on=on, first_seller=first_seller, end_seller=end_seller)
    parameters = {
        "marketplace": tenancy.current_id(),
        "first": first_seller,
        "end": end_seller,
    }
    due = _DueDays(book)
    yield from _unconfirmed(book, due, parameters)
    yield from _unsettled(book, due, parameters)


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


_SELLERS = """
SELECT seller_id, count(*) FROM (
    SELECT seller_id FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND stream <> 'shipping'
      AND status IN ('paid', 'preparing', 'shipped', 'delivered')
    UNION ALL
    SELECT seller_id FROM orders_orderline
    WHERE marketplace_id = %(marketplace)s AND stream = 'shipping'
      AND status IN ('paid', 'preparing', 'shipped', 'delivered')
    UNION ALL
    SELECT seller_id FROM orders_outcometosettle WHERE marketplace_id = %(marketplace)s
    UNION ALL
    SELECT seller_id FROM settlements_statement
    WHERE marketplace_id = %(marketplace)s AND state = 'open'
) expecting
GROUP BY seller_id ORDER BY seller_id
"""


def _weights() -> list[tuple[int, int]]:
    """Sellers who can expect something, with about how many lines."""
    with connection.cursor() as cursor:
        cursor.execute(_SELLERS, {"marketplace": tenancy.current_id()})
        return cursor.fetchall()
