"""Provider against orders: what differs is named, what nobody can explain goes to suspense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements.matching import Verdict, judge

amounts = st.one_of(st.none(), st.integers(0, 10**12))


class TestJudge:
    @pytest.mark.parametrize(
        ("side", "expected", "found", "verdict"),
        [
            ("payment", 100, 100, None),
            ("payment", 100, 130, Verdict("amount", 30, 30)),
            ("payment", 100, 70, Verdict("amount", -30, 0)),
            ("payment", None, 70, Verdict("missing_here", 70, 70)),
            ("payment", 100, None, Verdict("missing_there", -100, 0)),
            ("refund", -40, -40, None),
            ("refund", -40, 0, None),  # it may still come
            ("refund", -40, -50, Verdict("amount", -10, -10)),
            ("refund", None, -50, Verdict("missing_here", -50, -50)),
        ],
    )
    def test_names_what_differs(self, side, expected, found, verdict):
        assert judge(side, expected, found) == verdict

    @given(amounts, amounts)
    def test_suspends_no_more_than_the_provider_moved_beyond_the_orders(self, expected, found):
        verdict = judge("payment", expected, found)
        if verdict is not None:
            assert verdict.difference == (found or 0) - (expected or 0)
            assert verdict.suspended == max(verdict.difference, 0)
