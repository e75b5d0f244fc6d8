"""The keys to a payout provider in the admin: entered, taken into use by a second person."""

from django import forms
from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import forms as refusals
from marketplace.admin import TextInput, action, register, state_column
from marketplace.fresh_log_in import fresh_log_in
from marketplace.refusals import Refused
from marketplace.story_pages import Decision, StoryAdmin
from settlements import models, payout_connections, payout_forms

State = models.PayoutConnection.State
COLOURS = {State.PROPOSED: "care", State.IN_USE: "good"}


class ConnectionForm(payout_forms.InnerReasonForm):
    """Where the provider is, and its keys; they are not shown again, also not after a mistake."""

    url = forms.CharField(
        label=_("address of the API"),
        max_length=200,
        widget=TextInput,
        help_text=_("Such as https://api.tosspayments.com/v2."),
    )
    secret_key = forms.CharField(
        label=_("secret key"),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    security_key = forms.CharField(
        label=_("security key"),
        max_length=64,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("64 digits and letters from a to f; it encrypts what is sent."),
    )
    field_order = ["url", "secret_key", "security_key", "reason"]


@register(models.PayoutConnection)
class PayoutConnectionAdmin(StoryAdmin):
    """Connections to the payout API; one opens with its address for events, never with a key."""

    comes_from = _("Only marketplaces that pay through a payment provider's API need one.")
    place = 95
    section = "rules"
    story_template = "settlements/admin/payout_connection.html"
    list_display = ["url", state_column(colours=COLOURS), "ending", "entered_at", "used_at"]
    ordering = ["-id"]
    actions_list = ["enter"]
    decisions = {
        "discard": Decision(
            name=_("Discard"),
            explanation=_("The keys are given up before they were used."),
            process=payout_connections.discard,
            form=payout_forms.InnerReasonForm,
            offered=lambda row: row.state == State.PROPOSED,
            done=_("The connection was discarded."),
        ),
    }

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("entered_by")

    def tell(self, request, row):
        path = reverse("payout_event", args=[request.marketplace.slug])
        return {
            "state": state_column(colours=COLOURS)(row),
            "events_at": request.build_absolute_uri(path),
        }

    @action(description=_("Enter a provider's keys"), url_path="enter", permissions=["decide"])
    def enter(self, request):
        return fresh_log_in(self._enter)(request)

    def _enter(self, request):
        form = ConnectionForm(request.POST or None)
        if form.is_valid() and (row := self._entered(request, form)):
            return HttpResponseRedirect(self.address(row))
        return self.page(
            request,
            "settlements/admin_enter_connection.html",
            title=gettext("Enter a provider's keys"),
            form=form,
        )

    def _entered(self, request, form):
        try:
            row = payout_connections.enter(**form.cleaned_data, by=request.user, at=timezone.now())
        except Refused as refused:
            refusals.show(form, refused)
            return None
        if row.state == State.IN_USE:
            messages.success(request, gettext("The connection is in use."))
        else:
            messages.success(request, gettext("A second person was asked."))
        return row
