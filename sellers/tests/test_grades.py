"""Grades as rows: projected each night, official once, looked up in bulk."""

from datetime import date

import pytest
from django.db import Error, transaction

from marketplace import documents, tenancy, versions
from marketplace.models import AuditEntry, Change
from sellers import grades
from sellers.grading import Benefit
from sellers.models import GradePolicy, OfficialGrade, ProjectedGrade
from sellers.tests import make

pytestmark = pytest.mark.django_db
EFFECTIVE, DAY_BEFORE = date(2026, 3, 2), date(2026, 3, 1)
AT = make.AT


@pytest.fixture
def own():
    marketplace = make.marketplace()
    with tenancy.use(marketplace.pk):
        yield marketplace


class TestProject:
    def test_grades_every_seller_by_the_figures_up_to_the_day(self, own):
        make.policy()
        power, seed = make.seller("power"), make.seller("seed")
        make.day(power, DAY_BEFORE, orders_confirmed=300, sales_confirmed=8_000_000)
        make.day(seed, DAY_BEFORE, orders_confirmed=288, sales_confirmed=7_660_000)
        assert grades.project(DAY_BEFORE, at=AT) == 2
        assert ProjectedGrade.objects.get(seller=power).grade == "power"
        projected = ProjectedGrade.objects.get(seller=seed)
        assert (projected.grade, projected.explanation["next"]) == ("seed", "power")
        assert [short["short"] for short in projected.explanation["missing"]] == [12, 340_000]

    def test_keeps_one_row_a_seller_and_never_goes_back(self, own):
        make.policy()
        apple = make.seller()
        make.day(apple, EFFECTIVE, orders_confirmed=300, sales_confirmed=8_000_000)
        grades.project(DAY_BEFORE, at=AT)
        grades.project(EFFECTIVE, at=AT)
        grades.project(DAY_BEFORE, at=AT)  # a night repeated late
        projected = ProjectedGrade.objects.get()
        assert (projected.on, projected.grade) == (EFFECTIVE, "power")

    def test_grades_a_range_of_sellers(self, own):
        make.policy()
        make.seller("apple")
        pear = make.seller("pear")
        assert grades.project(DAY_BEFORE, at=AT, seller_range=(pear.pk, pear.pk + 9)) == 1
        assert ProjectedGrade.objects.get().seller == pear

    def test_takes_the_same_queries_for_any_number_of_sellers(self, own, django_assert_num_queries):
        make.policy()
        for number in range(30):
            make.seller(f"s{number}")
        grades.project(DAY_BEFORE, at=AT)
        with django_assert_num_queries(5):
            grades.project(DAY_BEFORE, at=AT)

    def test_does_nothing_without_a_policy(self, own):
        make.seller()
        assert grades.project(DAY_BEFORE, at=AT) == 0


class TestMakeOfficial:
    def test_takes_effect_on_the_effective_day_only(self, own):
        make.policy()
        apple = make.seller()
        make.day(apple, DAY_BEFORE, orders_confirmed=300, sales_confirmed=8_000_000)
        grades.project(DAY_BEFORE, at=AT)
        assert grades.make_official(DAY_BEFORE, at=AT) == 0
        grades.project(EFFECTIVE, at=AT)
        assert grades.make_official(EFFECTIVE, at=AT) == 1
        official = OfficialGrade.objects.get()
        assert (official.grade, official.effective_from) == ("power", EFFECTIVE)
        change = Change.objects.get()
        assert (change.type, change.object_id) == (
            "grade.made_official",
            official.seller.public_id,
        )
        assert change.data == {"grade": "power", "effective_from": EFFECTIVE.isoformat()}
        assert AuditEntry.objects.get(action="officialgrade.made").data == {
            "on": "2026-03-02",
            "grades": {"power": 1},
        }

    def test_never_changes_what_is_official(self, own):
        make.policy()
        apple = make.seller()
        grades.project(EFFECTIVE, at=AT)
        grades.make_official(EFFECTIVE, at=AT)
        make.day(apple, EFFECTIVE, orders_confirmed=300, sales_confirmed=8_000_000)
        grades.project(EFFECTIVE, at=AT)
        assert grades.make_official(EFFECTIVE, at=AT) == 0
        assert OfficialGrade.objects.get().grade == "seed"
        with pytest.raises(Error, match="permission denied"), transaction.atomic():
            OfficialGrade.objects.update(grade="premium")

    def test_refuses_a_night_that_did_not_project(self, own):
        make.policy()
        make.seller()
        with pytest.raises(grades.NotProjected):
            grades.make_official(EFFECTIVE, at=AT)

    def test_lets_a_fall_wait_once_where_the_policy_says_so(self, own):
        make.policy(make.POLICY | {"grace": 1})
        apple = make.seller()
        make.day(apple, DAY_BEFORE, orders_confirmed=300, sales_confirmed=8_000_000)
        for on in (EFFECTIVE, date(2026, 4, 2), date(2026, 5, 2)):
            grades.project(on, at=AT)
            grades.make_official(on, at=AT)
        given = OfficialGrade.objects.order_by("effective_from").values_list("grade", flat=True)
        assert list(given) == ["power", "power", "seed"]


class TestGradeOn:
    def test_gives_the_starting_grade_until_the_first_official_one(self, own):
        policy = make.policy()
        apple, pear = make.seller("apple"), make.seller("pear")
        make.day(apple, DAY_BEFORE, orders_confirmed=300, sales_confirmed=8_000_000)
        grades.project(EFFECTIVE, at=AT)
        grades.make_official(EFFECTIVE, at=AT)
        before = grades.grade_on([apple.pk, pear.pk], DAY_BEFORE)
        assert {pk: held.grade for pk, held in before.items()} == {
            apple.pk: "seed",
            pear.pk: "seed",
        }
        after = grades.grade_on([apple.pk, pear.pk], EFFECTIVE)
        assert after[apple.pk] == grades.Held(EFFECTIVE, policy.pk, "power")
        assert after[pear.pk].grade == "seed"

    def test_is_a_few_queries_for_any_number_of_sellers(self, own, django_assert_num_queries):
        make.policy()
        sellers = [make.seller(f"s{number}").pk for number in range(30)]
        grades.grade_on(sellers, EFFECTIVE)
        with django_assert_num_queries(3):
            grades.grade_on(sellers, EFFECTIVE)

    def test_knows_nobody_of_another_marketplace(self):
        own, strange = make.marketplace("own2"), make.marketplace("stranger")
        with tenancy.use(strange.pk):
            make.policy()
            stranger = make.seller()
        with tenancy.use(own.pk):
            make.policy()
            assert grades.grade_on([stranger.pk], EFFECTIVE) == {}


class TestHistory:
    def test_lists_the_grades_in_order_from_the_starting_one(self, own):
        policy = make.policy()
        apple = make.seller()
        for on in (EFFECTIVE, date(2026, 4, 2)):
            grades.project(on, at=AT)
            grades.make_official(on, at=AT)
        assert grades.history(first_seller=apple.pk, end_seller=apple.pk + 1) == {
            apple.pk: [
                grades.Held(date.min, policy.pk, "seed"),
                grades.Held(EFFECTIVE, policy.pk, "seed"),
                grades.Held(date(2026, 4, 2), policy.pk, "seed"),
            ]
        }


class TestBenefits:
    def test_are_those_of_the_policy_that_the_grade_was_awarded_by(self, own):
        old = make.policy()
        body = make.POLICY | {"grades": make.POLICY["grades"][:1]}
        new = make.policy(body, valid_from=date(2026, 3, 10))
        assert grades.benefits(old.pk, "power") == (Benefit(frozenset({"sales"}), 2_000, 0),)
        assert grades.benefits(old.pk, "seed") == ()
        assert grades.benefits(new.pk, "power") == ()


class TestPublishPolicy:
    def test_refuses_what_could_not_be_read_by_its_field(self, own):
        draft = versions.draft(GradePolicy, valid_from=make.JOINED, by=None, body={"grades": []})
        with pytest.raises(documents.BadDocument, match=r"^v1 \(2026-01-01\): "):
            grades.publish_policy(draft, by=None, at=make.AT)
        draft.refresh_from_db()
        assert draft.state == "draft"
