"""Orders as the shop sent them: what was ordered together, paid for, and told of later.

Events are evidence, folded into the state of lines in any order of arrival.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel


def _order_id():
    return identifiers.public_id("ord")


class Order(TenantModel):
    """One checkout; may hold lines of several sellers."""

    public_id = models.CharField(_("public id"), max_length=40, default=_order_id, editable=False)
    number = models.CharField(
        _("order number"), max_length=100, help_text=_("The sender's own number.")
    )
    source = models.CharField(_("sender"), max_length=40)
    placed_at = models.DateTimeField(_("placed at"))
    buyer_reference = models.CharField(_("buyer reference"), max_length=100, blank=True)
    tender_difference = models.BigIntegerField(
        _("tenders less charges"),
        default=0,
        help_text=_("Not zero only for imported history, where it is listed for reconciliation."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            *constraints.tenant("order"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="order_number_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="order_public_id_is_unique"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "-placed_at"], name="order_newest_first")]

    def __str__(self):
        return self.number


class Payment(TenantModel):
    """A tender: what the buyer paid by one means. Amounts in minor units."""

    order = TenantKey(Order, models.CASCADE, related_name="payments", verbose_name=_("order"))
    sequence = models.PositiveSmallIntegerField(_("sequence"))
    kind = models.CharField(_("kind"), max_length=40)
    amount = models.BigIntegerField(_("amount"))
    tax_free_amount = models.BigIntegerField(_("of that tax free"), default=0)
    provider_id = models.CharField(_("provider's id"), max_length=100, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    cash_receipt = models.CharField(_("cash receipt"), max_length=60, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            *constraints.tenant("payment", "order"),
            models.UniqueConstraint(
                fields=["marketplace", "order", "sequence"], name="payment_sequence_is_unique"
            ),
            models.CheckConstraint(
                name="payment_amounts_are_not_negative",
                condition=Q(amount__gte=0)
                & Q(tax_free_amount__gte=0)
                & Q(tax_free_amount__lte=F("amount")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "provider_id"],
                name="payment_by_provider_id",
                condition=~Q(provider_id=""),
            ),
            models.Index(
                fields=["marketplace", "approved_at"],
                name="payment_by_approval",
                condition=~Q(provider_id=""),
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.amount}"


class OrderEvent(TenantModel):
    """Something that happened to an order, as its sender tells it; accepted once per sender's id.

    Without a line it concerns all lines of the order; with a seller, all lines of that seller.
    """

    class Kind(models.TextChoices):
        PAID = "paid", _("Paid")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged by the seller")
        SHIPPED = "shipped", _("Shipped")
        DELIVERED = "delivered", _("Delivered")
        CONFIRMED = "confirmed", _("Purchase confirmed")
        CANCELLED = "cancelled", _("Cancelled")

    source = models.CharField(_("sender"), max_length=40)
    source_id = models.CharField(_("sender's id"), max_length=120)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    order_number = models.CharField(_("order number"), max_length=100)
    line_number = models.PositiveIntegerField(_("line"), null=True, blank=True)
    seller_code = models.CharField(_("seller"), max_length=64, blank=True)
    quantity = models.PositiveIntegerField(_("units"), null=True, blank=True)
    by_seller = models.BooleanField(_("caused by the seller"), default=False)
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        constraints = [
            *constraints.tenant("order_event", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "source", "source_id"], name="order_event_is_accepted_once"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "order_number"], name="order_event_by_order")
        ]

    def __str__(self):
        return f"{self.order_number} {self.kind}"
