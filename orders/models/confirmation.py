"""When a line counts as confirmed by itself, how long things may take, and what one may grant."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantModel, VersionedRule


class ConfirmationPolicy(VersionedRule):
    """When a delivered line counts as confirmed by itself, and how long a buyer may withdraw."""

    class Withdrawal(models.TextChoices):
        KOREA = "kr", _("Korean e-commerce act: first day excluded, moved off holidays")
        NONE = "none", _("None")

    confirm_after_days = models.PositiveSmallIntegerField(_("days after delivery"))
    withdrawal_rule = models.CharField(
        _("withdrawal rule"), max_length=10, choices=Withdrawal, default=Withdrawal.KOREA
    )
    withdrawal_days = models.PositiveSmallIntegerField(_("days to withdraw"), default=7)
    ship_within_days = models.PositiveSmallIntegerField(
        _("business days to ship"), default=3, help_text=_("Later counts as shipped late.")
    )
    answer_within_days = models.PositiveSmallIntegerField(
        _("business days to answer a claim"), default=3
    )

    goodwill_alone = models.BigIntegerField(
        _("goodwill without a second person"),
        default=0,
        db_default=0,
        validators=[MinValueValidator(0)],
        help_text=_(
            "In the smallest unit of the currency, all goodwill of an order together. 0: goodwill "
            "always needs a second person."
        ),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("confirmation policy")
        verbose_name_plural = _("confirmation policies")
        constraints = [
            *constraints.tenant("confirmation_policy"),
            constraints.Frozen(name="confirmation_policy_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="confirmation_policy_number_is_unique"
            ),
            models.CheckConstraint(
                name="confirmation_policy_goodwill_is_no_debt",
                condition=models.Q(goodwill_alone__gte=0),
            ),
        ]
