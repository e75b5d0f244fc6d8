"""Sentinels of the books: silent where all is done in time, loud about each that is not."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from marketplace import tenancy
from marketplace.tests import make as people
from settlements import chart, ledger, sentinels
from settlements.models import (
    DayClose,
    Discrepancy,
    LedgerDifference,
    PayoutException,
    Period,
    PeriodClosing,
    SignedSheet,
    Statement,
)
from settlements.tests import make

ON = date(2026, 10, 20)
BOOKS = (
    sentinels.SUSPENSE,
    sentinels.UNSIGNED,
    sentinels.UNCLOSED,
    sentinels.UNEXPLAINED,
    sentinels.BANK_UNEXPLAINED,
    sentinels.LEDGER_UNEXPLAINED,
)
SILENT = [0] * len(BOOKS)


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def watched():
    found = sentinels.watch(ON, at=make.AT)
    return [found[name] for name in BOOKS]


def signed(day):
    person = people.user()
    SignedSheet.objects.create(
        day_close=DayClose.objects.create(day=day, state="signed", version=1),
        version=1,
        sheet={},
        signed_first_by=person,
        signed_first_at=make.AT,
        signed_by=person,
        signed_at=make.AT,
        previous_hash="",
        hash="",
    )


def closed(month):
    period = Period.objects.create(month=month, state="closed", version=1)
    PeriodClosing.objects.create(
        period=period,
        version=1,
        closed_at=make.AT,
        entries=0,
        trial_balance=[],
        previous_hash="",
        hash="",
    )


class TestWatch:
    def test_is_silent_where_nothing_waits(self, market):
        assert watched() == SILENT

    def test_tells_money_on_suspense(self, market):
        ledger.open_month(ON)
        draft = ledger.Draft("x", "x", ON)
        draft.debit(chart.BANK, 700)
        draft.credit(chart.SUSPENSE, 700)
        ledger.post([draft])
        assert watched() == [700, 0, 0, 0, 0, 0]

    @pytest.mark.parametrize(("age", "count"), [(7, 0), (8, 1)])
    def test_tells_days_that_nobody_signed(self, market, age, count):
        day = ON - timedelta(days=age)
        DayClose.objects.create(day=day)
        assert watched() == SILENT  # nobody signs days here
        signed(day - timedelta(days=1))
        assert watched() == [0, count, 0, 0, 0, 0]

    @pytest.mark.parametrize(("month", "count"), [(date(2026, 9, 1), 1), (date(2026, 10, 1), 0)])
    def test_tells_months_that_nobody_closed(self, market, month, count):
        Period.objects.create(month=month)
        assert watched() == SILENT
        closed(date(2026, 8, 1))
        assert watched() == [0, 0, count, 0, 0, 0]

    @pytest.mark.parametrize(
        ("age", "state", "count"), [(14, "open", 0), (15, "open", 1), (15, "resolved", 0)]
    )
    def test_tells_discrepancies_that_nobody_explained(self, market, age, state, count):
        Discrepancy.objects.create(
            kind="missing_here",
            side="payment",
            provider_id="P",
            expected=0,
            found=1,
            difference=1,
            found_on=ON - timedelta(days=age),
            state=state,
        )
        assert watched() == [0, 0, 0, count, 0, 0]

    @pytest.mark.parametrize(
        ("age", "state", "count"), [(14, "open", 0), (15, "open", 1), (15, "resolved", 0)]
    )
    def test_tells_what_a_bank_said_and_nobody_looked_into(self, market, age, state, count):
        raised = datetime.combine(ON - timedelta(days=age), time(12), UTC)
        row = PayoutException(kind="unknown_id", raised_at=raised, state=state)
        if state == "resolved":
            row.resolved_at, row.resolved_by = make.AT, people.user()
            row.resolution = "A test of theirs"
        row.save()
        assert watched() == [0, 0, 0, 0, count, 0]

    @pytest.mark.parametrize(
        ("age", "state", "count"), [(14, "open", 0), (15, "open", 1), (15, "suspended", 0)]
    )
    def test_tells_bank_transactions_that_nobody_explained(self, market, age, state, count):
        make.bank_row(1_000, on=ON - timedelta(days=age), state=state)
        assert sentinels.watch(ON, at=make.AT)[sentinels.BANK_ROWS_UNEXPLAINED] == count

    @pytest.mark.parametrize(
        ("age", "state", "count"), [(14, "open", 0), (15, "open", 1), (15, "resolved", 0)]
    )
    def test_tells_ledger_differences_that_nobody_explained(self, market, age, state, count):
        seller = make.seller("A")
        statement = Statement.objects.create(seller=seller, due_on=ON + timedelta(days=9))
        LedgerDifference.objects.create(
            statement=statement,
            account=chart.SELLER_PAYABLE,
            expected=0,
            found=1,
            difference=1,
            found_on=ON - timedelta(days=age),
            state=state,
        )
        assert watched() == [0, 0, 0, 0, 0, count]
