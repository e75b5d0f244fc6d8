"""What sellers were told to expect, kept for as long as it is compared with what came."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller


class PayoutForecast(TenantModel):
    """What one seller could expect for one payment day after the night of `made_on`.

    `settled` is what stood on the open statement of the day. `items` are the lines still to be
    settled, each as order line, outcome, sales and net; `expected` is their sum. Without a day
    they are held by open claims. Amounts in minor units.
    """

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    made_on = models.DateField(_("after the night of"))
    due_on = models.DateField(_("due on"), null=True, blank=True)
    settled = models.BigIntegerField(_("on the open statement"), default=0)
    expected = models.BigIntegerField(_("still to be settled"), default=0)
    items = models.JSONField(_("lines"), default=list)

    class Meta(TenantModel.Meta):
        verbose_name = _("payout forecast")
        verbose_name_plural = _("payout forecasts")
        constraints = [
            *constraints.tenant("payout_forecast", "seller", grants="SELECT, INSERT, DELETE"),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "made_on", "due_on"],
                name="payout_forecast_is_one_per_day",
                nulls_distinct=False,
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "made_on"], name="payout_forecast_by_night")]

    def __str__(self):
        return f"{self.seller_id} {self.due_on} ({self.made_on})"

    @property
    def net(self):
        return self.settled + self.expected
