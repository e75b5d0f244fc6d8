"""How a seller stands towards every grade: each measure beside what the grades ask for.

The figures are those that grades are computed from, read again now; the grade itself is never
decided here but in the night (sellers.grades).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sellers import grades, grading, performance
from sellers.grades import Held
from sellers.grading import Grade, Measured, Policy, Requirement, Shortfall
from sellers.models import GradePolicy, OfficialGrade, ProjectedGrade, Seller


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric of the policy with its window of days, both included, and its value."""

    measured: Measured
    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class Step:
    """A grade above the present one, and the shortest way to it; nothing missing: it is earned."""

    grade: Grade
    requirements: tuple[Requirement, ...]
    missing: tuple[Shortfall, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The grade in force and the policy it is from; the one projected; and what is above."""

    held: Held | None
    since: date | None  # None: since the beginning
    held_grade: Grade | None
    projected: ProjectedGrade | None
    projected_grade: Grade | None
    policy: Policy | None
    next_effective_on: date | None
    measures: tuple[Measure, ...]
    steps: tuple[Step, ...]


def of_seller(seller: Seller, *, on: date, figures_on: date) -> Standing:
    """How the seller stands on a business day, by the figures up to and with `figures_on`."""
    held = grades.grade_on([seller.pk], on).get(seller.pk)
    projected = ProjectedGrade.objects.select_related("policy").filter(seller=seller).first()
    row = GradePolicy.objects.all().on(on)
    if row is None:
        return Standing(held, None, None, None, None, None, None, (), ())
    policy = grades.load(row)
    figures = performance.windows(
        figures_on, policy.windows, seller_range=(seller.pk, seller.pk + 1)
    ).get(seller.pk, {})
    measured = {code: metric.measure(figures) for code, metric in policy.metrics.items()}
    return Standing(
        held=held,
        since=held.effective_from if held and held.effective_from != date.min else None,
        held_grade=grades.awarded(held) if held else None,
        projected=projected,
        projected_grade=_projected(projected),
        policy=policy,
        next_effective_on=grading.next_effective(policy, on),
        measures=tuple(
            Measure(each, each.metric.window.first_on(figures_on), figures_on)
            for each in _in_order(policy, measured)
        ),
        steps=tuple(_steps(policy, held, measured)),
    )


def history(seller: Seller, *, limit: int) -> list[OfficialGrade]:
    """The seller's newest official grades, newest first."""
    rows = OfficialGrade.objects.filter(seller=seller).select_related("policy")
    return list(rows.order_by("-effective_from")[:limit])


def _projected(projected: ProjectedGrade | None) -> Grade | None:
    if projected is None:
        return None
    policy = grades.load(projected.policy)
    return policy.grade(projected.grade) if projected.grade in policy.ranks else None


def _in_order(policy: Policy, measured: dict[str, Measured]) -> list[Measured]:
    """Measures in the order in which the grades ask for them; then those that none asks for."""
    asked = [
        reason.metric
        for grade in policy.grades
        for requirement in grading.requirements(grade.requires, measured)
        for reason in requirement.reasons
    ]
    return [measured[code] for code in dict.fromkeys([*asked, *sorted(measured)])]


def _steps(policy: Policy, held: Held | None, measured: dict[str, Measured]) -> Iterator[Step]:
    present = policy.ranks.get(held.grade, 0) if held else 0
    for grade in policy.grades[present + 1 :]:
        yield Step(
            grade,
            grading.requirements(grade.requires, measured),
            grading.missing(grade.requires, measured),
        )
