"""When the bank takes no transfers. Written by settlements.keeping_windows only."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints
from marketplace.models import TenantModel, scoped


class BankWindowQuerySet(models.QuerySet):
    def in_force(self, moment):
        """Those that keep transfers back at a moment or later."""
        standing = self.filter(state=BankWindow.State.IN_FORCE)
        return standing.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=moment))


class BankWindow(TenantModel):
    """Hours on weekdays in the marketplace's zone, or one announced span. Never edited."""

    class State(models.TextChoices):
        IN_FORCE = "in_force", pgettext_lazy("bank maintenance", "In force")
        ENDED = "ended", pgettext_lazy("bank maintenance", "Ended")

    MOVES = {  # every legal change of state; anything else is refused
        State.IN_FORCE: {State.ENDED},
        State.ENDED: set(),
    }

    state = models.CharField(_("state"), max_length=8, choices=State, default=State.IN_FORCE)
    note = models.CharField(_("note"), max_length=200, blank=True)
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("weekdays"),
        default=list,
        blank=True,
        help_text=_("0 is Monday. Empty for a single announced span."),
    )
    from_time = models.TimeField(_("from"), null=True, blank=True)
    to_time = models.TimeField(
        _("until"),
        null=True,
        blank=True,
        help_text=_("Not later than “from”: on the next day."),
    )
    begins_at = models.DateTimeField(_("begins at"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    entered_at = models.DateTimeField(_("entered at"))
    entered_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("entered by"),
    )

    objects = scoped(BankWindowQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("bank maintenance window")
        verbose_name_plural = _("bank maintenance windows")
        constraints = [
            *constraints.tenant("bank_window", grants="SELECT, INSERT, UPDATE"),
            models.CheckConstraint(
                name="bank_window_comes_back_or_is_announced",
                condition=Q(
                    ~Q(weekdays=[]),
                    weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6],
                    from_time__isnull=False,
                    to_time__isnull=False,
                    begins_at__isnull=True,
                    ends_at__isnull=True,
                )
                | Q(
                    weekdays=[],
                    from_time__isnull=True,
                    to_time__isnull=True,
                    begins_at__isnull=False,
                    ends_at__gt=F("begins_at"),
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "ends_at"],
                name="bank_window_in_force",
                condition=Q(state="in_force"),
            )
        ]

    def __str__(self):
        return self.note or f"#{self.pk}"
