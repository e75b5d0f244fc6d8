"""Reconciliation in the admin: files of payment providers, their rows, what differs, reports."""

from datetime import date
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals, tenancy
from marketplace import forms as refusals
from marketplace.admin import (
    ChoicesDropdownFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    SimpleListFilter,
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
from settlements import (
    clearing,
    ledger_matching,
    manual_journals,
    missing_files,
    models,
    nights,
    provider_files,
    reconciliation_report,
    reconciling,
)
from settlements.admin_ledger_forms import (
    BookingForm,
    ItemBookingForm,
    ProviderFileForm,
    ReasonOfFinanceForm,
    problems_told,
)

NAMES = {
    reconciliation_report.PROVIDER: _("Providers' files against orders"),
    reconciliation_report.FILES: _("Settlement files that have not come"),
    reconciliation_report.BANK: _("The bank's results against payouts"),
    reconciliation_report.LEDGER: _("The ledger against statements"),
}


def _open(on: date) -> dict[str, str]:
    return {"state__exact": "open"}


def _overdue(on: date) -> dict[str, str]:
    return {"state__in": ",".join(models.Payout.UNANSWERED), "result_due_on__lte": on.isoformat()}


_LISTS = {  # by reconciliation: where its rows are worked
    reconciliation_report.PROVIDER: [(models.Discrepancy, _("Discrepancies"), _open)],
    reconciliation_report.FILES: [(models.MissingFile, _("Days without a file"), _open)],
    reconciliation_report.BANK: [
        (models.PayoutException, _("Answers that do not fit"), _open),
        (models.Payout, _("Results missing"), _overdue),
    ],
    reconciliation_report.LEDGER: [(models.LedgerDifference, _("Differences"), _open)],
}
_UNREPORTED = dict.fromkeys(
    f"{code}_{what}" for code in ("files", "bank", "ledger") for what in ("open", "amount")
)
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
        return _provider(file.provider)

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
            "settlements/admin_take_in.html",
            title=gettext("Take in a settlement file"),
            form=form,
            problems=problems_told(problems),
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


class WorkedAdmin(StoryAdmin):
    """What is found by a night and explained by people, with how long that takes."""

    @display(description=_("days open"))
    def age(self, row):
        until = row.closed_at or timezone.now()
        return (timezone.localdate(until) - row.found_on).days


@register(models.Discrepancy)
class DiscrepancyAdmin(WorkedAdmin):
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

    def tell(self, request, row):
        return {
            "state": state_column()(row),
            "age": self.age(row),
            "rows": models.ProviderRow.objects.filter(provider_id=row.provider_id).order_by("id"),
            "payments": Payment.objects.filter(provider_id=row.provider_id).select_related("order"),
            "journals": models.Journal.objects.filter(
                template=reconciling.MOVE,
                reference__in=[f"{row.public_id}:{n}" for n in range(1, row.moves + 1)],
            ).order_by("id"),
        }

    @action(description=_("Daily reports"), url_path="reports", permissions=["view"])
    def reports(self, request):
        today = timezone.localdate(timezone=request.marketplace.tz)
        jobs = JobRun.objects.filter(kind="night.reconcile", state=JobRun.State.DONE)
        return self.page(
            request,
            "settlements/admin_reconciliation.html",
            title=gettext("Reconciliation, day by day"),
            standing=[
                {"of": each, "name": NAMES[each.code], "lists": _lists(request, each.code, today)}
                for each in reconciliation_report.standing(today)
            ],
            reports=[
                {"job": job, **_UNREPORTED, **job.counts}
                for job in jobs.order_by("-key")[:SHOWN_REPORTS]
            ],
            files=models.ProviderFile.objects.order_by("-imported_at")[:SHOWN_REPORTS],
        )


@register(models.MissingFile)
class MissingFileAdmin(WorkedAdmin):
    """Days of sales that no settlement file covers, oldest first."""

    comes_from = _("Nights look for days of sales that no provider's settlement file covers.")
    place = 14
    story_template = "settlements/admin/missing_file.html"
    list_display = [
        "day",
        "of_provider",
        "payments",
        money_column("amount", _("their amount")),
        "found_on",
        "age",
        state_column(colours={"open": "care"}),
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("day", RangeDateFilter)]
    list_filter_submit = True
    ordering = ["day", "id"]
    decisions = {
        "explain": Decision(
            name=_("Explain"),
            explanation=_(
                "Say why no file will come: another provider serves these payments, say. It moves "
                "no money, and a file that comes after all is taken in like any other."
            ),
            process=missing_files.explain,
            form=ReasonOfFinanceForm,
            offered=lambda row: row.state == models.MissingFile.State.OPEN,
            done=_("Explained."),
        )
    }

    @display(description=_("provider"))
    def of_provider(self, row):
        return _provider(row.provider)

    def tell(self, request, row):
        return {"state": state_column()(row), "age": self.age(row), "name": _provider(row.provider)}


class NightFilter(SimpleListFilter):
    """Items of the clearing account as they stood after the night of a day."""

    title = _("after the night of")
    parameter_name = "night"

    def lookups(self, request, model_admin):
        return [("now", _("the last one")), ("late", _("not come in 31 days"))]

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        if self.value() == "now":
            return queryset.now()
        if self.value() == "late":
            late = clearing.waiting_too_long(nights.last_closed(tenancy.current()))
            return queryset.filter(pk__in=late.values("pk"))
        try:
            return queryset.at(date.fromisoformat(self.value()))
        except ValueError:
            return queryset.none()


@register(models.ClearingItem)
class ClearingItemAdmin(StoryAdmin):
    """What each order adds to the clearing account, after any night."""

    comes_from = _("Nights list the orders whose settled money has not come, or came ahead.")
    place = 13
    story_template = "settlements/admin/clearing_item.html"
    list_display = [
        "of_order",
        "kind",
        money_column("amount", _("amount")),
        "since_on",
        "age",
        "from_on",
        "until_on",
    ]
    list_display_links = ["kind"]
    list_filter = [NightFilter, ("kind", ChoicesDropdownFilter), ("since_on", RangeDateFilter)]
    list_filter_submit = True
    list_select_related = ["order"]
    ordering = ["since_on", "id"]
    search_fields = ["order__number__exact"]
    decisions = {
        "book": Decision(
            name=_("Book the item"),
            explanation=_(
                "For money that will never come, or that came another way: it leaves the clearing "
                "account for the one where it belongs, and the next night ends the item. A second "
                "person decides. It is taken back by a counter-entry of its journal."
            ),
            process=manual_journals.enter_of_item,
            form=ItemBookingForm,
            offered=lambda item: item.until_on is None and item.kind != clearing.Kind.DISPUTED,
            initial=lambda item: {"on": timezone.localdate(timezone=tenancy.current().tz)},
            is_grave=True,
            done=_("Asked for. A second person decides."),
        )
    }

    @display(description=_("order"))
    def of_order(self, item):
        address = reverse("admin:orders_order_change", args=[item.order_id])
        return format_html('<a href="{}">{}</a>', address, item.order.number)

    @display(description=_("days open"))
    def age(self, item):
        until = item.until_on or timezone.localdate()
        return (until - item.since_on).days

    def tell(self, request, row):
        journals = models.ManualJournal.objects.filter(order=row.order_id)
        return {
            "age": self.age(row),
            "payments": Payment.objects.filter(order=row.order_id).order_by("sequence"),
            "journals": journals.order_by("-entered_at", "-id"),
        }


@register(models.ClearingProof)
class ClearingProofAdmin(ReadOnlyAdmin):
    """The clearing account after each night, with what explains it."""

    comes_from = _("Every night adds up what explains the clearing account.")
    place = 13
    list_display = [
        "day",
        money_column("balance", _("balance")),
        money_column("owed", _("owed by providers")),
        money_column("disputed", _("in dispute")),
        money_column("unnamed", _("without a provider's id")),
        money_column("ahead", _("paid out ahead")),
        money_column("unknown", _("for no order")),
        money_column("by_hand", _("by hand")),
        money_column("difference", _("not explained")),
    ]
    list_filter = [("day", RangeDateFilter)]
    list_filter_submit = True
    ordering = ["-day"]


@register(models.LedgerDifference)
class LedgerDifferenceAdmin(WorkedAdmin):
    """Where the ledger differs from a statement, oldest first."""

    comes_from = _("Nights compare the statements that they close with the ledger.")
    place = 13
    story_template = "settlements/admin/ledger_difference.html"
    list_display = [
        "statement",
        "account",
        money_column("expected", _("of the statement")),
        money_column("found", _("of the ledger")),
        money_column("difference", _("difference")),
        "found_on",
        "age",
        state_column(),
    ]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["statement__seller"]
    ordering = ["found_on", "id"]
    decisions = {
        "explain": Decision(
            name=_("Explain"),
            explanation=_(
                "Say what was found out and done. It moves no money. If it changes later, it is "
                "listed again."
            ),
            process=ledger_matching.explain,
            form=ReasonOfFinanceForm,
            offered=lambda row: row.state == models.LedgerDifference.State.OPEN,
            done=_("Explained."),
        )
    }

    def tell(self, request, row):
        known = models.Account.objects.filter(code=row.account).first()
        journals = models.Journal.objects.filter(
            template="statement", reference=row.statement.public_id
        )
        return {
            "state": state_column()(row),
            "age": self.age(row),
            "name": known.label if known else row.account,
            "journals": journals.union(
                models.Journal.objects.filter(reverses__in=journals.values("pk"))
            ),
        }


def _lists(request, code: str, on: date) -> list[dict]:
    """Where the rows of a reconciliation are worked, as far as the user may see them."""
    found = []
    for model, name, query in _LISTS[code]:
        options = model._meta
        if request.user.has_perm(f"settlements.view_{options.model_name}"):
            page = reverse(f"admin:settlements_{options.model_name}_changelist")
            found.append({"name": name, "address": f"{page}?{urlencode(query(on))}"})
    return found


def _provider(code: str) -> str:
    """What a provider's format is called."""
    if code == missing_files.ANY:
        return gettext("no provider has sent a file yet")
    known = code in provider_files.available()
    return provider_files.load_format(code).name if known else code
