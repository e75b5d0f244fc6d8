"""What buyers wish to undo."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller


def _claim_id():
    return identifiers.public_id("clm")


class Claim(TenantModel):
    """A buyer's wish to undo (part of) a line: cancel, return, exchange."""

    class Type(models.TextChoices):
        CANCEL = "cancel", _("Cancel")
        RETURN = "return", _("Return")

    class Fault(models.TextChoices):
        BUYER = "buyer", _("Buyer")
        SELLER = "seller", _("Seller")
        CARRIER = "carrier", _("Carrier")
        PLATFORM = "platform", _("Platform")

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        COMPLETED = "completed", _("Completed")

    MOVES = {  # every legal change of state; anything else is refused
        State.REQUESTED: {State.APPROVED, State.REJECTED, State.WITHDRAWN},
        State.APPROVED: {State.COMPLETED, State.REJECTED},
        State.REJECTED: set(),
        State.WITHDRAWN: set(),
        State.COMPLETED: set(),
    }
    OPEN_STATES = [State.REQUESTED, State.APPROVED]

    public_id = models.CharField(_("public id"), max_length=40, default=_claim_id, editable=False)
    # By its name: lines import claims, to ask which of them hold a line back.
    line = TenantKey("orders.OrderLine", related_name="claims", verbose_name=_("line"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    type = models.CharField(_("type"), max_length=20, choices=Type)
    fault = models.CharField(_("at fault"), max_length=20, choices=Fault)
    quantity = models.PositiveIntegerField(_("units"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    answer = models.CharField(
        _("answer"), max_length=500, blank=True, help_text=_("Why it was turned down.")
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    requested_at = models.DateTimeField(_("requested at"))
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    completed_on = models.DateField(_("completed on"), null=True, blank=True)
    source = models.CharField(_("sender"), max_length=40, blank=True)
    source_id = models.CharField(_("sender's id"), max_length=120, null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        constraints = [
            *constraints.tenant("claim", "line", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="claim_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "source", "source_id"], name="claim_is_accepted_once"
            ),
            models.CheckConstraint(name="claim_concerns_some_units", condition=Q(quantity__gt=0)),
        ]
        indexes = [
            models.Index(fields=["marketplace", "line"], name="claim_by_line"),
            models.Index(
                fields=["marketplace", "requested_at"],
                name="claim_waiting",
                condition=Q(state__in=["requested", "approved"]),
            ),
            models.Index(fields=["marketplace", "completed_on"], name="claim_by_completion"),
            models.Index(fields=["marketplace", "-requested_at"], name="claim_newest_first"),
            models.Index(fields=["marketplace", "seller", "-id"], name="claim_by_seller"),
            models.Index(fields=["marketplace", "state", "-id"], name="claim_by_state"),
            models.Index(
                fields=["marketplace", "seller", "state", "requested_at", "id"],
                name="claim_by_seller_waiting",
                condition=Q(state__in=["requested", "approved"]),
            ),
        ]

    def __str__(self):
        return self.public_id
