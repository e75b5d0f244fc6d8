"""The front page of the admin: what waits, the money of the last nights, how sellers are graded.

Named by string in the settings, because the admin's own floor is the lowest one.
"""

from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from insights import charts, desk, figures
from marketplace import admin_site, permissions
from marketplace.models import Marketplace
from settlements import nights, tax_deadlines

SEES_MONEY = "settlements.view_statement"
SEES_TAX = "settlements.view_taxinvoice"


def waiting(request) -> list[desk.Waiting]:
    """The queues of the sidebar, on the front page with the oldest of each."""
    is_front = request.path == reverse("admin:index")
    return desk.waiting(request.marketplace, request.user, with_oldest=is_front)


def show(request, context: dict) -> dict:
    """What the template admin/index.html shows beside what every page shows."""
    market = request.marketplace
    if market is None:
        return {**context, "marketplaces": permissions.may_enter(request.user)}
    now = timezone.now()
    context["queues"] = [
        {"queue": queue, "age": _age(queue.oldest, now)} for queue in admin_site.waiting(request)
    ]
    context["next_night"] = nights.next_on(market)
    if request.user.has_perm(SEES_TAX):
        context["tax_deadline"] = tax_deadlines.next_one(on=now.astimezone(market.tz).date())
    if market.last_closed_on and request.user.has_perm(SEES_MONEY):
        context.update(_money(market))
    return context


def _money(market: Marketplace) -> dict:
    trend = figures.trend(market.last_closed_on)
    *_earlier, (_on, last) = trend
    grades = figures.grade_distribution(market.last_closed_on)
    most = max((grade.sellers for grade in grades), default=0)
    return {
        "last": last,
        "trend": trend,
        "total": figures.total(trend),
        "sales_bars": _drawn(trend, "sales"),
        "paid_bars": _drawn(trend, "paid"),
        "chart": {"width": charts.WIDTH, "height": charts.HEIGHT},
        "grades": [grade for grade in grades if grade.name or grade.sellers],
        "most_sellers": most,
    }


def _drawn(trend, name: str) -> list[dict]:
    bars = charts.bars([getattr(money, name) for _on, money in trend])
    return [
        {"bar": bar, "on": on, "amount": getattr(money, name)}
        for bar, (on, money) in zip(bars, trend, strict=True)
    ]


def _age(oldest: datetime | None, now: datetime) -> str:
    """How long the oldest waits, in its largest unit; nothing for what is yet to come."""
    if oldest is None or oldest >= now:
        return ""
    return timesince(oldest, now, depth=1)
