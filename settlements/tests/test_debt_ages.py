from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import debt_ages

MAY = date(2026, 5, 1)


class TestAgeClass:
    @pytest.mark.parametrize(
        ("days", "expected"), [(0, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90, 2), (91, 3)]
    )
    def test_counts_the_limits_that_have_passed(self, days, expected):
        assert debt_ages.age_class(MAY, MAY + timedelta(days=days)) == expected


class TestCurrentRun:
    def test_begins_after_the_last_statement_without_a_debt(self):
        days = [MAY + timedelta(days=n) for n in range(4)]
        assert debt_ages.current_run(zip(days, [-1, 0, -5, -2], strict=True)) == days[2]
        assert debt_ages.current_run(zip(days, [-1, -1, -5, 7], strict=True)) is None
        assert debt_ages.current_run([]) is None


class TestShares:
    OLD, NEW = date(2026, 9, 1), date(2026, 9, 2)

    def test_settle_the_oldest_debt_first(self):
        debts = {"invoiced": (self.NEW, 500), "carried": (self.OLD, 300)}
        assert debt_ages.shares(200, debts) == {"carried": 200}
        assert debt_ages.shares(400, debts) == {"carried": 300, "invoiced": 100}
        assert debt_ages.shares(800, debts) == {"carried": 300, "invoiced": 500}

    def test_settle_what_is_named_first_of_one_day(self):
        debts = {"invoiced": (self.OLD, 500), "carried": (self.OLD, 300)}
        assert debt_ages.shares(400, debts) == {"invoiced": 400}

    def test_leave_out_what_owes_nothing(self):
        assert debt_ages.shares(5, {"a": (self.OLD, 0), "b": (self.NEW, 9)}) == {"b": 5}

    @given(
        st.integers(0, 10**9),
        st.dictionaries(
            st.sampled_from("abcd"), st.tuples(st.dates(), st.integers(0, 10**9)), max_size=4
        ),
    )
    def test_add_up_to_the_amount_or_to_all_that_is_owed(self, amount, debts):
        found = debt_ages.shares(amount, debts)
        assert sum(found.values()) == min(amount, sum(owed for _, owed in debts.values()))
        assert all(0 < settled <= debts[name][1] for name, settled in found.items())
