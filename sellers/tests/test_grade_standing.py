"""How a seller stands towards the grades above, beside what the night decides."""

from datetime import date

import pytest

from marketplace import tenancy
from sellers import grade_standing, grade_words, grades
from sellers.tests import make

pytestmark = pytest.mark.django_db

MAY_1, MAY_2, MAY_5 = date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 5)


@pytest.fixture
def market():
    market = make.marketplace()
    with tenancy.use(market.pk):
        make.policy()
        yield market


def _standing(seller, on=MAY_5):
    return grade_standing.of_seller(seller, on=on, figures_on=on)


class TestOfSeller:
    def test_begins_with_the_starting_grade(self, market):
        standing = _standing(make.seller())
        assert (standing.held_grade.code, standing.since, standing.projected) == (
            "seed",
            None,
            None,
        )
        assert standing.next_effective_on == date(2026, 6, 2)
        assert [step.grade.code for step in standing.steps] == ["power", "premium"]

    def test_says_what_is_missing_to_every_higher_grade(self, market):
        seller = make.seller()
        make.day(seller, MAY_1, orders_confirmed=290, sales_confirmed=9_000_000)
        make.day(make.seller("other"), MAY_1, orders_confirmed=5_000)
        standing = _standing(seller)
        power, premium = standing.steps
        assert grade_words.shortfalls(power.missing, standing.policy, market) == "10 orders"
        [orders], [sales] = (requirement.reasons for requirement in power.requirements)
        assert (orders.value, orders.wanted, orders.holds) == (290, 300, False)
        assert (sales.value, sales.wanted, sales.holds) == (9_000_000, 8_000_000, True)
        either, late = premium.requirements
        assert (either.is_any, [reason.wanted for reason in either.reasons]) == (
            True,
            [2_000, 600_000_000],
        )
        assert late.reasons[0].value is None
        # Of the two ways the nearer one.
        assert "1,710 orders" in grade_words.shortfalls(premium.missing, standing.policy, market)

    def test_tells_the_days_of_each_window(self, market):
        orders, _, late = _standing(make.seller()).measures
        assert (orders.first_on, orders.last_on) == (date(2026, 4, 6), MAY_5)
        assert (late.first_on, late.last_on) == (date(2026, 4, 29), MAY_5)
        assert grade_words.value(late.measured, market) == "too few cases yet (10 more needed)"

    def test_agrees_with_the_night(self, market):
        seller = make.seller()
        make.day(seller, MAY_1, orders_confirmed=300, sales_confirmed=8_000_000)
        grades.project(MAY_2, at=make.AT)
        grades.make_official(MAY_2, at=make.AT)
        standing = _standing(seller)
        assert (standing.held_grade.code, standing.since) == ("power", MAY_2)
        assert standing.projected_grade.code == "power"
        assert [step.grade.code for step in standing.steps] == ["premium"]
        [official] = grade_standing.history(seller, limit=5)
        assert (official.grade, official.effective_from) == ("power", MAY_2)

    def test_is_at_the_top_without_steps(self, market):
        seller = make.seller()
        make.day(seller, MAY_1, orders_confirmed=2_000, sales_confirmed=8_000_000, shipped=100)
        grades.project(MAY_2, at=make.AT)
        grades.make_official(MAY_2, at=make.AT)
        standing = _standing(seller)
        assert (standing.held_grade.code, standing.steps) == ("premium", ())

    def test_knows_nothing_without_a_policy(self):
        with tenancy.use(make.marketplace("bare").pk):
            standing = _standing(make.seller())
            assert (standing.held, standing.policy, standing.steps) == (None, None, ())


class TestBenefit:
    def test_tells_points_and_percents_apart(self, market):
        standing = _standing(make.seller())
        names = {"sales": "Sales fee"}
        told = [
            text
            for step in standing.steps
            for benefit in step.grade.benefits
            for text in grade_words.benefit(benefit, names)
        ]
        assert told == [
            "Sales fee: 0.2 percentage points off the rate",
            "live, Sales fee: 10% off the fee itself",
        ]
