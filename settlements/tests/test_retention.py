from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import retention

days = st.dates(date(2000, 1, 1), date(2060, 12, 31))
years = st.integers(1, 30)


def reason(on, *, last=None, entered=date(2026, 5, 1), has_left=False, years=5):
    return retention.reason_to_erase(
        last_income_on=last, entered_on=entered, has_left=has_left, on=on, years=years
    )


class TestKeptUntil:
    @pytest.mark.parametrize("last", [date(2026, 1, 1), date(2026, 12, 31)])
    def test_counts_from_the_tenth_of_march_after_the_year(self, last):
        assert retention.kept_until(last, 5) == date(2032, 3, 10)

    @given(days, years)
    def test_is_longer_than_the_years_and_at_most_15_months_longer(self, last, years):
        until = retention.kept_until(last, years)
        assert until.year - last.year == years + 1
        assert (until.month, until.day) == (3, 10)


class TestReasonToErase:
    def test_is_none_on_the_last_day_and_the_law_on_the_next(self):
        last = date(2026, 9, 30)
        assert reason(date(2032, 3, 10), last=last) is None
        assert reason(date(2032, 3, 11), last=last) == retention.PERIOD_OVER
        assert reason(date(2030, 3, 11), last=last, years=3) == retention.PERIOD_OVER

    def test_erases_at_once_who_left_without_an_income(self):
        assert reason(date(2026, 5, 1), has_left=True) == retention.NEVER_NEEDED
        assert reason(date(2026, 5, 1)) is None

    def test_keeps_who_left_for_what_was_reported_and_no_longer(self):
        last = date(2020, 6, 1)
        assert reason(date(2026, 3, 10), last=last, has_left=True) is None
        found = reason(date(2026, 3, 11), last=last, has_left=True, entered=date(2026, 3, 1))
        assert found == retention.PERIOD_OVER

    def test_keeps_what_was_entered_of_late_by_who_still_sells(self):
        long_ago, lately = date(2019, 6, 1), date(2026, 5, 1)
        assert reason(date(2026, 5, 2), last=long_ago, entered=lately) is None
        assert reason(date(2032, 3, 11), last=long_ago, entered=lately) == retention.PERIOD_OVER

    @given(days, days, st.booleans(), years, st.none() | days)
    def test_once_given_stays(self, on, entered, has_left, years, last):
        said = {"last": last, "entered": entered, "has_left": has_left, "years": years}
        if reason(on, **said):
            assert reason(on + timedelta(days=1), **said)
