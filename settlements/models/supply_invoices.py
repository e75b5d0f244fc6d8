"""Tax invoices that sellers issue to the marketplace for what they supply."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, User
from sellers.models import Seller


class PayeeInvoice(TenantModel):
    """An invoice (or credit note, below zero) of a seller for the supplies of a month.

    Amounts in minor units. Several of a month add up.
    """

    seller = TenantKey(Seller, related_name="payee_invoices", verbose_name=_("seller"))
    month = models.DateField(_("month"), help_text=_("Its first day."))
    number = models.CharField(_("invoice number"), max_length=40)
    issued_on = models.DateField(_("issued on"))
    supply = models.BigIntegerField(_("supply value"))
    vat = models.BigIntegerField(_("VAT"))
    recorded_at = models.DateTimeField(_("recorded at"))
    recorded_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("recorded by"),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("seller's invoice")
        verbose_name_plural = _("sellers' invoices")
        constraints = [
            *constraints.tenant("payee_invoice", "seller", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "number"], name="payee_invoice_number_is_unique"
            ),
            models.CheckConstraint(
                name="payee_invoice_is_of_an_amount",
                condition=Q(supply__gt=0, vat__gte=0) | Q(supply__lt=0, vat__lte=0),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "seller", "month"], name="payee_invoice_of_month")
        ]

    def __str__(self):
        return self.number
