"""Where changes are sent to, what has to be sent, and how each attempt ended."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models.base import TenantKey, TenantModel, scoped
from marketplace.sealing import SealedField


def _endpoint_id():
    return identifiers.public_id("whe")


class WebhookEndpoint(TenantModel):
    """An address that changes are sent to: the marketplace's own, or one seller's.

    `after_…` is how far the change feed has been turned into deliveries for it.
    """

    class State(models.TextChoices):
        ENABLED = "enabled", pgettext_lazy("endpoint", "Enabled")
        DISABLED = "disabled", pgettext_lazy("endpoint", "Disabled")

    MOVES = {  # every legal change of state; anything else is refused
        State.ENABLED: {State.DISABLED},
        State.DISABLED: {State.ENABLED},
    }

    public_id = models.CharField(
        _("public id"), max_length=40, default=_endpoint_id, editable=False
    )
    seller = TenantKey(
        "sellers.Seller", null=True, blank=True, related_name="+", verbose_name=_("seller")
    )
    url = models.CharField(_("address"), max_length=500)
    types = ArrayField(
        models.CharField(max_length=60), verbose_name=_("event types"), default=list, blank=True
    )
    description = models.CharField(
        pgettext_lazy("endpoint", "description"), max_length=200, blank=True
    )
    secret = SealedField(_("secret"))
    old_secret = SealedField(_("old secret"), null=True)
    old_secret_until = models.DateTimeField(_("old secret until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ENABLED)
    disabled_for = models.CharField(_("disabled because"), max_length=200, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    after_transaction = models.BigIntegerField(default=0, editable=False)
    after_change = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("made at"), db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        constraints = [
            *constraints.tenant("webhook_endpoint", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="webhook_endpoint_public_id_is_unique"
            ),
        ]

    def __str__(self):
        return self.url


class WebhookDeliveryQuerySet(models.QuerySet):
    def waiting(self):
        return self.filter(due_at__isnull=False)

    def dead(self):
        return self.filter(dead_at__isnull=False)

    def in_progress(self, wanted):
        """Those of which any of the words is true: waiting, delivered, dead."""
        columns = {"waiting": "due_at", "delivered": "delivered_at", "dead": "dead_at"}
        chosen = Q(pk__in=[])
        for word in wanted:
            chosen |= Q(**{f"{columns[word]}__isnull": False})
        return self.filter(chosen)


class WebhookDelivery(TenantModel):
    """One message for one endpoint: it waits for its next attempt, has arrived, or is dead."""

    endpoint = TenantKey(
        WebhookEndpoint, models.CASCADE, related_name="deliveries", verbose_name=_("endpoint")
    )
    message_id = models.CharField(_("message"), max_length=40)
    type = models.CharField(_("type"), max_length=60)
    body = models.JSONField(_("body"), default=dict)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    claimed_until = models.DateTimeField(_("in delivery until"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    dead_at = models.DateTimeField(_("given up at"), null=True, blank=True)
    last_outcome = models.CharField(_("last outcome"), max_length=40, blank=True)
    created_at = models.DateTimeField(_("made at"), db_default=Now(), editable=False)

    objects = scoped(WebhookDeliveryQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            *constraints.tenant("webhook_delivery", "endpoint"),
            models.UniqueConstraint(
                fields=["marketplace", "endpoint", "message_id"], name="webhook_is_sent_once"
            ),
            models.CheckConstraint(
                name="webhook_delivery_waits_or_is_over",
                condition=(
                    Q(due_at__isnull=False, delivered_at__isnull=True, dead_at__isnull=True)
                    | Q(due_at__isnull=True, delivered_at__isnull=False, dead_at__isnull=True)
                    | Q(due_at__isnull=True, delivered_at__isnull=True, dead_at__isnull=False)
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-id"], name="webhook_delivery_newest_first"),
            models.Index(
                fields=["marketplace", "endpoint", "-id"], name="webhook_delivery_of_endpoint"
            ),
            models.Index(
                fields=["marketplace", "endpoint", "due_at"],
                name="webhook_delivery_waiting",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(
                fields=["marketplace", "dead_at"],
                name="webhook_delivery_dead",
                condition=Q(dead_at__isnull=False),
            ),
        ]

    def __str__(self):
        return self.message_id


class WebhookAttempt(TenantModel):
    """How one attempt ended. The answer is cut, and freed of what looks like personal data."""

    delivery = TenantKey(
        WebhookDelivery, models.CASCADE, related_name="log", verbose_name=_("delivery")
    )
    at = models.DateTimeField(_("at"))
    outcome = models.CharField(
        _("outcome"), max_length=40, help_text=_("An HTTP status, or why there was none.")
    )
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    answer = models.TextField(_("answer"), blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        constraints = constraints.tenant(
            "webhook_attempt", "delivery", grants="SELECT, INSERT, DELETE"
        )
        indexes = [models.Index(fields=["marketplace", "delivery"], name="webhook_attempt_of")]

    def __str__(self):
        return self.outcome
