"""Monthly fees by contract: which one holds, what a night charges, and where it is told."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from listings.models import Category
from marketplace import tenancy, versions
from marketplace.tests import make as people
from sellers.models import PerformanceDay
from settlements import adjusting, contract_words, contracts, monthly_fees, nights, verification
from settlements.models import Adjustment, MonthlyFee
from settlements.monthly_fees import Fee, Own
from settlements.tests import make
from settlements.tests.test_payout_pages import shopkeeper

SEP_30, OCT_31 = date(2026, 9, 30), date(2026, 10, 31)
STANDARD = Fee(50_000, 1_000_000)


class TestAgreed:
    @pytest.mark.parametrize(
        ("own", "found"),
        [
            (Own(), STANDARD),
            (Own(amount=20_000), Fee(20_000, 1_000_000)),
            (Own(threshold=300_000), Fee(50_000, 300_000)),
            (Own(20_000, 0), Fee(20_000, 0)),
            (Own(amount=0), Fee(0, 1_000_000)),
            (Own(waived_until=SEP_30), monthly_fees.WAIVED),
            (Own(waived_until=date(2026, 10, 15)), monthly_fees.WAIVED),
            (Own(waived_until=date(2026, 9, 29)), STANDARD),
            (Own(20_000, waived_until=date(2026, 9, 29)), Fee(20_000, 1_000_000)),
        ],
    )
    def test_is_what_the_contract_says_over_the_standard(self, own, found):
        assert monthly_fees.agreed(STANDARD, own, on=SEP_30) == found

    def test_is_due_from_the_threshold_on(self):
        assert [STANDARD.due(sales) for sales in (999_999, 1_000_000)] == [0, 50_000]
        assert monthly_fees.WAIVED.due(10**12) == 0


@pytest.fixture
def market(db):
    market = make.market("ours")
    with tenancy.use(market.pk):
        _publish(amount=50_000, threshold=1_000_000)
    return market


def _publish(valid_from=make.FIRST_OPEN_ON, **said):
    fee = versions.draft(MonthlyFee, valid_from=valid_from, by=None, **said)
    versions.publish(fee, by=None, at=make.AT)


def sells(code, confirmed, *, on=date(2026, 9, 10), **agreed):
    """A seller with sales on a day, and with a contract where something is agreed."""
    seller = make.seller(code)
    for day in (on, on.replace(month=10)):
        PerformanceDay.objects.create(
            seller=seller, on=day, sales_confirmed=confirmed, sales_returned=0
        )
    if agreed:
        make.contract(seller, **agreed)
    return seller


def charged(**filters):
    rows = Adjustment.objects.filter(**filters).order_by("seller__code")
    return dict(rows.values_list("seller__code", "amount"))


class TestNight:
    def test_charges_what_each_contract_says(self, market):
        with tenancy.use(market.pk):
            sells("A", 1_000_000)
            sells("B", 1_000_000, monthly_fee=20_000)
            sells("C", 300_000, monthly_fee_from=300_000)
            sells("D", 299_999, monthly_fee_from=300_000)
            sells("E", 1_000_000, monthly_fee=0)
            sells("F", 1_000_000, monthly_fee_waived_until=date(2026, 10, 15))
            sells("G", 1_000_000, monthly_fee=10_000, monthly_fee_waived_until=SEP_30)
            sells("H", 1_000_000, minimum_payout=1)
            assert adjusting.charge_monthly(SEP_30, at=make.AT) == 4
            assert adjusting.charge_monthly(SEP_30, at=make.AT) == 0
            usual = {"A": -50_000, "B": -20_000, "C": -50_000, "H": -50_000}
            assert charged() == usual
            reasons = dict(Adjustment.objects.values_list("seller__code", "reason"))
            assert reasons["A"] == reasons["H"] == "2026-09 월 고정 이용료"
            assert reasons["B"] == "2026-09 월 고정 이용료 (계약 1번 버전 기준)"
            assert adjusting.charge_monthly(OCT_31, at=make.AT) == 6
            october = charged(month=date(2026, 10, 1))
            assert october == usual | {"F": -50_000, "G": -10_000}  # by themselves

    def test_charges_by_contract_where_the_marketplace_asks_for_nothing(self, db):
        market = make.market("theirs")
        with tenancy.use(market.pk):
            sells("A", 1_000_000)
            sells("B", 1_000_000, monthly_fee=20_000)
            assert adjusting.charge_monthly(SEP_30, at=make.AT) == 0
            assert contracts.of_seller(1).monthly_fee(1, SEP_30) is None
            _publish(amount=0, threshold=0)
            assert adjusting.charge_monthly(SEP_30, at=make.AT) == 1
            assert charged() == {"B": -20_000}

    def test_settles_it_with_vat_like_every_other(self, market):
        with tenancy.use(market.pk):
            sells("A", 1, monthly_fee=20_000, monthly_fee_from=1)
        nights.close_day(market.pk, date(2026, 10, 1), at=make.AT)
        with tenancy.use(market.pk):
            row = Adjustment.objects.get()
            assert (row.state, row.statement.net) == ("settled", -22_000)
            assert [str(found) for found in verification.verify(on=date(2026, 10, 1))] == []


class TestTold:
    def test_the_simulator_goes_by_the_contract(self, market):
        with tenancy.use(market.pk):
            seller = sells("A", 1, monthly_fee=20_000)
            assert contracts.of_seller(seller.pk).monthly_fee(seller.pk, SEP_30) == Fee(
                20_000, 1_000_000
            )
            gold = Category.objects.get(code="gold").pk
        asked = {"unit_price": "100000", "quantity": "1", "category": gold}
        page = shopkeeper(seller, "s@example.org").get("/s/ours/simulator/", asked)
        text = " ".join(page.content.decode().split())
        assert "₩20,000 without VAT for months with sales of ₩1,000,000 or more" in text

    def test_contract_says_until_when_it_is_waived_and_what_follows(self, market):
        with tenancy.use(market.pk):
            seller = sells("A", 1, monthly_fee_waived_until=SEP_30)
            told, _ = contract_words.of_seller(seller.pk, on=SEP_30)
            [fact] = [fact for fact in told.facts if fact.label == "Monthly fee"]
            assert fact.is_own
            assert fact.text == (
                "waived for months that end by 2026-09-30, then ₩50,000 without VAT for months "
                "with sales of ₩1,000,000 or more"
            )
            client = people.ApiClient(people.api_key(market))
        contract = client.read(f"sellers/{seller.public_id}/contract/").json()["in_force"]
        assert contract["monthly_fee_waived_until"] == "2026-09-30"
        assert (contract["monthly_fee"], contract["monthly_fee_from"]) == (None, None)

    @pytest.mark.parametrize("field", ["monthly_fee", "monthly_fee_from"])
    def test_contract_cannot_say_less_than_nothing(self, market, field):
        with tenancy.use(market.pk), pytest.raises(IntegrityError), transaction.atomic():
            make.drafted_contract(make.seller(), **{field: -1})
