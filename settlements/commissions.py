"""Commissions of hosts and affiliates, counted from the sales that orders say they brought.

Once the lines of a night are settled, what came of those that were referred is counted: the
reports of their referrers, streams and days of sale are made or restated, and their shares settled
at once. The day of a sale is its basis date; what is taken back later restates the report of that
day, on the basis date of the reversal. So a commission has the dates of the sale it is of, and is
never due before the sale is settled (docs/decisions/0028).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter

from django.db import connection
from django.db.models import Count

from orders import bulk
from orders.models import Outcome, OutcomeToCredit, Referral
from sellers.models import Seller
from settlements import adjusting, rate_cards, shares, sharing
from settlements.contracts import Contracts
from settlements.models import RevenueLine, RevenueReport, RevenueVersion
from settlements.revenue_book import Key, RevenueBook

SOURCE = RevenueReport.Source.ORDERS


@dataclass(frozen=True, slots=True)
class Counted:
    """What a call of credit() did: outcomes of lines, reports made or restated, adjustments."""

    lines: int
    reports: int
    adjustments: int


def streams_charged(wanted: Collection[tuple[int, date]]) -> dict[tuple[int, date], frozenset]:
    """The streams that fee rules name for sellers on days: those that have a share."""
    contracts = _contracts({seller_id for seller_id, _ in wanted})
    return {(seller_id, on): _charged(contracts, seller_id, on) for seller_id, on in wanted}


def waiting(on: date) -> list[tuple[int, int]]:
    """Who brought sales that the night of a day has settled, and how many outcomes of them."""
    rows = OutcomeToCredit.objects.settled_by(on).values_list("seller_id")
    return sorted(rows.annotate(Count("pk")))


def open_months(on: date) -> None:
    """Make sure that the lines' table has the months of what the night of a day counts."""
    months = set(OutcomeToCredit.objects.filter(basis_on__lte=on).dates("basis_on", "month"))
    with connection.cursor() as cursor:
        for month in sorted(months):
            cursor.execute("SELECT open_settlement_month('settlement_line', %s)", [month])


def credit(*, on: date, first_seller: int, end_seller: int, at: datetime) -> Counted:
    """Count what some sellers brought, and settle their shares of it.

    The caller holds the transaction and has entered the marketplace; the night's lines are
    settled. One basis date after the other, so that it makes no difference how many nights came
    to do it. Repeating finds nothing.
    """
    waits = OutcomeToCredit.objects.settled_by(on)
    waits = waits.filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
    # Whoever reports revenue of these sellers locks them first as well.
    # They are named by their ids: as a sub-select, the queue would be read once for each of them
    # where the planner knows nothing of it yet.
    ids = waits.values_list("seller_id", flat=True).order_by().distinct()
    sellers = Seller.objects.filter(bulk.among("id", ids)).order_by("pk")
    if not list(sellers.select_for_update(no_key=True).values_list("pk", flat=True)):
        return Counted(0, 0, 0)
    gains = _gains(waits)
    reports = 0
    for basis_on, group in groupby(gains, key=attrgetter("basis_on")):
        reports += _restate(list(group), basis_on, at)
        sharing.share(on=on, first_seller=first_seller, end_seller=end_seller, at=at)
    settled = adjusting.settle(on=on, first_seller=first_seller, end_seller=end_seller, at=at)
    return Counted(len(gains), reports, settled)


@dataclass(frozen=True, slots=True)
class _Gain:
    """What an outcome adds to the report of a key; below zero where something is taken back."""

    key: Key
    line_id: int
    sequence: int
    basis_on: date
    amount: int


def _gains(waits) -> list[_Gain]:
    """What the outcomes that wait add, by basis date; they leave the queue."""
    found = {row[0]: row[1:] for row in waits.values_list("outcome_id", "pk", "seller_id")}
    outcomes = Outcome.objects.filter(bulk.among("id", found))
    lines = set(outcomes.values_list("line_id", flat=True))
    referrals = Referral.objects.filter(bulk.among("line_id", lines))
    streams = dict(referrals.values_list("line_id", "stream"))
    # Of each line all of its outcomes: what remained before, and the day of the sale.
    history = Outcome.objects.filter(bulk.among("line_id", lines))
    columns = ("line_id", "sequence", "pk", "basis_on", "list_amount", "seller_discount")
    rows = {row[:2]: row[2:] for row in history.values_list(*columns)}
    gains = []
    for (line_id, sequence), (pk, basis_on, *remains) in rows.items():
        if pk not in found:
            continue
        before = shares.base(*rows[line_id, sequence - 1][2:]) if sequence else 0
        key = (found[pk][1], streams[line_id], "", rows[line_id, 0][1])
        gains.append(_Gain(key, line_id, sequence, basis_on, shares.base(*remains) - before))
    taken = OutcomeToCredit.objects.filter(bulk.among("id", [row[0] for row in found.values()]))
    taken.delete()
    return sorted(gains, key=lambda gain: (gain.basis_on, gain.key, gain.line_id, gain.sequence))


def _restate(gains: Collection[_Gain], basis_on: date, at: datetime) -> int:
    """Make or restate reports by what was gained on one basis date; returns how many."""
    sums: dict[Key, int] = defaultdict(int)
    for gain in gains:
        sums[gain.key] += gain.amount
    sellers = {seller_id for seller_id, *_ in sums}
    book = RevenueBook(SOURCE, sellers=sellers, days={key[3] for key in sums}, at=at)
    contracts = _contracts(sellers)
    reports: Mapping[Key, RevenueReport] = {
        key: book.take(
            key,
            version=row.version + 1 if (row := book.row(key)) else 1,
            amount=(row.amount if row else 0) + amount,
            is_final=_has_share(contracts, key, row),
            source=RevenueVersion.Source.ORDERS,
            restated_on=basis_on,
        )
        for key, amount in sums.items()
    }
    book.save()
    bulk.insert(
        RevenueLine,
        ("report_id", "version", "order_line_id", "sequence", "basis_on", "amount"),
        [
            (report.pk, report.version, gain.line_id, gain.sequence, gain.basis_on, gain.amount)
            for gain in gains
            for report in [reports[gain.key]]
        ],
    )
    return len(reports)


def _has_share(contracts: Contracts, key: Key, row: RevenueReport | None) -> bool:
    """Whether somebody has said what the share of a report is.

    Rules are asked on the day of the order as well, before it is accepted; they may have changed
    by the day of the sale. Then the report stays provisional rather than leaving all of it.
    """
    seller_id, stream, _, on = key
    if row is not None and row.terms_id is not None:
        return True
    return stream in _charged(contracts, seller_id, on)


def _contracts(sellers: Iterable[int]) -> Contracts:
    ids = sorted(sellers)
    first, last = (ids[0], ids[-1]) if ids else (0, 0)
    return Contracts(first_seller=first, end_seller=last + 1, only=ids)


def _charged(contracts: Contracts, seller_id: int, on: date) -> frozenset:
    try:
        return contracts.schedule(seller_id, on).named("stream")
    except rate_cards.NoVersionInForce:
        return frozenset()
