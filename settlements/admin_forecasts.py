"""Coming payouts in the admin: what the marketplace will have to pay on which day, and to whom."""

from django.db.models import Count, F, Max, Sum
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.admin import (
    AutocompleteSelectFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    action,
    money_column,
    register,
)
from marketplace.refusals import Refused
from orders import verdicts
from orders.models import OrderLine
from settlements import forecast_words, forecasts, models

SHOWN = 200  # lines of a day, and items of a comparison
SHOWN_DAYS = 62


@register(models.PayoutForecast)
class PayoutForecastAdmin(ReadOnlyAdmin):
    """What each seller could expect after a night; one opens beside what came of it."""

    place = 25
    comes_from = _("Each night leaves what sellers can expect after it.")
    list_display = [
        "seller",
        "due_on",
        "made_on",
        money_column("settled", _("on the open statement")),
        money_column("expected", _("still to be settled")),
        money_column("net", _("in all")),
    ]
    list_filter = [
        ("made_on", RangeDateFilter),
        ("due_on", RangeDateFilter),
        ("seller", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    actions_list = ["coming"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("items")

    @action(description=_("Coming payouts"), url_path="coming", permissions=["view"])
    def coming(self, request):
        rows = models.PayoutForecast.objects.all()
        made_on = rows.aggregate(last=Max("made_on"))["last"]
        days = (
            rows.filter(made_on=made_on, due_on__isnull=False)
            .values("due_on")
            .annotate(
                sellers=Count("pk"),
                on_statements=Sum("settled"),
                to_be_settled=Sum("expected"),
                net=Sum(F("settled") + F("expected")),
            )
            .order_by("due_on")[:SHOWN_DAYS]
        )
        held = rows.filter(made_on=made_on, due_on__isnull=True)
        return self.page(
            request,
            "settlements/admin_coming.html",
            title=gettext("Coming payouts"),
            made_on=made_on,
            days=list(days),
            held=held.aggregate(sellers=Count("pk"), net=Sum("expected", default=0)),
        )

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.found(request, object_id)
        today = verdicts.business_date(timezone.now(), request.marketplace.tz)
        compared, refusal = None, ""
        if row.due_on is not None:
            try:
                compared = forecasts.compare(row.seller, row.due_on, made_on=row.made_on, on=today)
            except Refused as refused:
                refusal = refused.text(gettext)
        changes = compared.changes[:SHOWN] if compared else []
        lines = row.items[:SHOWN]
        keys = {change.key[0] for change in changes} | {line[0] for line in lines}
        sold = OrderLine.objects.select_related("order").in_bulk(keys)
        return self.page(
            request,
            "settlements/admin_forecast.html",
            title=gettext("Payout forecast"),
            row=row,
            refusal=refusal,
            compared=compared,
            reasons=forecast_words.reasons(compared.changes) if compared else [],
            changes=[
                (forecast_words.REASONS[change.reason], change, sold.get(change.key[0]))
                for change in changes
            ],
            lines=[(sold.get(line[0]), line[1], line[2], line[3]) for line in lines],
            statement=models.Statement.objects.filter(
                seller=row.seller_id, due_on=row.due_on
            ).first(),
        )
