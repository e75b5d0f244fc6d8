"""The way to a payout provider's API, with the keys to it, sealed.

Written by settlements.payout_connections.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantModel, scoped
from marketplace.sealing import SealedField


def _connection_id():
    return identifiers.public_id("poc")


class PayoutConnectionQuerySet(models.QuerySet):
    def in_use(self):
        return self.filter(state=PayoutConnection.State.IN_USE)

    def believed(self, moment):
        """Those whose signature counts: the one in use, and one that was replaced since then."""
        lately = Q(state=PayoutConnection.State.RETIRED, used_at__isnull=False)
        return self.filter(
            Q(state=PayoutConnection.State.IN_USE) | lately & Q(retired_at__gt=moment)
        )


class PayoutConnection(TenantModel):
    """Where a payout provider is reached, and with which keys; one is in use at a time."""

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("payout connection", "Proposed")
        IN_USE = "in_use", pgettext_lazy("payout connection", "In use")
        RETIRED = "retired", pgettext_lazy("payout connection", "Retired")

    MOVES = {  # every legal change of state; anything else is refused
        State.PROPOSED: {State.IN_USE, State.RETIRED},
        State.IN_USE: {State.RETIRED},
        State.RETIRED: set(),
    }

    public_id = models.CharField(
        _("public id"), max_length=40, default=_connection_id, editable=False
    )
    url = models.CharField(_("address of the API"), max_length=200)
    secret_key = SealedField(_("secret key"))
    security_key = SealedField(_("security key"))
    ending = models.CharField(_("last letters of the secret key"), max_length=4)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.PROPOSED)
    entered_at = models.DateTimeField(_("entered at"))
    entered_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("entered by"),
    )
    used_at = models.DateTimeField(_("used from"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)

    objects = scoped(PayoutConnectionQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("payout connection")
        verbose_name_plural = _("payout connections")
        constraints = [
            *constraints.tenant("payout_connection", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="payout_connection_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace"],
                condition=Q(state="in_use"),
                name="payout_connection_is_used_alone",
            ),
        ]

    def __str__(self):
        return f"{self.url} ···{self.ending}"
