"""What the demonstration pays and books, once a month of it is closed."""

import datetime as dt

import pytest

from marketplace import tenancy
from marketplace.models import Marketplace
from sellers.models import BankAccount, Seller
from settlements import day_sheet, demonstration, nights, positions, verification
from settlements.models import (
    BankRow,
    DayClose,
    Discrepancy,
    Payout,
    PayoutBatch,
    Period,
    SignedSheet,
)
from settlements.tests.test_demonstration import AT, SMALL


@pytest.fixture(scope="module")
def market(rows_of_module):
    """A month that is closed and, for the first time, paid."""
    [*_] = demonstration.fill(SMALL[0], days=32, at=AT)
    demonstration.people(SMALL[0], "a-password")
    market = Marketplace.objects.get(slug="market")
    nights.close_day(market.pk, dt.date(2026, 3, 19), at=AT)
    demonstration.payday(SMALL[0], at=AT)
    return market


@pytest.mark.django_db
class TestPayday:
    def test_pays_most_of_what_the_nights_have_closed_once(self, market):
        demonstration.payday(SMALL[0], at=AT)
        with tenancy.use(market.pk):
            assert BankAccount.objects.count() == Seller.objects.active().count() == 2
            states = list(Payout.objects.order_by("pk").values_list("state", flat=True))
            assert sorted(states) == ["failed", "paid", "paid", "prepared"]
            batches = list(PayoutBatch.objects.order_by("pk").values_list("state", flat=True))
            assert batches == ["completed", "completed", "prepared"]
            shop = Seller.objects.active().order_by("code").first()
            assert positions.of_seller(shop, on=dt.date(2026, 3, 20)).paid > 0
            assert list(verification.verify(on=dt.date(2026, 3, 19))) == []


@pytest.mark.django_db
class TestBooks:
    def test_shows_a_signed_day_a_discrepancy_and_a_closed_month_once(self, market):
        for _ in range(2):
            demonstration.books(SMALL[0], at=AT)
        with tenancy.use(market.pk):
            [row] = Discrepancy.objects.all()
            assert (row.kind, row.difference, row.suspended, row.state) == (
                "amount", -1_000, 0, "open",
            )  # fmt: skip
            rows = BankRow.objects.order_by("place")
            assert [(row.state, row.on) for row in rows] == [
                ("explained", dt.date(2026, 3, 18)),
                ("open", dt.date(2026, 3, 18)),
            ]
            [day] = DayClose.objects.filter(state="signed").values_list("day", flat=True)
            assert day == dt.date(2026, 3, 18)
            [sheet] = SignedSheet.objects.all()
            assert all(block.difference == 0 for block in day_sheet.read(sheet.sheet).blocks)
            [month] = Period.objects.filter(state="closed").values_list("month", flat=True)
            assert month == dt.date(2026, 2, 1)
            assert list(verification.verify(on=dt.date(2026, 3, 19))) == []
