"""The ledger in the admin: journals with their legs, the trial balance, account cards."""

import tempfile
from datetime import date, timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef
from django.http import FileResponse, Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import audit
from marketplace.admin import (
    ChoicesDropdownFilter,
    RangeDateFilter,
    SimpleListFilter,
    TenantAdmin,
    action,
    display,
    money_column,
    named,
    register,
)
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import (
    accounts,
    clearing_tenders,
    day_figures,
    ledger,
    ledger_files,
    ledger_reading,
    manual_journals,
    models,
    prepaying,
    reconciling,
    table_files,
)
from settlements.admin_ledger_forms import (
    AccountForm,
    AccountNamesForm,
    ReversalForm,
    SellerForm,
)
from settlements.admin_statements import BulkAdmin

EXPORT = "settlements.export_statement"
SHOWN_DAYS = timedelta(days=31)
MOST_DAYS = timedelta(days=366)  # a card over more would read years of months for one page


TEMPLATES = {  # what a journal is about
    "statement": _("Statement"),
    "attachment": _("Attachment paid or deposited"),
    "debt": _("Debt of a seller"),
    prepaying.TEMPLATE: _("Advertising paid in advance"),
    "payout_sent": _("Payout sent"),
    "payout_paid": _("Payout paid"),
    "payout_failed": _("Payout failed"),
    "payout_paid_late": _("Payout paid after it had failed"),
    "payout_returned": _("Payout came back"),
    ledger.BY_HAND: _("By hand"),
    ledger.BY_ORDER: _("Clearing item booked"),
    ledger.REVERSAL: _("Counter-entry"),
    reconciling.DEPOSIT: _("Deposit of a payment provider"),
    reconciling.MOVE: _("Reconciliation"),
    clearing_tenders.TEMPLATE: _("Paid by other means than a provider"),
}


FIGURES = {  # figures of day sheets that are sums over several accounts
    day_figures.OWED_BY_US: _("owed to sellers"),
    day_figures.CLEARING: _("clearing"),
}


class DayForm(forms.Form):
    on = forms.DateField(
        label=_("At the end of"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )


class CardForm(SellerForm):
    """The days of an account card, and for accounts kept per seller, whose."""

    first = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))
    field_order = ["first", "last", "seller"]

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.fields["seller"].required = False

    def clean(self):
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and not timedelta(0) <= last - first <= MOST_DAYS:
            raise forms.ValidationError(
                _("Choose days in order, and at most a year of them."), code="range"
            )
        return self.cleaned_data


@register(models.Account)
class AccountAdmin(StoryAdmin):
    """Accounts; one opens as its card. The trial balance stands above the list."""

    comes_from = _("Accounts come with the preset; more are added here.")
    place = 40
    form = AccountForm
    fields = ["code", "kind", "normal_side", "name", "name_english", "place"]
    list_display = ["named", "kind", "normal_side", "is_per_seller"]
    list_filter = [("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    ordering = ["place", "code"]
    actions_list = ["trial_balance"]
    decisions = {
        "name": Decision(
            name=_("Rename or move"),
            explanation=_(
                "Only the words and the place in lists change: entries and the code stay."
            ),
            process=accounts.rename,
            form=AccountNamesForm,
            offered=lambda account: True,
            initial=lambda account: {
                "name": account.name,
                "name_english": account.name_english,
                "place": account.place,
            },
            done=_("Changed. Every page shows the new name from now on."),
        )
    }

    def has_add_permission(self, request):
        return TenantAdmin.has_add_permission(self, request)

    @display(description=_("account"), ordering="place")
    def named(self, account):
        return named(account.label, account.code)

    @action(description=_("Trial balance"), url_path="trial-balance", permissions=["view"])
    def trial_balance(self, request):
        form = DayForm(request.GET or None)
        on = (form.cleaned_data["on"] if form.is_valid() else None) or _today(request)
        figure = request.GET.get("figure", "")
        only = day_figures.FIGURES.get(figure)
        if kind := _wanted_file(request):
            table = ledger_files.trial_balance(request.marketplace, on, only=only)
            told = {"on": on.isoformat()}
            return self._file(request, models.Account, table, kind, f"trial-balance-{on}", told)
        rows, total = ledger_reading.trial_balance(on, only=only)
        return self.page(
            request,
            "settlements/admin_trial_balance.html",
            title=gettext("Trial balance"),
            figure=FIGURES.get(figure),
            form=DayForm(initial={"on": on}) if form.is_valid() or not form.is_bound else form,
            on=on,
            rows=rows,
            total=total,
            files=_file_addresses(request),
        )

    def change_view(self, request, object_id, form_url="", extra_context=None):
        account = self.found(request, object_id)
        today = _today(request)
        days = {"first": str(today - SHOWN_DAYS), "last": str(today)}
        form = CardForm({**days, **request.GET.dict()})
        card = None
        if form.is_valid() and (kind := _wanted_file(request)):
            return self._card_file(request, account, kind, form.cleaned_data)
        if form.is_valid():
            card = ledger_reading.card(request.GET, account, **form.cleaned_data)
        return self.page(
            request,
            "settlements/admin_account.html",
            title=gettext("Account card: %(account)s") % {"account": account.label},
            account=account,
            form=form,
            card=card,
            files=_file_addresses(request),
            decisions=self._offered(account) if self.has_decide_permission(request) else [],
            decide_at=self.address(account).removesuffix("change/") + "decide/",
        )

    def _card_file(self, request, account, kind, days):
        name = f"account-{days['first']}-{days['last']}"
        told = {"first_on": days["first"].isoformat(), "last_on": days["last"].isoformat()}
        if days["seller"]:
            told["seller"] = days["seller"].code
        try:
            table = ledger_files.card(request.marketplace, account, **days)
        except Refused as refused:
            messages.warning(request, refused.text(gettext))
            asked = request.GET.copy()
            del asked["file"]
            return HttpResponseRedirect(f"{request.path}?{asked.urlencode()}")
        return self._file(request, account, table, kind, name, told)

    def _file(self, request, about, table, kind, name, told):
        """The table as a file, written beside memory, and in the trail who took it."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it)
        table_files.write(table, kind, file)
        file.seek(0)
        told |= {"type": kind}
        audit.record("ledger.downloaded", by=request.user, at=timezone.now(), obj=about, data=told)
        return FileResponse(
            file,
            as_attachment=True,
            filename=f"{name}.{kind}",
            content_type=table_files.TYPES[kind],
        )


@register(models.Journal)
class JournalAdmin(StoryAdmin):
    """Journals; one opens with its legs, which balance."""

    comes_from = _("Each statement that is closed posts a journal.")
    place = 45
    decisions = {
        "reverse": Decision(
            name=_("Reverse"),
            explanation=_(
                "A counter-entry is asked for; a second person posts it. Both journals stay."
            ),
            process=manual_journals.enter_reversal,
            form=ReversalForm,
            offered=lambda journal: journal.template in manual_journals.TEMPLATES,
            done=_("Asked for. A second person decides."),
        )
    }
    list_display = ["reference", "named_template", "basis_on"]
    list_filter = [("basis_on", RangeDateFilter)]
    list_filter_submit = True
    ordering = ["-basis_on", "-id"]
    search_fields = ["reference__exact"]

    @display(description=_("kind"))
    def named_template(self, journal):
        return _template(journal)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        journal = self.found(request, object_id)
        legs = ledger_reading.legs([journal])[journal.pk]
        return self.page(
            request,
            "settlements/admin_journal.html",
            title=gettext("Journal %(reference)s") % {"reference": journal.reference},
            journal=journal,
            named_template=_template(journal),
            legs=legs,
            debit=sum(leg.entry.debit for leg in legs),
            credit=sum(leg.entry.credit for leg in legs),
            statement=models.Statement.objects.filter(public_id=journal.reference).first(),
            manual=models.ManualJournal.objects.filter(public_id=journal.reference).first(),
            counter=models.Journal.objects.filter(reverses=journal).first(),
            decisions=self._offered(journal) if self.has_decide_permission(request) else [],
            decide_at=self.address(journal).removesuffix("change/") + "decide/",
        )


class FigureFilter(SimpleListFilter):
    """Entries that make up a figure of a day sheet: of its accounts, and of one kind of journal."""

    title = _("figure of the day sheet")
    parameter_name = "figure"

    def lookups(self, request, model_admin):
        return [(code, FIGURES[code]) for code in day_figures.FIGURES]

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        figure, _colon, template = self.value().partition(":")
        codes = day_figures.FIGURES.get(figure, ())
        accounts = models.Account.objects.filter(code__in=codes).values_list("pk", flat=True)
        queryset = queryset.filter(account_id__in=list(accounts))
        if template:
            journals = models.Journal.objects.filter(
                template=template, basis_on=OuterRef("basis_on"), pk=OuterRef("journal_id")
            )
            queryset = queryset.filter(Exists(journals))
        return queryset


@register(models.LedgerEntry)
class LedgerEntryAdmin(BulkAdmin):
    comes_from = _("Entries come with their journals, as statements are closed.")
    place = 48
    list_display = [
        "basis_on",
        "of_journal",
        "of_account",
        "of_seller",
        money_column("debit", _("debit")),
        money_column("credit", _("credit")),
    ]
    list_filter = [("basis_on", RangeDateFilter), FigureFilter]
    list_filter_submit = True
    search_fields = ["journal_id__exact"]
    search_help_text = _("The reference of a journal in full.")

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term:
            return queryset, False
        journals = models.Journal.objects.filter(reference=term).values("pk")
        return queryset.filter(journal_id__in=journals), False

    def add_to_rows(self, rows):
        for row, leg in zip(rows, ledger_reading.named(rows, with_journals=True), strict=True):
            row.leg = leg

    @display(description=_("journal"))
    def of_journal(self, entry):
        return _link("journal", entry.journal_id, entry.leg.journal.reference)

    @display(description=_("account"))
    def of_account(self, entry):
        return _link("account", entry.account_id, entry.leg.account.label)

    @display(description=_("seller"))
    def of_seller(self, entry):
        return entry.leg.seller or "-"


def _wanted_file(request) -> str:
    """The type of file that an address asks for, or nothing; only exporters may have one."""
    kind = request.GET.get("file", "")
    if not kind:
        return ""
    if kind not in table_files.TYPES:
        raise Http404
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    return kind


def _file_addresses(request) -> list[tuple[str, str]]:
    """What each type of file of a page is called, and its address; none for who may not have it."""
    if not request.user.has_perm(EXPORT):
        return []
    asked = request.GET.copy()
    for page in ("before", "after"):
        asked.pop(page, None)
    addresses = []
    for kind in table_files.TYPES:
        asked["file"] = kind
        addresses.append((kind.upper(), f"?{asked.urlencode()}"))
    return addresses


def _template(journal):
    return TEMPLATES.get(journal.template, journal.template)


def _link(model: str, key: int, text: str):
    address = reverse(f"admin:settlements_{model}_change", args=[key])
    return format_html('<a href="{}">{}</a>', address, text)


def _today(request) -> date:
    return timezone.localdate(timezone=request.marketplace.tz)
