"""Grading as a pure rule: figures and a policy in, a verdict out."""

from copy import deepcopy
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellers import grade_documents, grading
from sellers.grading import Decision, Reason, Shortfall, Standing, Window
from sellers.tests.make import POLICY

MONTH, WEEK = Window(months=1), Window(days=7)
RULES = grade_documents.parse(POLICY)


def figures(orders=0, sales=0, returned=0, late=0, shipped=0):
    return {
        MONTH: {"orders_confirmed": orders, "sales_confirmed": sales, "sales_returned": returned},
        WEEK: {"shipped_late": late, "shipped": shipped},
    }


def evaluate(policy=RULES, **given_figures):
    return grading.evaluate(figures(**given_figures), policy)


class TestEvaluate:
    @pytest.mark.parametrize(
        ("given_figures", "grade"),
        [
            ({}, "seed"),
            ({"orders": 300, "sales": 7_999_999}, "seed"),
            ({"orders": 299, "sales": 8_000_000}, "seed"),
            ({"orders": 300, "sales": 8_000_000}, "power"),
            ({"orders": 300, "sales": 8_000_001, "returned": 2}, "seed"),
            ({"orders": 2_000, "sales": 8_000_000, "shipped": 9}, "power"),
            ({"orders": 2_000, "sales": 8_000_000, "shipped": 10}, "premium"),
            ({"orders": 300, "sales": 600_000_000, "shipped": 20, "late": 1}, "premium"),
            ({"orders": 300, "sales": 600_000_000, "shipped": 19, "late": 1}, "power"),
        ],
    )
    def test_gives_the_highest_grade_whose_requirements_are_met(self, given_figures, grade):
        assert evaluate(**given_figures).grade == grade

    def test_says_what_is_missing_to_the_next_grade(self):
        verdict = evaluate(orders=288, sales=7_660_000)
        assert verdict.next_grade == "power"
        assert verdict.missing == (
            Shortfall("orders", "at_least", 300, 288, 12),
            Shortfall("sales", "at_least", 8_000_000, 7_660_000, 340_000),
        )

    def test_gives_reasons_for_the_grade(self):
        assert evaluate(orders=300, sales=9_000_000).reasons == (
            Reason("orders", "at_least", 300, 300, True),
            Reason("sales", "at_least", 8_000_000, 9_000_000, True),
        )

    def test_names_the_nearest_of_several_ways(self):
        verdict = evaluate(orders=400, sales=590_000_000, shipped=100, late=7)
        assert verdict.missing == (
            Shortfall("sales", "at_least", 600_000_000, 590_000_000, 10_000_000),
            Shortfall("late", "at_most", 50_000, 70_000, 20_000),
        )

    def test_takes_too_few_cases_for_no_proof(self):
        [shortfall] = evaluate(orders=2_000, sales=8_000_000, shipped=7).missing
        assert shortfall == Shortfall("late", "unproven", 50_000, None, 3)

    def test_rounds_what_is_missing_up(self):
        [shortfall] = evaluate(orders=2_000, sales=8_000_000, shipped=19, late=1).missing
        # 1 of 19 is 52,631.58 ppm.
        assert shortfall == Shortfall("late", "at_most", 50_000, 52_632, 2_632)

    def test_has_nothing_above_the_highest_grade(self):
        verdict = evaluate(orders=2_000, sales=8_000_000, shipped=50)
        assert (verdict.grade, verdict.next_grade, verdict.missing) == ("premium", None, ())

    def test_compares_ratios_exactly(self):
        # 1 of 19 is 52,631.58 ppm: rounding must not let it through at 52,632 backwards.
        policy = deepcopy(POLICY)
        policy["grades"][2]["requires"]["all"][1]["at_most"] = 52_631
        strict = grade_documents.parse(policy)
        policy["grades"][2]["requires"]["all"][1]["at_most"] = 52_632
        lenient = grade_documents.parse(policy)
        case = {"orders": 2_000, "sales": 8_000_000, "shipped": 19, "late": 1}
        assert evaluate(strict, **case).grade == "power"
        assert evaluate(lenient, **case).grade == "premium"

    amounts = st.integers(0, 10**9)

    @given(amounts, amounts, amounts, amounts, amounts, amounts, st.integers(0, 60), amounts)
    def test_never_lowers_a_grade_for_better_figures(
        self, orders, more, sales, dearer, returned, fewer_back, late, shipped
    ):
        worse = evaluate(
            orders=orders, sales=sales, returned=returned, late=late, shipped=max(shipped, late)
        )
        better = evaluate(
            orders=orders + more,
            sales=sales + dearer,
            returned=max(returned - fewer_back, 0),
            late=max(late - more, 0),
            shipped=max(shipped, late) + dearer,
        )
        assert RULES.ranks[better.grade] >= RULES.ranks[worse.grade]

    @given(amounts, amounts)
    def test_is_right_about_what_was_missing(self, orders, sales):
        before = evaluate(orders=orders, sales=sales, shipped=20)
        short = {shortfall.metric: shortfall.short for shortfall in before.missing}
        after = evaluate(
            orders=orders + short.get("orders", 0), sales=sales + short.get("sales", 0), shipped=20
        )
        if before.next_grade:
            assert RULES.ranks[after.grade] >= RULES.ranks[before.next_grade]


class TestDecide:
    policy = grade_documents.parse(POLICY | {"grace": 1})
    new = grade_documents.parse(POLICY | {"starting": {"grade": "power", "keep_days": 30}})
    joined = date(2026, 1, 1)

    def decide(self, policy, *, before=None, on=date(2026, 6, 2), **given_figures):
        verdict = evaluate(policy, **given_figures)
        return grading.decide(verdict, policy, before=before, joined_on=self.joined, on=on)

    def test_lets_a_fall_wait_as_often_as_the_policy_says(self):
        assert self.decide(self.policy, before=Standing("power")) == Decision("power", "grace", 1)
        assert self.decide(self.policy, before=Standing("power", 1)) == Decision("seed")

    def test_never_lets_a_rise_wait(self):
        risen = self.decide(self.policy, before=Standing("seed", 1), orders=300, sales=8_000_000)
        assert risen == Decision("power")

    def test_keeps_newcomers_at_their_starting_grade(self):
        kept = Decision("power", "starting")
        assert self.decide(self.new, on=date(2026, 1, 30)) == kept
        assert self.decide(self.new, on=date(2026, 1, 31)) == Decision("seed")

    def test_forgets_a_grade_that_the_policy_no_longer_has(self):
        assert self.decide(self.policy, before=Standing("diamond")) == Decision("seed")


class TestWindow:
    @pytest.mark.parametrize(
        ("window", "on", "first_on"),
        [
            (Window(months=3), date(2026, 3, 31), date(2026, 1, 1)),
            (Window(months=3), date(2026, 5, 2), date(2026, 2, 3)),
            (Window(months=1), date(2026, 3, 30), date(2026, 2, 28)),
            (Window(months=12), date(2026, 12, 31), date(2026, 1, 1)),
            (Window(days=7), date(2026, 1, 3), date(2025, 12, 28)),
            (Window(days=1), date(2026, 1, 3), date(2026, 1, 3)),
        ],
    )
    def test_ends_with_the_day(self, window, on, first_on):
        assert window.first_on(on) == first_on


class TestEffectiveDays:
    @pytest.mark.parametrize(
        ("days", "on", "is_effective"),
        [
            (grading.EffectiveDays("month", 2), date(2026, 3, 2), True),
            (grading.EffectiveDays("month", 2), date(2026, 3, 3), False),
            (grading.EffectiveDays("month", 31), date(2026, 2, 28), True),
            (grading.EffectiveDays("week", 0), date(2026, 3, 2), True),
            (grading.EffectiveDays("week", 1), date(2026, 3, 2), False),
            (grading.EffectiveDays("day"), date(2026, 3, 3), True),
        ],
    )
    def test_includes(self, days, on, is_effective):
        assert days.includes(on) is is_effective
