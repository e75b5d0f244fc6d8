"""Which legal deadline of payouts a marketplace watches. Written by settlements.deadlines only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantModel


class DeadlineGuard(TenantModel):
    """The pack of settlements.deadline_packs that is watched, and whether it forbids anything."""

    pack = models.CharField(_("legal deadline"), max_length=40)
    warning_days = models.PositiveSmallIntegerField(
        _("warns so many days ahead"), default=5, help_text=_("Before the latest day of payout.")
    )
    refuses_terms = models.BooleanField(_("refuses terms that pay too late"), default=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("legal deadline of payouts")
        verbose_name_plural = _("legal deadlines of payouts")
        constraints = [
            *constraints.tenant("deadline_guard", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace"], name="deadline_guard_is_one_per_marketplace"
            ),
        ]

    def __str__(self):
        return self.pack
