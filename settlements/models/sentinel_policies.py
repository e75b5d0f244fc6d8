"""How long things may stay as they are before the night's sentinels tell of them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantModel, VersionedRule
from settlements.sentinel_limits import LONGEST, USUAL


def _days(name, default, help_text, **named):
    return models.PositiveSmallIntegerField(
        name,
        default=default,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST)],
        help_text=help_text,
        **named,
    )


class SentinelPolicy(VersionedRule):
    """The last deadline of each state that something can be left in, in calendar days."""

    delivery_days = _days(
        _("days until delivery"),
        USUAL.delivery_days,
        _("From payment until an order line is delivered."),
    )
    claim_days = _days(
        _("days until a claim is closed"),
        USUAL.claim_days,
        _("From the request, whatever its state is, but for arbitration."),
    )
    arbitration_days = _days(
        _("days until an arbitration is decided"),
        USUAL.arbitration_days,
        _("From the day a claim was taken to it."),
        db_default=USUAL.arbitration_days,  # for programs of the version before
    )
    approval_days = _days(
        _("days until a second person decides"),
        USUAL.approval_days,
        _("From the day it was asked for."),
    )
    batch_days = _days(
        _("days until a payout batch is sent"),
        USUAL.batch_days,
        _("From the day it was prepared for."),
    )
    payable_days = _days(
        _("days until a statement is paid"),
        USUAL.payable_days,
        _("From the due date of a statement that is in no payout and that no hold keeps."),
    )
    hold_days = _days(
        _("days until a hold is looked at again"),
        USUAL.hold_days,
        _("Of holds that end by a condition, from the day they were placed or last looked at."),
    )
    report_days = _days(
        _("days until a revenue report is final"),
        USUAL.report_days,
        _("From the day that it is about."),
    )
    sign_days = _days(
        _("days until a day is signed"), USUAL.sign_days, _("From the business date itself.")
    )
    close_days = _days(_("days until a month is closed"), USUAL.close_days, _("From its last day."))
    explain_days = _days(
        _("days until a difference is explained"),
        USUAL.explain_days,
        _("From the day it was found."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("sentinel policy")
        verbose_name_plural = _("sentinel policies")
        constraints = [
            *constraints.tenant("sentinel_policy"),
            constraints.Frozen(name="sentinel_policy_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="sentinel_policy_number_is_unique"
            ),
            models.CheckConstraint(
                name="sentinel_policy_waits_a_day_or_more",
                condition=models.Q(
                    delivery_days__gte=1,
                    claim_days__gte=1,
                    arbitration_days__gte=1,
                    approval_days__gte=1,
                    batch_days__gte=1,
                    payable_days__gte=1,
                    hold_days__gte=1,
                    report_days__gte=1,
                    sign_days__gte=1,
                    close_days__gte=1,
                    explain_days__gte=1,
                ),
            ),
        ]
