"""The admin's pages of webhooks: endpoints, what was sent to them, and how each attempt ended."""

from functools import partial

from django import forms
from django.contrib.admin import SimpleListFilter, register
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from marketplace import changes, models
from marketplace.admin.cells import chip, named, state_column
from marketplace.admin.pages import ProcessAdmin, ReadOnlyAdmin, RowsInline, TenantAdmin
from marketplace.refusals import Refused
from marketplace.webhooks import deliveries, endpoints, targets, words


def _moment():
    return forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class EndpointForm(forms.ModelForm):
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The https:// address of your system. Its secret is shown once it is saved."),
    )
    types = forms.MultipleChoiceField(
        label=_("Event types"),
        choices=list(changes.TYPES.items()),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("Without any, every event is sent."),
    )

    class Meta:
        model = models.WebhookEndpoint
        fields = ("url", "types", "description")

    def clean_url(self):
        url = self.cleaned_data["url"]
        try:
            targets.check(url)
        except Refused as refused:
            raise forms.ValidationError(refused.text(gettext), refused.code) from refused
        return url


class SpanForm(forms.Form):
    """A half-open span of time, in the zone of the marketplace."""

    since = forms.DateTimeField(label=_("From"), widget=_moment())
    until = forms.DateTimeField(label=_("Until, exclusive"), widget=_moment())


@register(models.WebhookEndpoint)
class WebhookEndpointAdmin(ProcessAdmin):
    comes_from = _("Add an address to be told of orders, claims and statements as they happen.")
    form = EndpointForm
    list_display = ["url", "seller", state_column(), "failures", "paused_until", "created_at"]
    list_filter = ["state"]
    list_select_related = ["seller"]
    ordering = ["-id"]
    readonly_fields = ["seller", "state", "why", "failures", "paused_until"]
    actions = ["send_test", "replay_dead", "rotate_secret", "enable", "disable"]

    @display(description=_("disabled because"))
    def why(self, endpoint):
        return words.outcome(endpoint.disabled_for) or "-"

    def has_add_permission(self, request):
        return TenantAdmin.has_add_permission(self, request)

    def get_readonly_fields(self, request, obj=None):
        return self.readonly_fields if obj else []

    def save_model(self, request, obj, form, change):
        words = {name: form.cleaned_data[name] for name in ("url", "types", "description")} | {
            "by": request.user,
            "at": timezone.now(),
        }
        if change:
            endpoints.edit(obj, **words)
            return
        made = endpoints.create(**words)
        obj.pk, obj.made = made.endpoint.pk, made

    def response_add(self, request, obj, post_url_continue=None):
        return self._secrets(request, [obj.made])

    def log_addition(self, request, obj, message):
        """The process has recorded it."""

    log_change = log_addition

    @action(description=_("Send a test message"), permissions=["change"])
    def send_test(self, request, queryset):
        self._each(request, queryset, deliveries.send_test)

    @action(description=_("Send again what was given up in a span of time"), permissions=["change"])
    def replay_dead(self, request, queryset):
        form = SpanForm(request.POST if "since" in request.POST else None)
        if form.is_valid():
            now = {"by": request.user, "at": timezone.now()}
            process = partial(deliveries.replay_range, **form.cleaned_data, **now)
            self.ask_for_each(request, queryset, process)
            return None
        return self.page(
            request,
            "marketplace/webhook_replay.html",
            title=gettext("Send again what was given up in a span of time"),
            form=form,
            endpoints=queryset,
            address=self.list_url(),
        )

    @action(description=_("Replace the secret"), permissions=["change"])
    def rotate_secret(self, request, queryset):
        now = {"by": request.user, "at": timezone.now()}
        return self._secrets(
            request, [endpoints.rotate_secret(endpoint, **now) for endpoint in queryset]
        )

    @action(description=_("Enable selected endpoints"), permissions=["change"])
    def enable(self, request, queryset):
        self._each(request, queryset, endpoints.enable)

    @action(description=_("Disable selected endpoints"), permissions=["change"])
    def disable(self, request, queryset):
        self._each(request, queryset, endpoints.disable)

    def _each(self, request, queryset, process):
        now = {"by": request.user, "at": timezone.now()}
        self.ask_for_each(request, queryset, partial(process, **now))

    def _secrets(self, request, made):
        """The one page that shows new secrets. A message would put them into a cookie."""
        return self.page(
            request,
            "marketplace/webhook_secrets.html",
            title=gettext("The secret of the webhook endpoint"),
            made=made,
            address=self.list_url(),
        )


class AttemptInline(RowsInline):
    model = models.WebhookAttempt
    fields = readonly_fields = ["at", "told", "milliseconds", "answer"]
    ordering = ["pk"]

    @display(description=_("outcome"))
    def told(self, attempt):
        return words.outcome(attempt.outcome)


class ProgressFilter(SimpleListFilter):
    title = _("progress")
    parameter_name = "progress"

    def lookups(self, request, model_admin):
        return [
            ("waiting", _("Waiting")),
            ("delivered", pgettext_lazy("message", "Delivered")),
            ("dead", _("Given up")),
        ]

    def queryset(self, request, queryset):
        known = {name for name, _ in self.lookup_choices}
        return queryset.in_progress([self.value()]) if self.value() in known else queryset


@display(description=_("progress"))
def progress_chip(delivery):
    if delivery.due_at is not None:
        return chip(_("Waiting"), "busy")
    if delivery.delivered_at is not None:
        return chip(pgettext_lazy("message", "Delivered"), "good")
    return chip(_("Given up"), "bad")


@register(models.WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    comes_from = _("Deliveries appear once an address is there and something happens.")
    list_display = [
        "told",
        "endpoint",
        progress_chip,
        "attempts",
        "outcome",
        "due_at",
        "created_at",
        "message_id",
    ]
    list_filter = [ProgressFilter]
    list_select_related = ["endpoint"]
    ordering = ["-id"]
    search_fields = ["=message_id"]
    fields = readonly_fields = [
        "told",
        "type",
        "endpoint",
        progress_chip,
        "attempts",
        "outcome",
        "due_at",
        "delivered_at",
        "dead_at",
        "created_at",
        "message_id",
        "payload",
    ]
    inlines = [AttemptInline]
    actions = ["replay"]

    @display(description=_("event"), ordering="type")
    def told(self, delivery):
        return named(words.event(delivery.type), delivery.type)

    @display(description=_("last outcome"))
    def outcome(self, delivery):
        return words.outcome(delivery.last_outcome) or "-"

    @display(description=_("body"))
    def payload(self, delivery):
        return deliveries.text_of(delivery)

    @action(description=_("Send selected messages once more"), permissions=["replay"])
    def replay(self, request, queryset):
        now = {"by": request.user, "at": timezone.now()}
        self.ask_for_each(request, queryset, partial(deliveries.replay, **now))

    def has_replay_permission(self, request):
        return request.user.has_perm("marketplace.change_webhookendpoint")


@register(models.Change)
class ChangeAdmin(ReadOnlyAdmin):
    """The change feed, newest first."""

    comes_from = _("Whatever happens to listings, orders, claims and statements is told here.")
    list_display = ["told", "object_id", "seller", "at", "public_id"]
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["=object_id", "=public_id"]

    @display(description=_("event"))
    def told(self, change):
        return named(words.event(change.type), change.type)
