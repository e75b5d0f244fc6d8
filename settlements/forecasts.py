"""What sellers can expect on coming payment days, and how that compares with what came.

A line that is not settled yet is expected on the day that it falls due when all goes its usual
way: sent in time, on the way for a few days, confirmed by itself. Its amount is what settlement
would make of it today (settlements.expecting). Holds in force keep back of each day what they would
of its statement. What a night leaves is kept for a while, so that each day's amount can be compared
with what was forecast, line by line.
"""

import logging
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from marketplace import tenancy
from marketplace.jobs import NIGHT
from marketplace.models import JobRun
from marketplace.refusals import Refused
from sellers.models import Seller
from settlements import contracts, expecting, forecast_changes, nights
from settlements import statements as closing
from settlements.expecting import STAGES, Expected
from settlements.forecast_changes import Change, Item, Key
from settlements.hold_book import HoldBook
from settlements.holds import Plan
from settlements.models import (
    Adjustment,
    PayoutForecast,
    RevenueShare,
    SellerBalance,
    SettlementLine,
    Statement,
)
from settlements.payables import Payable

logger = logging.getLogger(__name__)

KEPT: Final = timedelta(days=14)  # for so many days a night's forecast is kept
_UNPLACED: Final = 0  # the id of a hold that a night will place


@dataclass(slots=True)
class Day:
    """A coming payment day of a seller. Amounts in minor units."""

    due_on: date
    settled: int = 0  # on the open statement
    settled_lines: int = 0
    service_net: int = 0  # of all its lines, the net of personal services
    needs_invoice: int = 0  # of what is still to be settled
    coming: dict[int, int] = field(default_factory=dict)  # of it, the net by order line
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
    for expected in expecting.expected(on, seller.pk, seller.pk + 1):
        if (due_on := expected.item.due_on) is None:
            held.append(expected)
            continue
        day = days.setdefault(due_on, Day(due_on))
        part = day.stages[expected.stage]
        part[0] += expected.is_line
        part[1] += expected.item.net
        day.service_net += expected.item.net if expected.is_service else 0
        day.needs_invoice += expected.item.net if expected.needs_invoice else 0
        if (line := expected.order_line_id) is not None:
            day.coming[line] = day.coming.get(line, 0) + expected.item.net
    balance = SellerBalance.objects.filter(seller=seller).first() or SellerBalance(seller=seller)
    carry = balance.carry
    ordered = tuple(days[due_on] for due_on in sorted(days))
    _pay(ordered, balance, seller)
    return Forecast(on, ordered, tuple(held), carry)


def lines_of(seller: Seller, due_on: date, *, on: date) -> list[Expected]:
    """What is still to be settled and is expected on a day, the largest amounts first."""
    found = [
        each
        for each in expecting.expected(on, seller.pk, seller.pk + 1)
        if each.item.due_on == due_on
    ]
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
    for expected in expecting.expected(on + timedelta(days=1), first_seller, end_seller):
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
    expected = {each.key: each.item for each in expecting.expected(on, seller.pk, seller.pk + 1)}
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
    known = _forecast_as(seller, list(statements))
    found: dict[Key, Item] = {}
    for line in lines.iterator(2000):
        key = known.get(line.order_line_id, (line.order_line_id, line.sequence))
        day = statements[line.statement_id]
        if key in before or day == due_on:
            found[key] = Item(day, line.list_amount - line.seller_discount, line.net)
    return found


def _forecast_as(seller: Seller, statements: list[int]) -> dict[int, Key]:
    """As what lines beside sales were expected that came of something else than an adjustment,
    by what they name in place of an order line: paid ahead and taken back, or reported."""
    rows = Adjustment.objects.filter(seller=seller, statement__in=statements)
    ahead = rows.filter(fast_settlement__isnull=False, amount__lt=0)
    found = {
        -pk: expecting.ahead_key(line_id)
        for pk, line_id in ahead.values_list("pk", "fast_settlement__order_line_id")
    }
    shared = RevenueShare.objects.filter(adjustment__in=rows)
    for pk, report_id in shared.values_list("adjustment_id", "report_id"):
        found[-pk] = (-report_id, expecting.REPORT)
    return found


def _pay(days: tuple[Day, ...], balance: SellerBalance, seller: Seller) -> None:
    """Let each day carry on from the one before, as statements do when they close."""
    terms, book = contracts.of_seller(seller.pk), HoldBook([seller.pk], is_locking=False)
    for day in days:
        statement = Statement(
            pk=day.statement and day.statement.pk,
            seller=seller,
            due_on=day.due_on,
            net=day.net,
            service_net=day.service_net,
        )
        for line, net in day.coming.items():
            book.expect(line, net)
        of_day = terms.payout_terms(seller.pk, day.due_on)
        plan = book.plan(statement)
        with_invoices = _with_invoices(plan, day.needs_invoice)
        day.payable = closing.settle(statement, balance, with_invoices, of_day)
        book.settle(statement, plan, min(day.payable.hold_taken, plan.asked_sum))
        balance.carry = day.payable.carry_out
        balance.reserve += day.payable.reserve - day.payable.reserve_used
        balance.reserve_released -= day.payable.reserve_used
        balance.withholding_base = day.payable.base_carried


def _with_invoices(plan: Plan, amount: int) -> Plan:
    """A plan that also asks for supplies whose hold the night that settles them will place."""
    return replace(plan, asked={**plan.asked, _UNPLACED: amount}) if amount > 0 else plan


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
    UNION ALL
    SELECT seller_id FROM settlements_adjustment
    WHERE marketplace_id = %(marketplace)s AND state = 'approved'
    UNION ALL
    SELECT seller_id FROM settlements_revenuereport
    WHERE marketplace_id = %(marketplace)s AND state = 'final'
) expecting
GROUP BY seller_id ORDER BY seller_id
"""


def _weights() -> list[tuple[int, int]]:
    """Sellers who can expect something, with about how many lines."""
    with connection.cursor() as cursor:
        cursor.execute(_SELLERS, {"marketplace": tenancy.current_id()})
        return cursor.fetchall()
