"""Months of the ledger and journals by hand in the admin."""

from django import forms
from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import approvals
from marketplace import forms as refusals
from marketplace.admin import (
    HIDDEN,
    ChoicesDropdownFilter,
    ReadOnlyAdmin,
    action,
    money_column,
    register,
    state_column,
)
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import ledger_reading, manual_journals, models, periods
from settlements.admin_ledger_forms import JournalForm, ReasonOfFinanceForm

REOPEN = "reopen_period"


def _ask_to_reopen(period, *, by, at, reason):
    return approvals.ask(REOPEN, period, by=by, at=at, reason=reason, data={"reason": reason})


@register(models.Period)
class PeriodAdmin(StoryAdmin):
    """Months with their closings. The month that is next is closed above the list."""

    comes_from = _("The first month can be closed above this list once its nights are over.")
    place = 50
    story_template = "settlements/admin/period.html"
    list_display = ["__str__", state_column(), "version"]
    list_filter = [("state", ChoicesDropdownFilter)]
    ordering = ["-month"]
    actions_list = ["close_month"]
    decisions = {
        "reopen": Decision(
            name=_("Open again"),
            explanation=_(
                "A second person decides. Journals are then let into the month again; its closing "
                "is kept, and closing it anew makes another version."
            ),
            process=_ask_to_reopen,
            form=ReasonOfFinanceForm,
            offered=lambda period: period.state == models.Period.State.CLOSED,
            is_grave=True,
            done=_("Asked for. A second person decides."),
        )
    }

    def has_close_permission(self, request):
        return self.has_decide_permission(request)

    def tell(self, request, row):
        closings = list(row.closings.select_related("closed_by").order_by("-version"))
        balances, total = ledger_reading.trial_balance(periods.last_day(row.month))
        return {
            "closings": closings,
            "state": state_column()(row),
            "balances": [balance for balance in balances if balance.debit or balance.credit],
            "total": total,
            "last_day": periods.last_day(row.month),
        }

    @action(description=_("Close a month"), url_path="close", permissions=["close"])
    def close_month(self, request):
        month = periods.next_to_close()
        form = forms.Form(request.POST or None)
        if request.method == "POST" and month is not None:
            try:
                closing = periods.close(month, by=request.user, at=timezone.now())
            except Refused as refused:
                messages.error(request, refused.text(gettext))
            else:
                messages.success(
                    request, gettext("%(month)s is closed.") % {"month": closing.period}
                )
                return HttpResponseRedirect(self.address(closing.period))
        last = periods.last_day(month) if month else None
        closed_on = request.marketplace.last_closed_on
        rows, total = ledger_reading.trial_balance(last) if last else ([], None)
        return self.page(
            request,
            "settlements/admin_close_month.html",
            title=gettext("Close a month"),
            form=form,
            month=month,
            last=last,
            is_over=bool(last and closed_on and closed_on >= last),
            rows=[row for row in rows if row.debit or row.credit],
            total=total,
        )


@register(models.PeriodClosing)
class PeriodClosingAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["period", "version", "closed_at", "closed_by", "entries", "hash"]
    list_select_related = ["period", "closed_by"]
    ordering = ["-id"]


@register(models.MonthBalance)
class MonthBalanceAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = [
        "month",
        "account",
        "seller",
        money_column("debit", _("debits")),
        money_column("credit", _("credits")),
    ]
    list_select_related = ["account", "seller"]
    ordering = ["-month", "id"]


@register(models.ManualJournal)
class ManualJournalAdmin(StoryAdmin):
    """Journals by hand: entered by one person, posted by the approval of another."""

    comes_from = _("Journals are entered above this list; a second person posts them.")
    place = 47
    story_template = "settlements/admin/manual_journal.html"
    list_display = ["public_id", "on", state_column(), "reason", "entered_by", "entered_at"]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["entered_by"]
    ordering = ["-entered_at", "-id"]
    search_fields = ["public_id__exact"]
    actions_list = ["enter_journal"]
    decisions = {
        "ask": Decision(
            name=_("Ask again"),
            explanation=_("A second person is asked once more to post it."),
            process=manual_journals.ask_again,
            form=ReasonOfFinanceForm,
            offered=lambda manual: manual.state == models.ManualJournal.State.ENTERED,
            done=_("Asked for. A second person decides."),
        ),
        "discard": Decision(
            name=_("Discard"),
            explanation=_("It is never posted. It stays to be seen."),
            process=manual_journals.discard,
            form=ReasonOfFinanceForm,
            offered=lambda manual: manual.state == models.ManualJournal.State.ENTERED,
            is_grave=True,
            done=_("Discarded."),
        ),
    }

    def has_enter_permission(self, request):
        return self.has_decide_permission(request)

    def tell(self, request, row):
        names = {account.code: account for account in models.Account.objects.all()}
        return {
            "state": state_column()(row),
            "legs": [
                {"account": names.get(code), "code": code, "debit": debit, "credit": credit}
                for code, debit, credit in row.legs
            ],
            "journal": manual_journals.journal_of(row),
        }

    @action(description=_("Enter a journal"), url_path="enter", permissions=["enter"])
    def enter_journal(self, request):
        today = timezone.localdate(timezone=request.marketplace.tz)
        form = JournalForm(request.POST or None, initial={"on": today})
        if form.is_valid():
            try:
                manual = manual_journals.enter(
                    by=request.user, at=timezone.now(), **form.cleaned_data
                )
            except Refused as refused:
                refusals.show(form, refused)
            else:
                messages.success(request, gettext("Entered. A second person posts it."))
                return HttpResponseRedirect(self.address(manual))
        return self.page(
            request,
            "settlements/admin_enter_journal.html",
            title=gettext("Enter a journal"),
            form=form,
            back=reverse("admin:settlements_manualjournal_changelist"),
        )
