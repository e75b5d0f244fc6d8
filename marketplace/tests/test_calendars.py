from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.calendars import Calendar

SEOLLAL = frozenset({date(2026, 2, 16), date(2026, 2, 17), date(2026, 2, 18)})
calendar = Calendar(SEOLLAL)
days = st.dates(date(2026, 1, 1), date(2026, 4, 1))


class TestIsBusinessDay:
    @pytest.mark.parametrize(
        ("day", "is_open"),
        [
            (date(2026, 2, 13), True),
            (date(2026, 2, 14), False),  # Saturday
            (date(2026, 2, 15), False),  # Sunday
            (date(2026, 2, 17), False),
            (date(2026, 2, 19), True),
        ],
    )
    def test_is_neither_weekend_nor_closed(self, day, is_open):
        assert calendar.is_business_day(day) is is_open


class TestAddBusinessDays:
    @pytest.mark.parametrize(
        ("day", "count", "later"),
        [
            (date(2026, 2, 13), 1, date(2026, 2, 19)),
            (date(2026, 2, 13), 3, date(2026, 2, 23)),
            (date(2026, 2, 17), 0, date(2026, 2, 17)),
            (date(2026, 2, 17), 1, date(2026, 2, 19)),
        ],
    )
    def test_counts_strictly_after(self, day, count, later):
        assert calendar.add_business_days(day, count) == later

    def test_does_not_count_backwards(self):
        with pytest.raises(ValueError, match="forwards"):
            calendar.add_business_days(date(2026, 2, 13), -1)

    @given(days, st.integers(1, 30))
    def test_passes_exactly_that_many(self, day, count):
        later = calendar.add_business_days(day, count)
        passed = (day + timedelta(days=n) for n in range(1, (later - day).days + 1))
        assert sum(calendar.is_business_day(day) for day in passed) == count
        assert calendar.is_business_day(later)


class TestOnOrBefore:
    def test_goes_back_over_a_holiday(self):
        assert calendar.on_or_before(date(2026, 2, 18)) == date(2026, 2, 13)

    def test_stays_on_a_business_day(self):
        assert calendar.on_or_before(date(2026, 2, 19)) == date(2026, 2, 19)


class TestOnOrAfter:
    def test_goes_on_over_a_holiday(self):
        assert calendar.on_or_after(date(2026, 2, 14)) == date(2026, 2, 19)

    def test_stays_on_a_business_day(self):
        assert calendar.on_or_after(date(2026, 2, 13)) == date(2026, 2, 13)


class TestEquality:
    def test_is_by_its_closed_days_and_not_by_what_was_asked(self):
        asked = Calendar(SEOLLAL)
        asked.add_business_days(date(2026, 2, 13), 5)
        assert (asked, hash(asked)) == (Calendar(SEOLLAL), hash(Calendar(SEOLLAL)))
