"""Explanations in words. Korean sentences come from the catalogue; here the English ones."""

from dataclasses import asdict

import pytest
from django.utils import translation

from marketplace.models import Marketplace
from sellers import grade_documents, grade_words, grading
from sellers.tests.make import POLICY
from sellers.tests.test_grading import figures

RULES = grade_documents.parse(POLICY)
MARKET = Marketplace(currency="KRW", currency_exponent=0, locale="ko")


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def explanation(kept=None, **given):
    verdict = grading.evaluate(figures(**given), RULES)
    return {
        "earned": verdict.grade,
        "kept": kept,
        "reasons": [asdict(reason) for reason in verdict.reasons],
        "next": verdict.next_grade,
        "missing": [asdict(short) for short in verdict.missing],
    }


class TestMissing:
    def test_names_orders_and_money(self):
        told = grade_words.missing(explanation(orders=288, sales=7_660_000), RULES, MARKET)
        assert told == "12 orders and ₩340,000 short of 파워."

    def test_names_ratios_and_too_few_cases(self):
        sales = {"orders": 2_000, "sales": 8_000_000}
        late = grade_words.missing(explanation(**sales, late=7, shipped=100), RULES, MARKET)
        assert late == "발송 지연율 7% (at most 5%) short of 프리미엄."
        few = grade_words.missing(explanation(**sales, shipped=7), RULES, MARKET)
        assert few == "발송 지연율 (3 more cases needed) short of 프리미엄."

    def test_has_nothing_to_say_at_the_top(self):
        best = explanation(orders=2_000, sales=8_000_000, shipped=10)
        assert grade_words.missing(best, RULES, MARKET) == "This is the highest grade."


class TestReasons:
    def test_compare_each_threshold(self):
        assert grade_words.reasons(explanation(orders=300, sales=9_000_000), RULES, MARKET) == [
            "구매확정 건수 300 orders (at least 300 orders)",
            "구매확정 금액 ₩9,000,000 (at least ₩8,000,000)",
        ]


class TestKept:
    def test_says_why_the_grade_is_another(self):
        assert grade_words.kept(explanation(), RULES) == ""
        assert (
            grade_words.kept(explanation(kept="grace"), RULES)
            == "The figures earn 씨앗; the present grade stays for now."
        )
