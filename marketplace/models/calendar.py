"""Business calendars as stored days: proposals and the operator's word, version by version."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models.base import TenantKey, TenantModel, VersionedRule


class CalendarVersion(VersionedRule):
    """One published state of the marketplace's closed days."""

    country = models.CharField(
        _("country"),
        max_length=10,
        help_text=_("Whose public holidays were proposed, for example KR or BR-SP."),
    )
    first_on = models.DateField(_("first day covered"))
    last_on = models.DateField(_("last day covered"))

    class Meta(TenantModel.Meta):
        verbose_name = _("calendar version")
        verbose_name_plural = _("calendar versions")
        constraints = [
            *constraints.tenant("calendar_version"),
            constraints.Frozen(name="calendar_version_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="calendar_version_number_is_unique"
            ),
        ]


class ClosedDay(TenantModel):
    """A day on which the marketplace is closed, beside Saturdays and Sundays.

    A holiday that the operator keeps open stands here as well, so that its word is not forgotten
    when the next version is proposed.
    """

    class Source(models.TextChoices):
        PROPOSED = "proposed", _("Public holiday")
        OPERATOR = "operator", _("Set by the operator")
        KEPT_OPEN = "kept_open", _("Kept open by the operator")

    version = TenantKey(
        CalendarVersion, models.CASCADE, related_name="closed_days", verbose_name=_("version")
    )
    on = models.DateField(_("day"))
    name = models.CharField(_("name"), max_length=100, blank=True)
    source = models.CharField(_("source"), max_length=10, choices=Source, default=Source.PROPOSED)

    class Meta(TenantModel.Meta):
        verbose_name = _("closed day")
        verbose_name_plural = _("closed days")
        constraints = [
            *constraints.tenant("closed_day", "version"),
            constraints.Frozen(
                name="closed_day_frozen",
                parent=("version_id", "marketplace_calendarversion"),
            ),
            models.UniqueConstraint(
                fields=["marketplace", "version", "on"], name="closed_day_is_named_once"
            ),
        ]

    def __str__(self):
        return f"{self.on} {self.name}"
