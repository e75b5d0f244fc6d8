"""The sheet of each business date, and its signatures. Walked by settlements.day_closing only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel


class DayClose(TenantModel):
    """A business date that the night has closed, and whether two people have signed for it.

    While it is signed, the database lets no journal into the day.
    """

    class State(models.TextChoices):
        OPEN = "open", _("To be signed")
        ASKED = "asked", _("Signed once")
        SIGNED = "signed", _("Signed by two")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.ASKED},
        State.ASKED: {State.ASKED, State.SIGNED},
        State.SIGNED: {State.OPEN},
    }

    day = models.DateField(_("business date"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    version = models.PositiveIntegerField(_("signed so many times"), default=0)
    seen_hash = models.CharField(_("hash of what was signed first"), max_length=64, blank=True)
    signed_first_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("signed first by"),
    )
    signed_first_at = models.DateTimeField(_("signed first at"), null=True)
    remark = models.CharField(_("remark"), max_length=500, blank=True)
    outcomes_to = models.BigIntegerField(
        _("outcomes looked at"),
        null=True,
        editable=False,
        help_text=_("The highest id of an outcome when the sentinels of its night looked."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("day close")
        verbose_name_plural = _("day closes")
        constraints = [
            *constraints.tenant("day_close", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(fields=["marketplace", "day"], name="day_close_is_one_per_day"),
        ]

    def __str__(self):
        return f"{self.day}"


class SignedSheet(TenantModel):
    """The sheet of a day as two people signed it, bound by hash to the one signed before it."""

    day_close = TenantKey(DayClose, related_name="sheets", verbose_name=_("day close"))
    version = models.PositiveIntegerField(_("version"))
    sheet = models.JSONField(_("sheet"))
    remark = models.CharField(_("remark"), max_length=500, blank=True)
    signed_first_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("signed first by"),
    )
    signed_first_at = models.DateTimeField(_("signed first at"))
    signed_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("signed by"),
    )
    signed_at = models.DateTimeField(_("signed at"))
    previous_hash = models.CharField(_("hash of the sheet before"), max_length=64)
    hash = models.CharField(_("hash"), max_length=64)

    class Meta(TenantModel.Meta):
        verbose_name = _("signed sheet")
        verbose_name_plural = _("signed sheets")
        constraints = [
            *constraints.tenant("signed_sheet", "day_close", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "day_close", "version"], name="signed_sheet_is_one_a_version"
            ),
            constraints.AppendOnly(name="signed_sheet_only_grows"),
        ]

    def __str__(self):
        return f"v{self.version} {self.hash[:12]}"
