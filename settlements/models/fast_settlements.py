"""What was paid ahead of a purchase's confirmation. Written by settlements.advancing."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel
from orders.models import OrderLine
from sellers.models import Seller


class FastSettlement(TenantModel):
    """What was paid ahead on an order line, once, and what of it was taken back. Minor units.

    Its adjustments are the lines by which that was settled.
    """

    seller = TenantKey(Seller, related_name="fast_settlements", verbose_name=_("seller"))
    order_line = TenantKey(OrderLine, related_name="+", verbose_name=_("order line"))
    on = models.DateField(_("paid ahead in the night of"))
    units = models.PositiveIntegerField(_("units paid ahead for"))
    units_left = models.PositiveIntegerField(_("units left"))
    advanced = models.BigIntegerField(_("paid ahead"))
    taken_back = models.BigIntegerField(_("taken back"), default=0)
    ended_on = models.DateField(_("ended on"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("fast settlement")
        verbose_name_plural = _("fast settlements")
        constraints = [
            *constraints.tenant("fast_settlement", "seller", "order_line"),
            models.UniqueConstraint(
                fields=["marketplace", "order_line"], name="fast_settlement_is_one_per_line"
            ),
            models.CheckConstraint(
                name="fast_settlement_takes_back_no_more_than_it_paid",
                condition=Q(advanced__gt=0, taken_back__gte=0, taken_back__lte=F("advanced")),
            ),
            models.CheckConstraint(
                name="fast_settlement_ends_with_nothing_left",
                condition=Q(ended_on__isnull=True, taken_back__lt=F("advanced"))
                | Q(ended_on__isnull=False, taken_back=F("advanced")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "order_line"],
                name="fast_settlement_open",
                condition=Q(ended_on__isnull=True),
            )
        ]

    def __str__(self):
        return f"{self.order_line_id}"

    @property
    def open(self) -> int:
        """What is still to be taken back."""
        return self.advanced - self.taken_back
