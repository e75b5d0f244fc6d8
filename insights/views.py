"""Pages of the seller centre that read across all floors: its home, and the grade."""

from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from insights import charts, shop_home
from orders import verdicts
from sellers import grade_standing, grade_words, grades
from sellers.access import seller_page
from settlements import ledger

HISTORY = 24  # official grades shown


@seller_page
def home(request, marketplace):
    shown = shop_home.of_seller(request.seller, request.marketplace, on=_today(request))
    bars = charts.bars([day.sales for day in shown.days])
    step = next((step for step in shown.standing.steps if step.missing), None)
    context = {
        "home": shown,
        "position": shown.position,
        "trouble": shown.trouble and shown.trouble.text(gettext),
        "next_step": step,
        "missing": _missing(request, shown.standing, step) if step else "",
        "chart": {"width": charts.WIDTH, "height": charts.HEIGHT},
        "bars": list(zip(shown.days, bars, strict=True)),
        "total": sum(day.sales for day in shown.days),
    }
    return render(request, "insights/home.html", context)


@seller_page
def grade(request, marketplace):
    today = _today(request)
    last_day = request.marketplace.last_closed_on or today
    standing = grade_standing.of_seller(request.seller, on=today, figures_on=last_day)
    names = ledger.component_names()
    context = {
        "standing": standing,
        "benefits": _benefits(standing.held_grade, names),
        "kept": _kept(standing),
        "measures": [
            (each, grade_words.value(each.measured, request.marketplace))
            for each in standing.measures
        ],
        "steps": [
            {
                "grade": step.grade,
                "benefits": _benefits(step.grade, names),
                "missing": _missing(request, standing, step),
                "requirements": _requirements(request, standing, step),
            }
            for step in standing.steps
        ],
        "history": [
            (row, _name(grades.load(row.policy), row.grade))
            for row in grade_standing.history(request.seller, limit=HISTORY)
        ],
    }
    return render(request, "insights/grade.html", context)


def _today(request):
    return verdicts.business_date(timezone.now(), request.marketplace.tz)


def _missing(request, standing, step) -> str:
    return grade_words.shortfalls(step.missing, standing.policy, request.marketplace)


def _requirements(request, standing, step) -> list[dict]:
    values = {
        each.measured.metric.code: grade_words.value(each.measured, request.marketplace)
        for each in standing.measures
    }
    return [
        {
            "is_any": requirement.is_any,
            "reasons": [
                {
                    "name": standing.policy.metrics[reason.metric].name,
                    "wanted": grade_words.wanted(reason, standing.policy, request.marketplace),
                    "value": values[reason.metric],
                    "holds": reason.holds,
                }
                for reason in requirement.reasons
            ],
        }
        for requirement in step.requirements
    ]


def _benefits(grade, names) -> list[str]:
    if grade is None:
        return []
    return [text for each in grade.benefits for text in grade_words.benefit(each, names)]


def _kept(standing) -> str:
    projected = standing.projected
    if projected is None:
        return ""
    return grade_words.kept(projected.explanation, grades.load(projected.policy))


def _name(policy, code: str) -> str:
    return policy.grade(code).name if code in policy.ranks else code
