"""Daily figures: stored once, summed for everybody at once."""

from datetime import date

import pytest

from marketplace import tenancy
from sellers import performance
from sellers.grading import Window
from sellers.models import PerformanceDay
from sellers.performance import DayFigures
from sellers.tests import make

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 2)


class TestRecordDays:
    def test_stores_the_figures_and_changes_nothing_when_repeated(self):
        with tenancy.use(make.marketplace().pk):
            apple, pear = make.seller("apple"), make.seller("pear")
            rows = [
                DayFigures(seller_id=pear.pk, orders_paid=2),
                DayFigures(seller_id=apple.pk, orders_confirmed=3, sales_confirmed=12_000),
            ]
            assert performance.record_days(rows, on=DAY) == 2
            stored = list(PerformanceDay.objects.order_by("pk").values())
            assert performance.record_days(rows, on=DAY) == 0
            assert list(PerformanceDay.objects.order_by("pk").values()) == stored
            assert PerformanceDay.objects.get(seller=apple).sales_confirmed == 12_000

    def test_replaces_a_day_and_leaves_the_others(self):
        with tenancy.use(make.marketplace().pk):
            apple = make.seller()
            make.day(apple, DAY, orders_paid=2, shipped=1)
            make.day(apple, date(2026, 3, 1), orders_paid=9)
            make.day(apple, DAY, orders_paid=5)
            stored = PerformanceDay.objects.order_by("on").values_list("orders_paid", "shipped")
            assert list(stored) == [(9, 0), (5, 0)]

    def test_takes_one_statement(self, django_assert_num_queries):
        with tenancy.use(make.marketplace().pk):
            sellers = [make.seller(f"s{number}") for number in range(20)]
            rows = [DayFigures(seller_id=seller.pk, shipped=1) for seller in sellers]
            with django_assert_num_queries(1):
                performance.record_days(rows, on=DAY)


class TestWindows:
    def test_sums_each_window_to_the_day(self, django_assert_num_queries):
        week, month = Window(days=7), Window(months=1)
        with tenancy.use(make.marketplace().pk):
            apple, pear = make.seller("apple"), make.seller("pear")
            make.day(apple, date(2026, 2, 2), shipped=1)  # a day before the month
            make.day(apple, date(2026, 2, 3), shipped=2)
            make.day(apple, date(2026, 2, 24), shipped=4)
            make.day(apple, DAY, shipped=8, sales_confirmed=3_000_000_000)
            make.day(apple, date(2026, 3, 3), shipped=16)  # after the day
            make.day(pear, DAY, shipped=32)
            with django_assert_num_queries(1):
                sums = performance.windows(DAY, [week, month])
            assert sums[apple.pk][week]["shipped"] == 12
            assert sums[apple.pk][month]["shipped"] == 14
            assert sums[apple.pk][month]["sales_confirmed"] == 3_000_000_000
            assert sums[pear.pk][week]["shipped"] == 32
            only = performance.windows(DAY, [week], seller_range=(pear.pk, pear.pk + 1))
            assert list(only) == [pear.pk]

    def test_never_sees_another_marketplace(self):
        own, strange = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(strange.pk):
            make.day(make.seller(), DAY, shipped=1)
        with tenancy.use(own.pk):
            assert performance.windows(DAY, [Window(days=7)]) == {}
