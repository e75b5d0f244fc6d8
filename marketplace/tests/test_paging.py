"""Pages by keys: every row once, from either end, whatever the address says."""

from datetime import date, timedelta
from itertools import chain

import pytest

from marketplace import paging, tenancy
from marketplace.models import JobRun
from marketplace.tests import make

pytestmark = pytest.mark.django_db


def _walk(queryset, **given):
    """The rows of all pages from the first on, and again from the last one back."""
    asked, there, back = {}, [], []
    while True:
        page = paging.page(asked, queryset, size=3, **given)
        there.append(list(page))
        if page.older is None:
            break
        asked = {"before": str(page.older)}
    back.append(list(page))
    while page.newer is not None:
        page = paging.page({"after": str(page.newer)}, queryset, size=3, **given)
        back.insert(0, list(page))
    return list(chain(*there)), list(chain(*back))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6, 7])
class TestPage:
    def test_shows_every_row_once_by_its_key(self, count):
        with tenancy.use(make.marketplace().pk):
            for number in range(count):
                JobRun.objects.create(kind="k", key=str(number))
            there, back = _walk(JobRun.objects.all())
            assert [row.key for row in there] == [str(n) for n in reversed(range(count))]
            assert back == there

    def test_shows_every_row_once_by_its_day(self, count):
        with tenancy.use(make.marketplace().pk):
            days = [date(2026, 1, 1) + timedelta(number * 7 % 10) for number in range(count)]
            for day in days:
                JobRun.objects.create(kind="k", key=str(day), on=day)
            there, back = _walk(JobRun.objects.all(), by_day="on")
            assert [row.on for row in there] == sorted(days, reverse=True)
            assert back == there


@pytest.mark.parametrize("key", ["x", "-1", "99999999999999999999", "٣", "2026-13-01", ""])
def test_a_key_that_is_none_asks_for_the_first_page(key):
    with tenancy.use(make.marketplace().pk):
        JobRun.objects.create(kind="k", key="1", on=date(2026, 1, 1))
        for given in ({}, {"by_day": "on"}):
            assert len(paging.page({"before": key}, JobRun.objects.all(), **given)) == 1


class TestCounted:
    def test_counts_up_to_a_limit_and_says_so(self, monkeypatch):
        monkeypatch.setattr(paging, "MOST_COUNTED", 3)
        with tenancy.use(make.marketplace().pk):
            JobRun.objects.bulk_create(JobRun(kind="k", key=str(n)) for n in range(5))
            rows = JobRun.objects.order_by("pk")
            told = [
                paging.counted(paging.up_to_the_limit(rows.filter(key__lt=n)).count())
                for n in "0135"
            ]
        assert told == ["0", "1", "3", "3+"]

    def test_sets_thousands_apart(self):
        assert (paging.counted(1_000), paging.counted(1_001)) == ("1,000", "1,000+")
