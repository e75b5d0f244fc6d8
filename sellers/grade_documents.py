"""Grade policies as operators write them: documents of data, read into what grading works with.

Reading only. Whatever cannot be used is refused with the name of the field.
"""

from collections.abc import Mapping
from typing import Any

from marketplace import documents
from marketplace.documents import Part
from marketplace.money import MILLION
from sellers.grading import (
    AT_LEAST,
    AT_MOST,
    FIGURES,
    RATIO,
    UNITS_OF_MEASURE,
    AllOf,
    AnyOf,
    Benefit,
    Condition,
    EffectiveDays,
    Grade,
    Metric,
    Policy,
    Threshold,
    Window,
)


def parse(body: Any, where: str = "policy:") -> Policy:
    """Read a policy document. Refuses what cannot be used, naming the field."""
    with documents.reading(body, where) as part:
        metrics = {code: _metric(code, p) for code, p in part.named_parts("metrics").items()}
        grades = tuple(
            _grade(p, metrics, is_lowest=at == 0) for at, p in enumerate(part.parts("grades"))
        )
        codes = [grade.code for grade in grades]
        if not codes:
            raise documents.FieldMissing(where=part.at("grades[0]"))
        for at, code in enumerate(codes):
            if code in codes[:at]:
                raise documents.FieldRepeated(where=part.at(f"grades[{at}].code"), found=code)
        with documents.reading(part.raw("effective"), part.at("effective")) as effective:
            every = effective.choice("every", ("day", "week", "month"))
            limits = {"week": (0, 6), "month": (1, 31)}.get(every)
            day = effective.integer("day", low=limits[0], high=limits[1]) if limits else 0
        with documents.reading(part.raw("starting"), part.at("starting")) as starting:
            start = starting.choice("grade", codes)
            keep_days = starting.integer("keep_days", 0, high=3660)
        return Policy(
            metrics=metrics,
            grades=grades,
            effective=EffectiveDays(every, day),
            starting=start,
            starting_days=keep_days,
            grace=part.integer("grace", 0, high=100),
        )


def _metric(code: str, part: Part) -> Metric:
    unit = part.choice("unit", UNITS_OF_MEASURE)
    with documents.reading(part.raw("window"), part.at("window")) as window:
        if window.has("months"):
            span = Window(months=window.integer("months", low=1, high=120))
        else:
            span = Window(days=window.integer("days", low=1, high=3660))
    metric = Metric(
        code=code,
        name=part.text("name", longest=60),
        unit=unit,
        window=span,
        sums=_figures(part, "sum"),
        less=_figures(part, "less") if part.has("less") else (),
        per=_figures(part, "per") if unit == RATIO else (),
        minimum_sample=part.integer("minimum_sample", 1, low=1) if unit == RATIO else 1,
    )
    part.done()
    return metric


def _figures(part: Part, name: str) -> tuple[str, ...]:
    figures = part.texts(name)
    if not figures:
        raise documents.FieldMissing(where=part.at(f"{name}[0]"))
    for at, figure in enumerate(figures):
        if figure not in FIGURES:
            raise documents.FieldNotListed(
                where=part.at(f"{name}[{at}]"), choices=", ".join(FIGURES), found=figure
            )
    return figures


def _grade(part: Part, metrics: Mapping[str, Metric], *, is_lowest: bool) -> Grade:
    grade = Grade(
        code=part.text("code", longest=40),
        name=part.text("name", longest=60),
        requires=AllOf(()) if is_lowest else _condition(part.part("requires"), metrics),
        benefits=tuple(_benefit(p) for p in part.parts("benefits", ())),
    )
    part.done()
    return grade


def _condition(part: Part, metrics: Mapping[str, Metric]) -> Condition:
    condition: Condition
    if part.has("all"):
        condition = AllOf(tuple(_condition(p, metrics) for p in _some(part, "all")))
    elif part.has("any"):
        condition = AnyOf(tuple(_condition(p, metrics) for p in _some(part, "any")))
    else:
        metric = part.choice("metric", list(metrics))
        bound = AT_MOST if part.has(AT_MOST) else AT_LEAST
        condition = Threshold(metric, bound, part.integer(bound))
    part.done()
    return condition


def _some(part: Part, name: str) -> list[Part]:
    parts = part.parts(name)
    if not parts:
        raise documents.FieldMissing(where=part.at(f"{name}[0]"))
    return parts


def _benefit(part: Part) -> Benefit:
    benefit = Benefit(
        components=frozenset(part.texts("components")),
        points_off_ppm=part.integer("points_off_ppm", 0, high=MILLION),
        percent_off_ppm=part.integer("percent_off_ppm", 0, high=MILLION),
    )
    part.done()
    return benefit
