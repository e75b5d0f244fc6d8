"""When the bank takes no transfers, in the admin: weekly hours, and single announced spans."""

from django import forms
from django.contrib import messages
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import (
    ChoicesDropdownFilter,
    TextInput,
    action,
    display,
    register,
    state_column,
)
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import keeping_windows, models, payout_forms

State = models.BankWindow.State
COLOURS = {State.IN_FORCE: "care"}


class _WindowForm(forms.Form):
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=200,
        widget=TextInput,
        help_text=_("Which bank, and where it says so."),
    )


class RecurringForm(_WindowForm):
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        coerce=int,
        choices=list(WEEKDAYS.items()),
        initial=list(WEEKDAYS),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("On which it begins."),
    )
    from_time = forms.TimeField(
        label=_("Begins at"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    to_time = forms.TimeField(
        label=_("Ends at"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_(
            "Not later than it begins: on the next day. The marketplace's time zone counts."
        ),
    )
    field_order = ["weekdays", "from_time", "to_time", "note"]


class AnnouncedForm(_WindowForm):
    begins_at = forms.DateTimeField(
        label=_("Begins at"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("In the time zone of this page."),
    )
    ends_at = forms.DateTimeField(
        label=_("Ends at"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    field_order = ["begins_at", "ends_at", "note"]


@register(models.BankWindow)
class BankWindowAdmin(StoryAdmin):
    """Maintenance windows of the bank; ended ones stay to be read."""

    comes_from = _("Enter the hours at which your bank is down every night, and what it announces.")
    place = 94
    section = "rules"
    story_template = "settlements/admin/bank_window.html"
    list_display = ["hours", state_column(colours=COLOURS), "note", "entered_at"]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_filter_submit = True
    ordering = ["-state", "-id"]
    actions_list = ["recurring", "announced"]
    decisions = {
        "end": Decision(
            name=_("End"),
            explanation=_("Payouts are sent in its time again."),
            process=keeping_windows.end,
            form=payout_forms.InnerReasonForm,
            offered=lambda row: row.state == State.IN_FORCE,
            done=_("The window is ended."),
        ),
    }

    @display(description=_("time"))
    def hours(self, row):
        if not row.weekdays:
            shown = (timezone.localtime(each) for each in (row.begins_at, row.ends_at))
            return " – ".join(f"{each:%Y-%m-%d %H:%M}" for each in shown)
        span = f"{row.from_time:%H:%M} – {row.to_time:%H:%M}"
        if len(row.weekdays) == len(WEEKDAYS):
            return gettext("Daily %(hours)s") % {"hours": span}
        return f"{', '.join(str(WEEKDAYS_ABBR[day]) for day in row.weekdays)} {span}"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("entered_by")

    def tell(self, request, row):
        return {"state": state_column(colours=COLOURS)(row), "hours": self.hours(row)}

    @action(description=_("Enter weekly hours"), url_path="weekly", permissions=["decide"])
    def recurring(self, request):
        title = gettext("Enter weekly hours")
        return self._enter(request, RecurringForm, keeping_windows.enter_recurring, title)

    @action(description=_("Enter an announced window"), url_path="once", permissions=["decide"])
    def announced(self, request):
        title = gettext("Enter an announced window")
        return self._enter(request, AnnouncedForm, keeping_windows.announce, title)

    def _enter(self, request, form_class, process, title):
        form = form_class(request.POST or None)
        if form.is_valid():
            try:
                row = process(**form.cleaned_data, by=request.user, at=timezone.now())
            except Refused as refused:
                refusals.show(form, refused)
            else:
                messages.success(request, gettext("The window is in force."))
                return HttpResponseRedirect(self.address(row))
        template = "settlements/admin_bank_window.html"
        return self.page(request, template, title=title, form=form)
