"""Coming payouts in words: stages, reasons of differences, days by month."""

from collections.abc import Iterable
from itertools import groupby

from django.utils.translation import gettext_lazy as _

from settlements import estimates, expecting, forecast_changes
from settlements.forecasts import Day

STAGES = {
    estimates.PAID: _("Paid, not shipped"),
    estimates.SHIPPED: _("Being delivered"),
    estimates.DELIVERED: _("Delivered, not confirmed"),
    estimates.CONFIRMED: _("Confirmed, settled in the next night"),
    estimates.HELD: _("Held by a claim"),
    expecting.BESIDE: _("Beside sales, settled in its night"),
}
REASONS = {
    forecast_changes.NEW: _("New sales"),
    forecast_changes.ADJUSTED: _("Amounts beside sales"),
    forecast_changes.CAME_LATER: _("Forecast for an earlier day, paid on this one"),
    forecast_changes.CAME_EARLIER: _("Forecast for a later day, paid on this one"),
    forecast_changes.RELEASED: _("Released: the claim is decided"),
    forecast_changes.FEES: _("Other fees than forecast"),
    forecast_changes.REDUCED: _("Cancelled in part, or reduced in price"),
    forecast_changes.CANCELLED: _("Cancelled"),
    forecast_changes.RETURNED: _("Returned"),
    forecast_changes.HELD: _("Held: a claim is open"),
    forecast_changes.LATER: _("Moved to a later day"),
    forecast_changes.EARLIER: _("Moved to an earlier day"),
}


def months(days: Iterable[Day]) -> list[dict]:
    """Payment days by month, each with its sum."""
    found = []
    for first, of_month in groupby(days, key=lambda day: day.due_on.replace(day=1)):
        listed = [{"day": day, "stages": stages(day)} for day in of_month]
        found.append({"first": first, "days": listed, "net": sum(d["day"].net for d in listed)})
    return found


def stages(day: Day) -> list[tuple]:
    """Of what a day is made that is still to be settled: (name, lines, net) of each stage."""
    return [(STAGES[stage], lines, net) for stage, (lines, net) in day.stages.items() if lines]


def reasons(changes) -> list[tuple]:
    """What made a day differ: (name, items, amount) of each reason."""
    return [
        (REASONS[reason], count, amount)
        for reason, (count, amount) in forecast_changes.sums(changes).items()
    ]
