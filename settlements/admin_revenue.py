"""Revenue reports in the admin: a list, each one's story, and an import from a file."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import (
    HIDDEN,
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    action,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.refusals import Refused
from marketplace.story_pages import StoryAdmin
from settlements import models, revenue_files, revenue_import, shop_revenue

MOST_BYTES = 2 * 1024 * 1024
SHOWN_PROBLEMS = 200


class RevenueFileForm(forms.Form):
    """Revenue reports as CSV."""

    file = forms.FileField(label=_("CSV file"), help_text=_("UTF-8, up to 2 MB and 5,000 rows."))

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(_("The file is larger than 2 MB. Split it."), code="too_large")
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError(_("The file is not CSV in UTF-8."), code="not_utf8") from error


@register(models.RevenueReport)
class RevenueReportAdmin(StoryAdmin):
    place = 24
    comes_from = _(
        "Reports arrive through the API, are imported from a file here, or are made by the night "
        "of orders that name a host or an affiliate."
    )
    story_template = "settlements/admin/revenue_report.html"
    list_display = [
        "on",
        "seller",
        "named_stream",
        "app",
        "source",
        state_column(),
        "version",
        money_column("amount", _("reported amount")),
        money_column("share", _("settled share")),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("seller", AutocompleteSelectFilter),
        ("on", RangeDateFilter),
    ]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-on", "-id"]
    search_fields = ["public_id__exact", "app__exact"]
    actions_list = ["import_file"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller")

    def tell(self, request, row):
        return {
            "told": shop_revenue.told(row, request.marketplace, request.GET),
            "may_see_orders": request.user.has_perm("orders.view_order"),
        }

    @display(description=_("revenue stream"), ordering="stream")
    def named_stream(self, row):
        return row.stream_name

    @action(description=_("Import a file"), url_path="import", permissions=["decide"])
    def import_file(self, request):
        form = RevenueFileForm(request.POST or None, request.FILES or None)
        imported = None
        if form.is_valid():
            try:
                imported = revenue_import.import_text(
                    form.cleaned_data["file"], by=request.user, at=timezone.now()
                )
            except Refused as refused:
                refusals.show(form, refused)
        problems = imported.problems if imported else ()
        return self.page(
            request,
            "settlements/admin_import_revenue.html",
            title=gettext("Import revenue reports"),
            form=form,
            imported=imported,
            columns=revenue_files.COLUMNS,
            problems=[
                {
                    "row": problem.row,
                    "column": problem.column,
                    "reason": problem.refusal.text(gettext),
                }
                for problem in problems[:SHOWN_PROBLEMS]
            ],
            count=len(problems),
        )


@register(models.RevenueVersion)
class RevenueVersionAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = [
        "report",
        "number",
        money_column("amount", _("reported amount")),
        "is_final",
        "reported_at",
        "source",
    ]
    list_select_related = ["report"]
    ordering = ["-id"]


@register(models.RevenueShare)
class RevenueShareAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = [
        "report",
        "version",
        money_column("amount", _("reported amount")),
        money_column("share", _("difference of the share")),
        "basis_on",
        "adjustment",
    ]
    list_select_related = ["report", "adjustment"]
    ordering = ["-id"]


@register(models.RevenueLine)
class RevenueLineAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = [
        "report",
        "version",
        "sold",
        "sequence",
        "basis_on",
        money_column("amount", _("amount")),
    ]
    list_select_related = ["report", "order_line__order"]
    ordering = ["-id"]

    @display(description=_("line"))
    def sold(self, line):
        return f"{line.order_line.order.number} / {line.order_line.number}"
