"""Reconciliation in the admin: files of payment providers, their rows, what differs, reports."""

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals
from marketplace import forms as refusals
from marketplace.admin import (
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    action,
    display,
    money_column,
    register,
    state_column,
)
from marketplace.models import JobRun
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from orders.models import Payment
from settlements import models, provider_files, reconciling
from settlements.admin_ledger_forms import BookingForm, ProviderFileForm, ReasonOfFinanceForm

SHOWN_PROBLEMS = 50
SHOWN_REPORTS = 31


def _ask_to_book(discrepancy, *, by, at, reason, account):
    reconciling.refuse_account(account)
    data = {"account": account, "reason": reason}
    return approvals.ask(reconciling.APPROVAL, discrepancy, by=by, at=at, reason=reason, data=data)


@register(models.ProviderFile)
class ProviderFileAdmin(ReadOnlyAdmin):
    comes_from = _("Settlement files of payment providers are taken in above this list.")
    place = 14
    list_display = ["name", "of_provider", "first_sold_on", "last_sold_on", "rows", "known_rows"]
    ordering = ["-imported_at", "-id"]
    actions_list = ["take_in"]

    @display(description=_("provider"))
    def of_provider(self, file):
        known = file.provider in provider_files.available()
        return provider_files.load_format(file.provider).name if known else file.provider

    def has_take_permission(self, request):
        return self.has_view_permission(request) and request.user.has_perm(
            "settlements.add_providerfile"
        )

    @action(description=_("Take in a settlement file"), url_path="take", permissions=["take"])
    def take_in(self, request):
        form = ProviderFileForm(request.POST or None, request.FILES or None)
        problems: list = []
        if form.is_valid():
            try:
                file = reconciling.import_file(
                    form.cleaned_data["file"].read(),
                    name=form.cleaned_data["file"].name,
                    format=provider_files.load_format(form.cleaned_data["format"]),
                    by=request.user,
                    at=timezone.now(),
                )
            except provider_files.ProviderFileRefused as refused:
                problems = refused.problems
                form.add_error("file", gettext("Nothing was taken in: see the rows below."))
            except Refused as refused:
                refusals.show(form, refused)
            else:
                told = {"rows": file.rows, "known": file.known_rows}
                messages.success(
                    request,
                    gettext("Taken in: %(rows)s rows, %(known)s of them known already.") % told,
                )
                return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "settlements/admin_provider_file.html",
            title=gettext("Take in a settlement file"),
            form=form,
            problems=[
                {
                    "row": problem.row,
                    "column": problem.column,
                    "reason": gettext(provider_files.REASONS[problem.code]) % dict(problem.values),
                }
                for problem in problems[:SHOWN_PROBLEMS]
            ],
        )


@register(models.ProviderRow)
class ProviderRowAdmin(ReadOnlyAdmin):
    comes_from = _("Rows come with the settlement files of payment providers.")
    place = 15
    list_display = [
        "provider_id",
        "kind",
        "sold_on",
        "paid_out_on",
        money_column("gross", _("gross")),
        money_column("fee", _("provider's fee")),
        money_column("fee_vat", _("VAT on the provider's fee")),
        money_column("deposit", _("deposit")),
    ]
    list_filter = [("paid_out_on", RangeDateFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    ordering = ["-id"]
    search_fields = ["provider_id__exact"]


@register(models.Discrepancy)
class DiscrepancyAdmin(StoryAdmin):
    """What differs, oldest first; reports of all nights above the list."""

    comes_from = _("Where a payment provider's file differs from orders, it is listed here.")
    place = 13
    story_template = "settlements/admin/discrepancy.html"
    list_display = [
        "provider_id",
        "kind",
        "side",
        money_column("difference", _("difference")),
        money_column("suspended", _("on suspense")),
        "found_on",
        "age",
        state_column(),
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    ordering = ["found_on", "id"]
    search_fields = ["provider_id__exact", "public_id__exact"]
    actions_list = ["reports"]
    decisions = {
        "explain": Decision(
            name=_("Explain"),
            explanation=_("For differences that move no money: say why, and it is done."),
            process=reconciling.resolve,
            form=ReasonOfFinanceForm,
            offered=lambda row: row.state == models.Discrepancy.State.OPEN and not row.suspended,
            done=_("Explained."),
        ),
        "book": Decision(
            name=_("Book the difference"),
            explanation=_(
                "A second person decides. The difference then goes where it belongs: a small one "
                "is written off, money of a buyer becomes a refund that is due."
            ),
            process=_ask_to_book,
            form=BookingForm,
            offered=lambda row: row.state == models.Discrepancy.State.OPEN,
            is_grave=True,
            done=_("Asked for. A second person decides."),
        ),
    }

    @display(description=_("days open"))
    def age(self, row):
        return _age(row)

    def tell(self, request, row):
        return {
            "state": state_column()(row),
            "age": _age(row),
            "rows": models.ProviderRow.objects.filter(provider_id=row.provider_id).order_by("id"),
            "payments": Payment.objects.filter(provider_id=row.provider_id).select_related("order"),
            "journals": models.Journal.objects.filter(
                template=reconciling.MOVE,
                reference__in=[f"{row.public_id}:{n}" for n in range(1, row.moves + 1)],
            ).order_by("id"),
        }

    @action(description=_("Daily reports"), url_path="reports", permissions=["view"])
    def reports(self, request):
        jobs = JobRun.objects.filter(kind="night.reconcile", state=JobRun.State.DONE)
        return self.page(
            request,
            "settlements/admin_reconciliation.html",
            title=gettext("Reconciliation, day by day"),
            reports=[{"job": job, **job.counts} for job in jobs.order_by("-key")[:SHOWN_REPORTS]],
            files=models.ProviderFile.objects.order_by("-imported_at")[:SHOWN_REPORTS],
        )


def _age(row: models.Discrepancy) -> int:
    """Days for which it has been open, or was."""
    until = row.closed_at or timezone.now()
    return (timezone.localdate(until) - row.found_on).days
