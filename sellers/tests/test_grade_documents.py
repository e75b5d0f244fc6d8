"""Reading grade policies: each mistake is refused by its field."""

from copy import deepcopy

import pytest

from marketplace import documents
from sellers import grade_documents, grading
from sellers.models import PerformanceDay
from sellers.tests.make import POLICY


class TestParse:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (
                lambda p: p["metrics"]["orders"].update(sum=["order_confirmed"]),
                "policy: metrics.orders.sum[0] should be one of",
            ),
            (lambda p: p["grades"].clear(), "policy: grades[0] is missing."),
            (
                lambda p: p["grades"][1].update(code="seed"),
                "policy: grades[1].code repeats seed",
            ),
            (
                lambda p: p["grades"][1]["requires"].update(all=[]),
                "policy: grades[1].requires.all[0] is missing.",
            ),
            (
                lambda p: p["grades"][1]["benefits"][0].update(points_off=1),
                "policy: grades[1].benefits[0].points_off is not a field",
            ),
            (lambda p: p["starting"].update(grade="x"), "policy: starting.grade should be one of"),
            (lambda p: p["effective"].update(day=32), "policy: effective.day should lie between"),
        ],
    )
    def test_refuses_a_mistake_by_its_field(self, change, words):
        policy = deepcopy(POLICY)
        change(policy)
        with pytest.raises(documents.BadDocument) as refused:
            grade_documents.parse(policy)
        assert str(refused.value).startswith(words)

    def test_knows_the_figures_that_are_stored(self):
        stored = {field.name for field in PerformanceDay._meta.get_fields()}
        assert stored - {"id", "marketplace", "seller", "on"} == set(grading.FIGURES)
