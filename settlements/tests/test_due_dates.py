from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.calendars import Calendar
from settlements import due_dates
from settlements.due_dates import DueTerms

CHUSEOK = Calendar(frozenset({date(2026, 9, 24), date(2026, 9, 25)}))  # Thursday, Friday
OPEN = Calendar()

days = st.dates(date(2026, 1, 1), date(2027, 12, 31))
calendars = st.builds(Calendar, st.frozensets(days, max_size=40))
cycles = st.one_of(
    st.just(("daily", None)),
    st.tuples(st.just("weekly"), st.integers(0, 6)),
    st.tuples(st.just("monthly"), st.integers(1, 31)),
)


@st.composite
def terms(draw, holidays=("previous", "next", "none")):
    cycle, cycle_arg = draw(cycles)
    lag_kind = draw(st.sampled_from(["calendar", "business"]))
    holiday = draw(st.sampled_from(holidays))
    return DueTerms(draw(st.integers(0, 20)), lag_kind, cycle, cycle_arg, holiday)


class TestDueTerms:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"lag_days": -1},
            {"lag_days": 0, "lag_kind": "lunar"},
            {"lag_days": 0, "cycle": "yearly"},
            {"lag_days": 0, "cycle": "weekly"},
            {"lag_days": 0, "cycle": "weekly", "cycle_arg": 7},
            {"lag_days": 0, "cycle": "monthly", "cycle_arg": 0},
            {"lag_days": 0, "cycle": "manual", "cycle_arg": 3},
            {"lag_days": 0, "cycle": "manual", "cycle_arg": (1, 2)},
            {"lag_days": 0, "holiday": "sleep"},
        ],
    )
    def test_refuses_what_names_no_day(self, wrong):
        with pytest.raises(due_dates.BadDueTerms):
            DueTerms(**wrong)


class TestDueOn:
    @pytest.mark.parametrize(
        ("basis_on", "due_terms", "due"),
        [
            (date(2026, 9, 23), DueTerms(1, "business"), date(2026, 9, 28)),
            (date(2026, 9, 23), DueTerms(1), date(2026, 9, 28)),
            (date(2026, 9, 23), DueTerms(1, holiday="none"), date(2026, 9, 24)),
            (date(2026, 9, 23), DueTerms(2, holiday="previous"), date(2026, 9, 28)),
            (
                date(2026, 9, 22),
                DueTerms(0, "calendar", "weekly", 4, "previous"),
                date(2026, 9, 23),
            ),
            (date(2026, 9, 22), DueTerms(0, "calendar", "weekly", 1, "none"), date(2026, 9, 22)),
            (date(2026, 9, 22), DueTerms(0, "calendar", "weekly", (0, 2)), date(2026, 9, 23)),
            (date(2026, 12, 16), DueTerms(0, "calendar", "monthly", 15), date(2027, 1, 15)),
            (date(2026, 12, 31), DueTerms(1, "calendar", "monthly", 31, "none"), date(2027, 1, 31)),
            (date(2028, 2, 10), DueTerms(0, "calendar", "monthly", 31, "none"), date(2028, 2, 29)),
            (date(2026, 9, 2), DueTerms(0, "calendar", "monthly", (1, 16)), date(2026, 9, 16)),
        ],
    )
    def test_counts_lag_cycle_and_holiday(self, basis_on, due_terms, due):
        assert due_dates.due_on(basis_on, due_terms, CHUSEOK) == due

    def test_takes_the_earliest_listed_date(self):
        listed = DueTerms(0, "calendar", "manual", (date(2026, 4, 1), date(2026, 3, 10)), "none")
        assert due_dates.due_on(date(2026, 3, 2), listed, OPEN) == date(2026, 3, 10)

    def test_refuses_when_no_listed_date_is_left(self):
        listed = DueTerms(1, "calendar", "manual", (date(2026, 4, 1),), "none")
        with pytest.raises(due_dates.NoDueDateLeft):
            due_dates.due_on(date(2026, 4, 1), listed, OPEN)

    @given(days, terms(), calendars)
    def test_is_never_before_basis_and_lag(self, basis_on, due_terms, calendar):
        due = due_dates.due_on(basis_on, due_terms, calendar)
        if due_terms.lag_kind == "calendar":
            assert due >= basis_on + timedelta(days=due_terms.lag_days)
        else:
            assert due >= calendar.add_business_days(basis_on, due_terms.lag_days)

    @given(days, terms(holidays=["previous", "next"]), calendars)
    def test_is_a_business_day(self, basis_on, due_terms, calendar):
        assert calendar.is_business_day(due_dates.due_on(basis_on, due_terms, calendar))

    @given(days, terms(), calendars)
    def test_does_not_fall_when_the_basis_rises(self, basis_on, due_terms, calendar):
        later = due_dates.due_on(basis_on + timedelta(days=1), due_terms, calendar)
        assert due_dates.due_on(basis_on, due_terms, calendar) <= later


class TestDueForRun:
    def due(self, basis_on, run_on, closed=(), due_terms=None):
        due_terms = due_terms or DueTerms(2, "business")
        return due_dates.due_for_run(basis_on, run_on, due_terms, OPEN, set(closed).__contains__)

    def test_leaves_a_due_date_that_is_still_to_come(self):
        assert self.due(date(2026, 6, 1), date(2026, 6, 2)) == date(2026, 6, 3)

    def test_keeps_the_runs_own_day(self):
        assert self.due(date(2026, 6, 1), date(2026, 6, 3)) == date(2026, 6, 3)

    def test_keeps_the_runs_own_day_where_a_holiday_moved_the_cycle_to_it(self):
        saturdays = DueTerms(0, "calendar", "weekly", 5)
        assert self.due(date(2026, 6, 1), date(2026, 6, 8), due_terms=saturdays) == date(2026, 6, 8)

    def test_puts_a_late_line_on_the_runs_day_without_lag(self):
        assert self.due(date(2026, 6, 1), date(2026, 6, 10)) == date(2026, 6, 10)

    def test_restarts_the_cycle(self):
        weekly = DueTerms(2, "business", "weekly", 4)
        assert self.due(date(2026, 6, 1), date(2026, 6, 8), due_terms=weekly) == date(2026, 6, 12)

    def test_goes_to_the_next_day_where_the_runs_statement_is_closed(self):
        run_on = date(2026, 6, 10)
        assert self.due(date(2026, 6, 1), run_on, closed=[run_on]) == date(2026, 6, 11)

    def test_restarts_from_the_run_where_a_coming_statement_is_closed(self):
        closed = [date(2026, 6, 3)]
        assert self.due(date(2026, 6, 1), date(2026, 6, 2), closed) == date(2026, 6, 2)

    def test_passes_over_a_cycle_that_is_closed_as_well(self):
        weekly = DueTerms(0, "calendar", "weekly", 4)
        closed = [date(2026, 6, 5)]
        assert self.due(date(2026, 6, 1), date(2026, 6, 1), closed, weekly) == date(2026, 6, 12)

    def test_refuses_when_every_statement_is_closed(self):
        with pytest.raises(due_dates.NoDueDateLeft):
            due_dates.due_for_run(
                date(2026, 6, 1), date(2026, 6, 1), DueTerms(0), OPEN, lambda day: True
            )

    @given(days, st.integers(0, 30), terms(), calendars, st.frozensets(days, max_size=60))
    def test_is_open_and_not_before_the_run(self, basis_on, after, due_terms, calendar, closed):
        run_on = basis_on + timedelta(days=after)
        due = due_dates.due_for_run(basis_on, run_on, due_terms, calendar, closed.__contains__)
        assert due >= run_on
        assert due not in closed
