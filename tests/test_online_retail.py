"""The first weeks of Online Retail: cancels matched or listed, and what that does to statements."""

import gzip
from collections import defaultdict
from datetime import date

import pytest
from django.db.models import Sum

from marketplace import tenancy
from marketplace.models import JobRow
from orders.models import OrderLine, Outcome
from settlements import nights, verification
from settlements.models import LedgerEntry, SettlementLine
from tests import online_retail

ROWS = 15_000
LAST_ON = date(2010, 12, 24)


@pytest.fixture
def file(data_dir, tmp_path):
    """The header and the first rows."""
    taken = tmp_path / "online_retail.csv"
    with (
        taken.open("w", encoding="utf-8", newline="") as out,
        gzip.open(online_retail.path(data_dir), "rt", encoding="utf-8") as text,
    ):
        for _ in range(ROWS + 1):
            out.write(next(text))
    return taken


@pytest.mark.django_db(transaction=True)
def test_every_cancel_is_matched_or_listed_and_settles(file):
    market = online_retail.open_market()
    imported = online_retail.import_file(market, file)
    assert imported.counts["rows"] == ROWS
    with tenancy.use(market.pk):
        cancels, matched, listed = online_retail.cancels_by_fate(file, imported.job_id)
        assert matched + listed == cancels
        assert matched == imported.counts["cancels_accepted"] > 20
        assert_lines_are_the_rest(file, imported)

    nights.close_day(market.pk, LAST_ON, at=online_retail.NOW)
    with tenancy.use(market.pk):
        # Units cancelled before the sale was confirmed make no line, later ones a reversal.
        settled = SettlementLine.objects.aggregate(list=Sum("list_amount"))["list"]
        assert settled == sum(remaining_on(LAST_ON).values())
        assert SettlementLine.objects.filter(kind=SettlementLine.Kind.REVERSAL).exists()
        legs = LedgerEntry.objects.aggregate(debit=Sum("debit"), credit=Sum("credit"))
        assert legs["debit"] == legs["credit"] > 0
        assert list(verification.verify(on=LAST_ON)) == []


def assert_lines_are_the_rest(file, imported):
    """Every row is an order line, a cancel, or told of."""
    told = set(
        JobRow.objects.filter(job_id=imported.job_id, row_number__isnull=False).values_list(
            "row_number", flat=True
        )
    )
    sold = defaultdict(int)
    for number, row in online_retail.rows(file):
        if number not in told and not row["InvoiceNo"].startswith("C"):
            sold[row["InvoiceNo"]] += int(row["Quantity"])
    lines = OrderLine.objects.values_list("order__number").annotate(Sum("quantity"))
    assert dict(lines) == sold


def remaining_on(day):
    """What each line was worth after its last outcome by a day."""
    outcomes = Outcome.objects.filter(basis_on__lte=day).order_by("line_id", "sequence")
    return dict(outcomes.values_list("line_id", "list_amount"))
