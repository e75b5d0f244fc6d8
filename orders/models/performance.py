"""Days of sellers whose figures are to be computed again."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller


class PerformanceTouch(TenantModel):
    """A seller's day whose figures something has changed; waits to be computed again.

    A queue that only grows until orders.performance takes from it. Rows repeat: a unique one
    would be lost between a writer who finds it there and a night that is just taking it.
    """

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    on = models.DateField(_("business day"))

    class Meta(TenantModel.Meta):
        verbose_name = _("day to compute again")
        verbose_name_plural = _("days to compute again")
        constraints = constraints.tenant(
            "performance_touch", "seller", grants="SELECT, INSERT, DELETE"
        )

    def __str__(self):
        return f"{self.seller_id} {self.on}"
