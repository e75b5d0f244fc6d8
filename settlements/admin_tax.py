"""Tax invoices in the admin: each with its decisions, and a month with its tie to the ledger."""

from datetime import date, timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
    action,
    money_column,
    register,
    state_column,
)
from marketplace.models import Marketplace
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import (
    invoicing,
    ledger,
    nights,
    pdf,
    statutory,
    tax_drawing,
    tax_files,
    tax_invoices,
    tax_results,
    tax_ties,
)
from settlements.models import TaxInvoice
from settlements.payout_forms import InnerReasonForm

State = TaxInvoice.State
COLOURS = {
    State.DRAFT: "care",
    State.ISSUED: "busy",
    State.TRANSMITTED: "busy",
    State.ACCEPTED: "good",
    State.FAILED: "bad",
}
SHOWN_REFUSED = 50
SHOWN_MONTHS = 24
SHOWN_QUARTERS = 20


class NothingForm(forms.Form):
    """A decision that asks for nothing."""


class ApprovalForm(forms.Form):
    approval_number = forms.CharField(
        label=_("national approval number"),
        max_length=40,
        help_text=_("24 places, beginning with a date; hyphens do no harm."),
    )


class ResultsForm(forms.Form):
    file = forms.FileField(
        label=_("file of answers"),
        help_text=_("CSV with a header: number, approval_number, result, message."),
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > tax_results.MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 20 MB."))
        return file


@register(TaxInvoice)
class TaxInvoiceAdmin(StoryAdmin):
    """Invoices of all months; one opens with what it says, and what to decide."""

    comes_from = _("The night of a month's last day draws the invoices of the month up.")
    place = 8
    story_template = "settlements/admin/tax_invoice.html"
    list_display = [
        "number",
        "month",
        "seller",
        "kind",
        "leg",
        state_column(colours=COLOURS),
        money_column("supply", _("supply")),
        money_column("vat", _("VAT")),
        "deadline_on",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("leg", ChoicesDropdownFilter),
        ("month", RangeDateFilter),
        ("seller", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["number__exact", "approval_number__exact", "public_id__exact"]
    actions_list = ["months", "reports"]
    decisions = {
        "issue": Decision(
            name=_("Issue"),
            explanation=_("Both parties are frozen on it, and the seller is told of it."),
            process=invoicing.issue,
            form=NothingForm,
            offered=lambda row: row.state == State.DRAFT,
            done=_("The tax invoice is issued."),
        ),
        "original": Decision(
            name=_("Name the original"),
            explanation=_("Of an invoice that was not issued here."),
            process=invoicing.name_original,
            form=ApprovalForm,
            offered=lambda row: row.state == State.DRAFT and row.is_correction,
            done=_("The original is named."),
        ),
        "transmit": Decision(
            name=_("It was transmitted"),
            explanation=_("Handed to the tax office by your programme, or typed in there."),
            process=invoicing.transmit,
            form=NothingForm,
            offered=lambda row: row.state in (State.ISSUED, State.FAILED),
            done=_("Recorded: it was transmitted."),
        ),
        "accept": Decision(
            name=_("Record the approval number"),
            explanation=_("The tax office took the invoice and gave it a number."),
            process=invoicing.accept,
            form=ApprovalForm,
            offered=lambda row: row.state in (State.ISSUED, State.TRANSMITTED, State.FAILED),
            done=_("The approval number is recorded."),
        ),
        "fail": Decision(
            name=_("It was not taken"),
            explanation=_("What the tax office said. Mend the cause and transmit it again."),
            process=invoicing.fail,
            form=InnerReasonForm,
            offered=lambda row: row.state in (State.ISSUED, State.TRANSMITTED),
            is_grave=True,
            done=_("Recorded: the transmission failed."),
        ),
    }

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "original", "issuer")

    def get_urls(self):
        file = self.admin_site.admin_view(self.file_view)
        name = "settlements_taxinvoice_file"
        return [path("<path:object_id>/file/", file, name=name), *super().get_urls()]

    def tell(self, request, row):
        is_draft = row.state == State.DRAFT
        return {
            "state": state_column(colours=COLOURS)(row),
            "items": tax_files.items(row, ledger.component_names()),
            "receiver": None if is_draft else invoicing.receiver(row),
            "original_number": tax_files.original_number(row),
            "corrections": row.corrections.order_by("pk"),
            "month_page": f"{self.list_address()}months/?month={row.month:%Y-%m}",
        }

    def file_view(self, request, object_id):
        row = self._row(request, object_id)
        if row.state == State.DRAFT:
            raise Http404
        if request.GET.get("kind") != "pdf":
            return _download(tax_files.xml(row), tax_files.XML, tax_files.name(row))
        try:
            return _download(tax_files.as_pdf(row), pdf.TYPE, tax_files.name(row, "pdf"))
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
            return HttpResponseRedirect(self.address(row))

    @action(description=_("Months"), url_path="months", permissions=["view"])
    def months(self, request):
        """A month of invoices: how far each is, its tie to the ledger, and what to do with all."""
        months = _months()
        month = tax_invoices.read_month(request.GET.get("month")) or (months[0] if months else None)
        if month is not None and "xml" in request.GET:
            return self._zip(month)
        form = ResultsForm()
        taken = None
        if request.method == "POST":
            if not self.has_decide_permission(request):
                raise PermissionDenied
            if request.POST.get("deed") != "results":
                self._do(request, month)
                return HttpResponseRedirect(request.get_full_path())
            form = ResultsForm(request.POST, request.FILES)
            taken = self._take(request, form) if form.is_valid() else None
        return self.page(
            request,
            "settlements/admin_tax_months.html",
            title=gettext("Tax invoices by month"),
            month=month,
            months=months,
            form=form,
            taken=taken,
            may_decide=self.has_decide_permission(request),
            **(_told(month, request) if month else {}),
        )

    @action(description=_("Statutory reports"), url_path="reports", permissions=["view"])
    def reports(self, request):
        """What is reported for a quarter, tied to the ledger."""
        last = nights.last_closed(request.marketplace)
        quarters = _quarters(request.marketplace.first_open_on, last)
        asked = request.GET.get("quarter")
        first = dict(quarters).get(asked, quarters[0][1])
        return self.page(
            request,
            "settlements/admin_tax_reports.html",
            title=gettext("Statutory reports"),
            quarters=quarters,
            quarter=statutory.quarter(first),
        )

    def _do(self, request, month: date) -> None:
        rows = TaxInvoice.objects.filter(month=month)
        words = {"by": request.user, "at": timezone.now()}
        try:
            match request.POST.get("deed"):
                case "draw":
                    drawn = tax_drawing.draw(month, **words)
                    told = gettext("%(count)s drafts are new or changed.") % {
                        "count": drawn.changed
                    }
                case "issue":
                    sent = invoicing.issue_many(rows, **words)
                    for row, why in sent.refused[:SHOWN_REFUSED]:
                        messages.warning(request, f"{row}: {why.text(gettext)}")
                    told = gettext("%(count)s issued.") % {"count": sent.issued}
                case "transmit":
                    count = invoicing.transmit_many(rows, **words)
                    told = gettext("%(count)s recorded as transmitted.") % {"count": count}
                case _:
                    raise Http404
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
        else:
            messages.success(request, told)

    def _take(self, request, form):
        words = {"by": request.user, "at": timezone.now()}
        try:
            taken = invoicing.take_results(form.cleaned_data["file"].read(), **words)
        except Refused as refused:
            refusals.show(form, refused)
            return None
        shown = [(row, number, why.text(gettext)) for row, number, why in taken.refused]
        return {"taken": taken, "refused": shown[:SHOWN_REFUSED], "count": len(shown)}

    def _zip(self, month: date):
        rows = TaxInvoice.objects.issued().filter(month=month)
        rows = rows.select_related("seller", "original", "issuer").order_by("number")
        return _download(tax_files.zipped(rows), tax_files.ZIP, f"tax-invoices-{month:%Y-%m}.zip")


def _download(content: bytes, kind: str, name: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=kind,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _months() -> list[date]:
    """The months that have invoices, newest first."""
    rows = TaxInvoice.objects.order_by("-month").values_list("month", flat=True)
    return list(rows.distinct()[:SHOWN_MONTHS])


def _quarters(opened_on: date, last: date) -> list[tuple[str, date]]:
    """The quarters of the marketplace by code, newest first."""
    first = max(last, opened_on)
    first = first.replace(month=(first.month - 1) // 3 * 3 + 1, day=1)
    found = []
    while not found or (first + timedelta(days=92) > opened_on and len(found) < SHOWN_QUARTERS):
        found.append((f"{first.year}Q{(first.month + 2) // 3}", first))
        first = tax_invoices.months_before(first, 3)
    return found


def _told(month: date, request) -> dict:
    rows = TaxInvoice.objects.filter(month=month).order_by()
    by_state = rows.values_list("state").annotate(Count("pk"), Sum("supply"), Sum("vat"))
    counts = {state: count for state, count, *_ in by_state}
    market: Marketplace = request.marketplace
    return {
        "tie": tax_ties.of_month(month),
        "states": [
            (State(state), count, supply, tax) for state, count, supply, tax in sorted(by_state)
        ],
        "drafts": counts.get(State.DRAFT, 0),
        "unsent": counts.get(State.ISSUED, 0) + counts.get(State.FAILED, 0),
        "issued": sum(counts.values()) - counts.get(State.DRAFT, 0),
        "deadline": tax_invoices.deadline(month),
        "is_over": nights.last_closed(market) >= tax_invoices.end_of(month),
        "late": rows.late(nights.last_closed(market)).count(),
        "list_query": f"month__gte={month:%Y-%m-%d}&month__lte={month:%Y-%m-%d}",
    }
