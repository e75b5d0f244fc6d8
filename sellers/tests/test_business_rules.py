"""What the tax office's word means, and how long it is good."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellers import business_rules

AT = datetime(2026, 9, 1, 3, tzinfo=UTC)


class TestKeepsMoney:
    def test_is_so_of_all_but_who_operates(self):
        kept = {status for status in business_rules.STATUSES if business_rules.keeps_money(status)}
        assert kept == {"suspended", "closed", "unregistered"}

    def test_is_not_so_of_who_was_never_answered_about(self):
        assert not business_rules.keeps_money("")


class TestIsFresh:
    @pytest.mark.parametrize(
        ("age", "days", "fresh"),
        [
            (timedelta(days=1), 1, True),
            (timedelta(days=1, seconds=1), 1, False),
            (timedelta(minutes=10), 0, True),
            (timedelta(minutes=11), 0, False),
        ],
    )
    def test_is_so_up_to_the_days_of_the_policy(self, age, days, fresh):
        assert business_rules.is_fresh(AT - age, at=AT, days=days) is fresh

    def test_is_never_so_without_an_answer(self):
        assert not business_rules.is_fresh(None, at=AT, days=30)

    @given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 90 * 86_400))
    def test_lasts_longer_with_more_days(self, days, more, seconds):
        answered_at = AT - timedelta(seconds=seconds)
        if business_rules.is_fresh(answered_at, at=AT, days=days):
            assert business_rules.is_fresh(answered_at, at=AT, days=days + more)


class TestMayBeAsked:
    def test_is_so_five_minutes_after_an_outage(self):
        assert business_rules.may_be_asked(None, at=AT)
        assert not business_rules.may_be_asked(AT - timedelta(minutes=4), at=AT)
        assert business_rules.may_be_asked(AT - timedelta(minutes=5), at=AT)
