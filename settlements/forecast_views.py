"""The seller's coming payouts: a calendar of payment days, and each day down to its lines."""

from datetime import date

from django.http import Http404
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from marketplace.refusals import Refused
from orders import verdicts
from orders.models import Claim, OrderLine
from sellers.access import seller_page
from settlements import forecast_words, forecasts, hold_book
from settlements.models import Hold, Statement

SHOWN = 100  # lines of a day, and items of a comparison


@seller_page
def days(request, marketplace):
    today = _today(request)
    context = {"forecast": None, "refusal": ""}
    try:
        forecast = forecasts.of_seller(request.seller, on=today)
    except Refused as refused:
        context["refusal"] = refused.text(gettext)
    else:
        holds = list(Hold.objects.placed().filter(seller=request.seller))
        context |= {
            "forecast": forecast,
            "months": forecast_words.months(forecast.days),
            "holds": len(holds),
            "disputed": sum(each.worth for each in hold_book.disputed(holds).values()),
            "held": _named(forecast.held[:SHOWN], request.seller, with_claims=True),
        }
    return render(request, "settlements/forecast.html", context)


@seller_page
def day(request, marketplace, day):
    due_on, today = _day(day), _today(request)
    try:
        forecast = forecasts.of_seller(request.seller, on=today)
        lines = forecasts.lines_of(request.seller, due_on, on=today)
    except Refused as refused:
        return render(request, "settlements/forecast.html", {"refusal": refused.text(gettext)})
    kept = forecasts.kept_for(request.seller, due_on)
    asked = _day(request.GET["since"]) if "since" in request.GET else None
    made_on = asked or (kept[0].made_on if kept else None)
    compared = made_on and forecasts.compare(request.seller, due_on, made_on=made_on, on=today)
    found = next((each for each in forecast.days if each.due_on == due_on), None)
    statement = Statement.objects.filter(seller=request.seller, due_on=due_on).first()
    context = {
        "due_on": due_on,
        "day": found,
        "stages": forecast_words.stages(found) if found else [],
        "statement": statement,
        "lines": _named(lines[:SHOWN], request.seller),
        "is_more": len(lines) > SHOWN,
        "kept": kept,
        "compared": compared,
        "reasons": forecast_words.reasons(compared.changes) if compared else [],
        "changes": _changes(compared.changes[:SHOWN], request.seller) if compared else [],
    }
    return render(request, "settlements/forecast_day.html", context)


def _today(request) -> date:
    return verdicts.business_date(timezone.now(), request.marketplace.tz)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Http404 from error


def _named(lines, seller, *, with_claims: bool = False) -> list[dict]:
    sold = _sold({each.order_line_id for each in lines} - {None}, seller)
    claims = {}
    if with_claims:
        open_ = Claim.objects.filter(line__in=sold, state__in=Claim.OPEN_STATES)
        claims = {claim.line_id: claim for claim in open_.order_by("pk")}
    return [
        {
            "expected": each,
            "stage": forecast_words.STAGES[each.stage],
            "sold": sold.get(each.order_line_id),
            "claim": claims.get(each.order_line_id),
        }
        for each in lines
    ]


def _changes(changes, seller) -> list[dict]:
    sold = _sold({change.key[0] for change in changes}, seller)
    return [
        {
            "change": change,
            "reason": forecast_words.REASONS[change.reason],
            "sold": sold.get(change.key[0]),
        }
        for change in changes
    ]


def _sold(ids, seller) -> dict[int, OrderLine]:
    rows = OrderLine.objects.select_related("order").filter(seller=seller, pk__in=list(ids))
    return {row.pk: row for row in rows}
