"""Resident registration numbers in the admin: who entered one, and files that contain them.

No page shows a digit of any. The files need a permission of their own, a reason, and a log-in of
just now; each goes straight to whoever asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace import sheets
from marketplace.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, action, register
from marketplace.fresh_log_in import fresh_log_in
from marketplace.models import Marketplace
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import payout_forms, resident_filing, resident_numbers, tax_files, tax_invoices
from settlements.models import ResidentNumber

PERMISSION = "settlements.file_residentnumber"
SHOWN_MONTHS = 24
SHOWN_PERSONS = 500  # who is missing first


@dataclass(frozen=True, slots=True)
class Report:
    """A file with numbers: who is in it, and how it is made."""

    title: str | Promise
    explanation: str | Promise
    persons: Callable[[date], list[resident_filing.Person]]
    write: Callable[..., bytes]
    content_type: str
    file_name: str


WITHHELD = Report(
    title=_("Withheld tax, with resident numbers"),
    explanation=_(
        "The month's withheld tax by person, as CSV: for the withholding return and the simplified "
        "payment statement."
    ),
    persons=resident_filing.of_withholding,
    write=resident_filing.withholding,
    content_type=sheets.TYPES[sheets.CSV],
    file_name="withholding-{month:%Y-%m}.csv",
)
INVOICES = Report(
    title=_("Tax invoices to persons, with resident numbers"),
    explanation=_(
        "The month's issued tax invoices to people without a business registration, as XML."
    ),
    persons=resident_filing.of_invoices,
    write=resident_filing.invoices,
    content_type=tax_files.ZIP,
    file_name="tax-invoices-of-persons-{month:%Y-%m}.zip",
)


@register(ResidentNumber)
class ResidentNumberAdmin(StoryAdmin):
    """Of whom a number is kept, for what; for nobody but those who may take numbers out."""

    comes_from = _(
        "Sellers from whom tax is withheld, and people who get tax invoices, enter their number on "
        "the seller centre, under Tax documents."
    )
    place = 9
    story_template = "settlements/admin/resident_number.html"
    list_display = ["seller", "purpose", "entered_at", "last_used_for", "last_used_at"]
    list_filter = [("purpose", ChoicesDropdownFilter), ("seller", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    actions_list = ["withheld", "invoices"]
    decisions = {
        "erase": Decision(
            name=_("Erase"),
            explanation=_(
                "The number is gone for good. Only for one that should not be here: what the law "
                "no longer asks for is erased by itself."
            ),
            process=resident_numbers.erase,
            form=payout_forms.InnerReasonForm,
            offered=lambda row: True,
            is_grave=True,
            needs_fresh_log_in=True,
            ends_row=True,
            done=_("The number was erased."),
        )
    }

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.select_related("seller", "entered_by").defer("number", "number_index")

    def has_view_permission(self, request, obj=None):
        return super().has_view_permission(request, obj) and request.user.has_perm(PERMISSION)

    def has_file_permission(self, request) -> bool:
        """Writing down who took numbers out needs a marketplace that can be written to."""
        is_open = request.marketplace and request.marketplace.state != Marketplace.State.ARCHIVED
        return bool(is_open) and request.user.has_perm(PERMISSION)

    def tell(self, request, row):
        dated = ResidentNumber.objects.with_last_income().get(pk=row.pk)
        years = request.marketplace.resident_number_years
        return {
            "last_income_on": resident_numbers.last_income_on(dated),
            "kept_until": resident_numbers.kept_until(dated, years=years),
            "doubles": resident_numbers.doubles(row),
        }

    @action(description=_("Withheld tax, with numbers"), url_path="withheld", permissions=["file"])
    def withheld(self, request):
        return fresh_log_in(self._report)(request, WITHHELD)

    @action(
        description=_("Invoices to persons, with numbers"),
        url_path="invoices",
        permissions=["file"],
    )
    def invoices(self, request):
        return fresh_log_in(self._report)(request, INVOICES)

    def _report(self, request, report: Report):
        """Who is in a month's file and whose number is missing; the file itself by POST."""
        last = timezone.localdate(timezone=request.marketplace.tz)
        months = tax_invoices.months_back(last, request.marketplace.first_open_on, SHOWN_MONTHS)
        month = tax_invoices.read_month(request.GET.get("month")) or months[0]
        form = payout_forms.InnerReasonForm(request.POST or None)
        if form.is_valid() and (answer := self._written(request, report, month, form)):
            return answer
        persons = sorted(report.persons(month), key=lambda person: person.has_number)
        return self.page(
            request,
            "settlements/admin_resident_report.html",
            title=report.title,
            report=report,
            months=months,
            month=month,
            persons=persons[:SHOWN_PERSONS],
            count=len(persons),
            missing=sum(not person.has_number for person in persons),
            form=form,
        )

    def _written(self, request, report: Report, month: date, form) -> HttpResponse | None:
        words = {"by": request.user, "at": timezone.now(), **form.cleaned_data}
        try:
            content = report.write(month, **words)
        except Refused as refused:
            refusals.show(form, refused)
            return None
        name = report.file_name.format(month=month)
        return HttpResponse(
            content,
            content_type=report.content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )
