"""What lines came to. An Outcome is what settlement reads: a line was confirmed with n units,
and later kept fewer.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel
from orders.models.lines import OrderLine
from sellers.models import Seller


class Outcome(TenantModel):
    """What a line came to: at confirmation (sale) and whenever less remains after it (reversal).

    The figures are what *remains* of the line; the reversed part is the difference to the
    outcome before. Written by orders.outcomes only, read by settlement, never changed.
    """

    class Kind(models.TextChoices):
        SALE = "sale", _("Sale")
        REVERSAL = "reversal", _("Reversal")

    line = TenantKey(OrderLine, related_name="outcomes", verbose_name=_("line"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    sequence = models.PositiveIntegerField(_("sequence"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    cause = models.CharField(_("cause"), max_length=40)
    rate_on = models.DateField(_("rate date"))
    basis_on = models.DateField(_("basis date"))
    quantity = models.PositiveIntegerField(_("units remaining"))
    list_amount = models.BigIntegerField(_("list amount remaining"))
    seller_discount = models.BigIntegerField(_("seller's discount remaining"))
    platform_discount = models.BigIntegerField(_("platform's discount remaining"))
    partner_discount = models.BigIntegerField(_("partner's discount remaining"))

    class Meta(TenantModel.Meta):
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")
        constraints = [
            *constraints.tenant("outcome", "line", "seller", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "line", "sequence"], name="outcome_sequence_is_unique"
            ),
            models.CheckConstraint(
                name="outcome_first_is_the_sale",
                condition=Q(sequence=0, kind="sale") | Q(sequence__gt=0, kind="reversal"),
            ),
        ]
        indexes = [BrinIndex(fields=["marketplace", "basis_on"], name="outcome_by_day")]

    def __str__(self):
        return f"{self.line_id}#{self.sequence}"


class OutcomeToSettle(TenantModel):
    """The queue of settlement: outcomes that no settlement line stands for yet.

    A row leaves in the transaction that writes its settlement line. A queue, not a flag or a
    time: flags cost a rewrite of the outcome, and times do not tell what has committed.
    """

    outcome = TenantKey(Outcome, related_name="+", verbose_name=_("outcome"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    basis_on = models.DateField(_("basis date"))

    class Meta(TenantModel.Meta):
        verbose_name = _("outcome to settle")
        verbose_name_plural = _("outcomes to settle")
        constraints = [
            *constraints.tenant(
                "outcome_to_settle", "outcome", "seller", grants="SELECT, INSERT, DELETE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "outcome"], name="outcome_is_queued_once"
            ),
        ]

    def __str__(self):
        return f"{self.outcome_id}"
