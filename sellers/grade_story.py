"""How sellers stand: the grade in force, the grade ahead, and when they were last heard of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import OuterRef, Subquery

from marketplace.models import Marketplace
from sellers import grade_words, grades
from sellers.grading import Policy
from sellers.models import GradePolicy, OfficialGrade, PerformanceDay, ProjectedGrade, Seller


@dataclass(frozen=True, slots=True)
class Told:
    """A grade in words. `day` is since when it holds, or what day it was computed for."""

    name: str
    day: date | None
    reasons: tuple[str, ...] = ()
    missing: str = ""
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """`official` is None where no policy was ever published, `projected` before a first night."""

    official: Told | None
    projected: Told | None


def of(seller: Seller, marketplace: Marketplace, *, on: date) -> Standing:
    """How one seller stands on a day, with all reasons."""
    official = (
        OfficialGrade.objects.filter(seller=seller, effective_from__lte=on)
        .select_related("policy")
        .order_by("-effective_from")
        .first()
    )
    projected = ProjectedGrade.objects.filter(seller=seller).select_related("policy").first()
    return Standing(
        _told(official, official.effective_from, marketplace)
        if official
        else _starting(seller, on),
        _told(projected, projected.on, marketplace) if projected else None,
    )


def add_to(sellers: Sequence[Seller], *, on: date) -> None:
    """Give each seller of a list `grade_name` and `last_active_on`; a few queries for all."""
    keys = [seller.pk for seller in sellers]
    held = grades.grade_on(keys, on)
    policies = GradePolicy.objects.in_bulk({grade.policy_id for grade in held.values()})
    # One look-up a seller by the unique key, however long its history has become.
    newest = PerformanceDay.objects.filter(seller=OuterRef("pk")).order_by("-on").values("on")[:1]
    days = dict(
        Seller.objects.filter(pk__in=keys)
        .annotate(last_active_on=Subquery(newest))
        .values_list("pk", "last_active_on")
    )
    for seller in sellers:
        seller.last_active_on = days.get(seller.pk)
        grade = held.get(seller.pk)
        policy = grade and grades.load(policies[grade.policy_id])
        seller.grade_name = policy.grade(grade.grade).name if policy else ""


def _starting(seller: Seller, on: date) -> Told | None:
    """The grade of a seller whom no effective day has reached yet."""
    held = grades.grade_on([seller.pk], on).get(seller.pk)
    if held is None:
        return None
    policy = grades.load(GradePolicy.objects.get(pk=held.policy_id))
    return Told(policy.grade(held.grade).name, None)


def _told(row: OfficialGrade | ProjectedGrade, day: date, marketplace: Marketplace) -> Told:
    policy = grades.load(row.policy)
    told = _explained(row.explanation, policy, marketplace)
    return Told(policy.grade(row.grade).name, day, *told)


def _explained(explanation: Mapping, policy: Policy, marketplace: Marketplace) -> tuple:
    return (
        tuple(grade_words.reasons(explanation, policy, marketplace)),
        grade_words.missing(explanation, policy, marketplace),
        grade_words.kept(explanation, policy),
    )
