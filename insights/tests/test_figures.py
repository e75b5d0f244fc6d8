from datetime import date, timedelta

import pytest

from insights import figures
from insights.figures import Graded, Money
from marketplace import tenancy
from sellers.models import PerformanceDay, Seller
from settlements.models import Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

LAST = date(2026, 9, 30)


@pytest.fixture
def market(db):
    market = make.market()
    with tenancy.use(market.pk):
        yield market


def statement(seller, closed_on, *, state="payable", **amounts):
    amounts = {"list_amount": 10_100, "fee": 1_000, "vat": 100, "net": 9_000} | amounts
    if state != "open":
        amounts = {"payable": 9_000, "payout": 9_000} | amounts
    return Statement.objects.create(
        seller=seller,
        due_on=closed_on,
        closed_on=None if state == "open" else closed_on,
        state=state,
        **amounts,
    )


class TestTrend:
    def test_sums_sales_of_the_day_and_statements_closed_on_it(self, market):
        for code in "AB":
            seller = make.seller(code)
            PerformanceDay.objects.create(seller=seller, on=LAST, sales_confirmed=50_000)
            statement(seller, LAST, reserve=500, payout=8_500)
        days = figures.trend(LAST)
        assert days[-1] == (
            LAST,
            Money(sales=100_000, fees=2_200, payable=18_000, held=1_000, paid=17_000),
        )
        assert figures.total(days) == days[-1][1]

    def test_holds_every_day_also_those_without_anything(self, market):
        days = figures.trend(LAST, days=3)
        assert days == [(LAST - timedelta(days=n), Money()) for n in (2, 1, 0)]

    def test_leaves_out_open_statements_and_other_days(self, market):
        seller = make.seller()
        statement(seller, LAST, state="open")
        statement(seller, LAST - timedelta(days=3))
        assert figures.total(figures.trend(LAST, days=3)) == Money()

    def test_calls_a_debt_nothing_held(self, market):
        debt = {"list_amount": 0, "net": -1_100, "payable": -1_100, "carry_out": -1_100}
        statement(make.seller(), LAST, state="closed", payout=0, **debt)
        assert figures.trend(LAST, days=1)[0][1] == Money(fees=1_100, payable=-1_100)

    def test_counts_what_is_carried_on_once(self, market):
        seller, before = make.seller(), LAST - timedelta(days=1)
        statement(seller, before, state="closed", payout=0, carry_out=9_000)
        statement(seller, LAST, carry_in=9_000, payable=18_000, payout=18_000)
        days = figures.trend(LAST, days=2)
        assert [money.held for _, money in days] == [9_000, -9_000]
        assert figures.total(days) == Money(fees=2_200, payable=18_000, held=0, paid=18_000)

    def test_counts_vat_that_is_contained_in_fees_once(self, market):
        statement(make.seller(), LAST, list_amount=10_000, fee=1_000, vat=91)
        assert figures.trend(LAST, days=1)[0][1].fees == 1_000

    def test_leaves_out_the_vat_of_sales_that_the_marketplace_issues(self, market):
        components = {"sales": [1_000, 100, 100], "sale_vat": [900, 0, 0]}
        statement(make.seller(), LAST, list_amount=11_000, components=components)
        assert figures.trend(LAST, days=1)[0][1].fees == 1_100

    def test_asks_two_queries(self, market, django_assert_num_queries):
        with django_assert_num_queries(2):
            figures.trend(LAST)


class TestGradeDistribution:
    def test_counts_active_sellers_by_their_grade_of_the_day(self, market):
        names = [grade.name for grade in figures.grade_distribution(LAST)][1:]
        first, second, third = (make.seller(code) for code in "ABC")
        make.graded(first, "power", effective_from=LAST - timedelta(days=60))
        make.graded(first, "premium", effective_from=LAST)
        make.graded(second, "premium", effective_from=LAST + timedelta(days=1))
        Seller.objects.filter(pk=third.pk).update(state=Seller.State.SUSPENDED)
        found = figures.grade_distribution(LAST)
        assert [grade.name for grade in found] == ["", *names]
        assert [grade for grade in found if grade.sellers] == [Graded("", 1), Graded("프리미엄", 1)]
