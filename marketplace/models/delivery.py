"""Messages that must not be lost, and the record of those already acted on."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models.base import TenantModel


class OutboxMessage(TenantModel):
    """Written in the transaction that caused it; the relay publishes it at least once.

    The app role may insert and read. Only the platform role records delivery.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    topic = models.CharField(_("topic"), max_length=80)
    payload = models.JSONField(_("payload"), default=dict)
    created_at = models.DateTimeField(_("written at"), db_default=models.functions.Now())
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("outbox message")
        verbose_name_plural = _("outbox messages")
        constraints = constraints.tenant("outbox_message", grants=constraints.APPEND_ONLY)
        indexes = [
            models.Index(
                fields=["marketplace", "created_at"],
                name="outbox_message_undelivered",
                condition=models.Q(sent_at__isnull=True) | models.Q(attempts=0),
            )
        ]

    def __str__(self):
        return f"{self.topic} {self.pk}"


class InboxMessage(TenantModel):
    """A message that a consumer has acted on; written in the transaction of the effect."""

    consumer = models.CharField(_("consumer"), max_length=80)
    message = models.CharField(_("message"), max_length=80)
    received_at = models.DateTimeField(_("received at"), db_default=models.functions.Now())

    class Meta(TenantModel.Meta):
        verbose_name = _("inbox message")
        verbose_name_plural = _("inbox messages")
        constraints = [
            *constraints.tenant("inbox_message", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "consumer", "message"], name="inbox_message_acts_once"
            ),
        ]

    def __str__(self):
        return f"{self.consumer} {self.message}"
