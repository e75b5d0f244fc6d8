"""What has changed in a marketplace, told to those outside."""

from django.db import models
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models.base import TenantKey, TenantModel


def _change_id():
    return identifiers.public_id("evt")


class Change(TenantModel):
    """One thing that happened, as the change feed and webhooks tell it. See marketplace.changes.

    Rows are read in the order of `transaction`, and only below every transaction that still
    runs: their own ids become visible out of order.
    """

    public_id = models.CharField(_("public id"), max_length=40, default=_change_id, editable=False)
    type = models.CharField(_("type"), max_length=60)
    object_id = models.CharField(_("object"), max_length=40, blank=True)
    seller = TenantKey(
        "sellers.Seller", null=True, blank=True, related_name="+", verbose_name=_("seller")
    )
    at = models.DateTimeField(_("happened at"))
    data = models.JSONField(_("details"), default=dict)
    transaction = models.BigIntegerField(
        _("transaction"),
        db_default=Cast(
            Cast(models.Func(function="pg_current_xact_id"), models.TextField()),
            models.BigIntegerField(),
        ),
        editable=False,
    )
    written_at = models.DateTimeField(_("written at"), db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        constraints = [
            *constraints.tenant("change", "seller", grants="SELECT, INSERT, DELETE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="change_public_id_is_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "transaction", "id"], name="change_in_order"),
            models.Index(
                fields=["marketplace", "seller", "transaction", "id"],
                name="change_in_order_of_seller",
            ),
        ]

    def __str__(self):
        return f"{self.type} {self.object_id}"
