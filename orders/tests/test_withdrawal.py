"""Until when a buyer may withdraw, and when a line is confirmed by itself."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.calendars import Calendar
from orders import withdrawal
from orders.withdrawal import NONE, Policy

# South Korea 2026: New Year 16 to 18 February, 1 to 2 March (Independence Day, moved).
CALENDAR = Calendar(
    frozenset(
        {
            date(2026, 1, 1),
            date(2026, 2, 16),
            date(2026, 2, 17),
            date(2026, 2, 18),
            date(2026, 3, 1),
            date(2026, 3, 2),
        }
    )
)
SEVEN = Policy(confirm_after_days=7)


class TestEndsOn:
    @pytest.mark.parametrize(
        ("delivered", "ends"),
        [
            (date(2026, 3, 5), date(2026, 3, 12)),  # Thursday to Thursday: its day not counted
            (date(2026, 3, 6), date(2026, 3, 13)),
            (date(2026, 3, 7), date(2026, 3, 16)),  # would end on a Saturday
            (date(2026, 3, 8), date(2026, 3, 16)),  # would end on a Sunday
            (date(2026, 2, 9), date(2026, 2, 19)),  # would end on the first of three holidays
            (date(2026, 2, 22), date(2026, 3, 3)),  # on a Sunday before a holiday
            (date(2025, 12, 25), date(2026, 1, 2)),  # on New Year's Day
        ],
    )
    def test_excludes_the_first_day_and_moves_off_closed_ones(self, delivered, ends):
        assert withdrawal.ends_on(delivered, SEVEN, CALENDAR) == ends

    def test_is_the_day_of_delivery_where_nobody_may_withdraw(self):
        policy = Policy(confirm_after_days=7, withdrawal_rule=NONE)
        assert withdrawal.ends_on(date(2026, 3, 7), policy, CALENDAR) == date(2026, 3, 7)


class TestConfirmDueOn:
    @pytest.mark.parametrize(
        ("after", "due"),
        [
            (3, date(2026, 3, 16)),  # never before the buyer's time is over
            (8, date(2026, 3, 16)),
            (9, date(2026, 3, 16)),
            (10, date(2026, 3, 17)),
        ],
    )
    def test_waits_for_both(self, after, due):
        policy = Policy(confirm_after_days=after)
        assert withdrawal.confirm_due_on(date(2026, 3, 7), policy, CALENDAR) == due

    def test_counts_plain_days_where_nobody_may_withdraw(self):
        policy = Policy(confirm_after_days=3, withdrawal_rule=NONE)
        assert withdrawal.confirm_due_on(date(2026, 3, 5), policy, CALENDAR) == date(2026, 3, 8)

    def test_waits_as_long_as_claims_stopped_the_clock(self):
        policy = Policy(confirm_after_days=8)
        due = withdrawal.confirm_due_on(date(2026, 3, 5), policy, CALENDAR, paused_days=4)
        assert due == date(2026, 3, 17)

    @given(
        st.dates(date(2026, 1, 1), date(2026, 12, 31)),
        st.integers(0, 30),
        st.integers(0, 30),
        st.integers(0, 30),
    )
    def test_never_comes_before_the_end_of_withdrawal(self, delivered, after, days, paused):
        policy = Policy(confirm_after_days=after, withdrawal_days=days)
        due = withdrawal.confirm_due_on(delivered, policy, CALENDAR, paused)
        assert due >= withdrawal.ends_on(delivered, policy, CALENDAR)
        assert due >= delivered + timedelta(days=after + paused)


class TestPausedDays:
    D = date(2026, 3, 1)

    def span(self, first, last):
        return (self.D + timedelta(days=first), self.D + timedelta(days=last))

    @pytest.mark.parametrize(
        ("claims", "days"),
        [
            ([], 0),
            ([(1, 4)], 3),
            ([(2, 2)], 0),  # made and closed on one day
            ([(1, 4), (6, 8)], 5),
            ([(1, 4), (3, 6)], 5),  # overlapping
            ([(3, 6), (1, 4)], 5),  # in any order
            ([(1, 9), (3, 5)], 8),  # one within another
            ([(-3, 2)], 2),  # made before delivery
            ([(-3, -1)], 0),
        ],
    )
    def test_counts_each_day_once_and_none_before_delivery(self, claims, days):
        spans = [self.span(*claim) for claim in claims]
        assert withdrawal.paused_days(spans, self.D) == days
