"""What the next night will settle, as far as it can be told now, and what stands in its way.

Reads only, a bounded number of rows of each kind; nothing here is promised: orders go on until the
day is over.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Coalesce

from marketplace import calendar_days
from marketplace.models import Approval, JobRun, Marketplace
from marketplace.refusals import Refused
from orders.models import OrderLine, Outcome, OutcomeToSettle
from settlements import nights, payout_candidates, payout_rules, rate_cards
from settlements.models import (
    Adjustment,
    Hold,
    PayoutForecast,
    RevenueReport,
    SellerBalance,
    Statement,
)

MOST: Final = 50_000  # rows of a kind that are counted and added up
TO_CONFIRM: Final = "to_confirm"
SALES: Final = "sales"
REVERSALS: Final = "reversals"
REPORTS: Final = "reports"
ADJUSTMENTS: Final = "adjustments"
STATEMENTS: Final = "statements"
FORECAST: Final = "forecast"
PAYABLE: Final = "payable"
DEBTS: Final = "debts"
REQUESTED: Final = "requested"
APPROVALS: Final = "approvals"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that the night will take, or that keep something from it.

    `amount` in minor units. Of more than MOST rows nobody knows how many more, nor their amount.
    """

    code: str
    count: int
    amount: int | None = None

    @property
    def is_counted(self) -> bool:
        """Whether `count` is how many there are, and not merely more than MOST."""
        return self.count <= MOST


@dataclass(frozen=True, slots=True)
class Tonight:
    """The next night of a marketplace as it looks at a moment."""

    on: date
    is_due: bool  # the day is over, the night could run
    job: JobRun | None  # that of the night, where it has begun
    settles: tuple[Part, ...]
    holds: tuple[Part, ...]  # in force on sellers with statements that close, by reason
    unpaid: tuple[Part, ...]  # statements that close and could not be paid then, by reason
    keeps: tuple[Part, ...]  # what else keeps money from going out
    refusals: tuple[Refused, ...]  # rules that the night would miss


def look(market: Marketplace, *, at: datetime) -> Tonight:
    """What the next night of the marketplace in use will do, and what keeps it from more."""
    on = nights.next_on(market)
    closing = Statement.objects.due_on(on)
    return Tonight(
        on=on,
        is_due=nights.due_on(market, at=at) is not None,
        job=JobRun.objects.filter(kind=nights.NIGHT, key=on.isoformat()).first(),
        settles=tuple(_settles(on, closing)),
        holds=tuple(_holds(closing)),
        unpaid=tuple(_unpaid(on, closing, at)),
        keeps=tuple(_keeps(on, closing)),
        refusals=tuple(_refusals(on)),
    )


def _settles(on: date, closing: QuerySet) -> Iterator[Part]:
    confirming = OrderLine.objects.due_for_confirmation(on)
    yield _part(TO_CONFIRM, confirming, F("unit_price") * F("units_left"))
    waiting = OutcomeToSettle.objects.filter(basis_on__lte=on).values("outcome_id")
    outcomes = Outcome.objects.filter(pk__in=waiting[: MOST + 1])
    yield _part(SALES, outcomes.filter(sequence=0), F("list_amount") - F("seller_discount"))
    yield _part(REVERSALS, outcomes.filter(sequence__gt=0))
    yield _part(REPORTS, RevenueReport.objects.to_settle(on), F("amount"))
    yield _part(ADJUSTMENTS, Adjustment.objects.to_settle(on), F("amount"))
    yield _part(STATEMENTS, closing, F("net"))
    forecast = PayoutForecast.objects.filter(made_on=on - _DAY, due_on__lte=on)
    yield _part(FORECAST, forecast.exclude(expected=0), F("expected"))
    yield _part(PAYABLE, Statement.objects.payable_on(on), F("payout"))


def _part(code: str, rows: QuerySet, worth: object = None) -> Part:
    found = rows.order_by()[: MOST + 1]
    if worth is None:
        return Part(code, found.values("pk").count())
    told = (
        found.annotate(worth=worth)
        .values("worth")
        .aggregate(count=Count("*"), amount=Coalesce(Sum("worth"), 0))
    )
    return Part(code, told["count"], told["amount"] if told["count"] <= MOST else None)


def _holds(closing: QuerySet) -> Iterator[Part]:
    """Of holds of an amount what they ask for in all; of others what they keep back so far."""
    rows = Hold.objects.placed().filter(seller__in=closing.values("seller"))
    told = (
        rows.values("reason")
        .annotate(count=Count("pk"), kept=Sum(Coalesce("amount", "taken")))
        .order_by("reason")
        .values_list("reason", "count", "kept")
    )
    for reason, count, amount in told:
        yield Part(reason, count, amount)


def _unpaid(on: date, closing: QuerySet, at: datetime) -> Iterator[Part]:
    """The oldest statements that close, as many as a page of payouts looks at."""
    if payout_candidates.policy_on(on) is None:
        yield _part(payout_rules.NO_POLICY, closing, F("net"))
        return
    rows = closing.select_related("seller").order_by("due_on", "pk")[: payout_candidates.MOST]
    statements = {row.pk: row for row in rows}
    counts: Counter[str] = Counter()
    amounts: defaultdict[str, int] = defaultdict(int)
    for pk, reason in payout_candidates.hindrances(statements.values(), at=at).items():
        counts[reason] += 1
        amounts[reason] += statements[pk].net
    for reason in sorted(counts):
        yield Part(reason, counts[reason], amounts[reason])


def _keeps(on: date, closing: QuerySet) -> Iterator[Part]:
    owing = SellerBalance.objects.filter(carry__lt=0, seller__in=closing.values("seller"))
    yield _part(DEBTS, owing, -F("carry"))
    requested = Adjustment.objects.filter(state=Adjustment.State.REQUESTED, basis_on__lte=on)
    yield _part(REQUESTED, requested, F("amount"))
    yield _part(APPROVALS, Approval.objects.waiting())


def _refusals(on: date) -> Iterator[Refused]:
    asked: tuple[Callable[[], object], ...] = (
        lambda: rate_cards.schedules().on(on),
        lambda: rate_cards.payout_terms().on(on),
        lambda: calendar_days.load(on),
    )
    for ask in asked:
        try:
            ask()
        except Refused as refused:
            yield refused
