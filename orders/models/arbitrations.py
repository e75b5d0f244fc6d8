"""What the marketplace decides where buyer and seller do not agree about a claim (분쟁).

Written by orders.arbitrating and orders.evidence.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from marketplace.sealing import SealedField
from orders.models.claims import Claim


def _evidence_id():
    return identifiers.public_id("evd")


class ArbitrationQuerySet(models.QuerySet):
    def open(self):
        return self.filter(decided_at__isnull=True)


class Arbitration(TenantModel):
    """A claim that was taken to arbitration, and what was decided about it."""

    class Side(models.TextChoices):
        BUYER = "buyer", _("Buyer")
        SELLER = "seller", _("Seller")
        MARKETPLACE = "marketplace", _("Marketplace")

    class Outcome(models.TextChoices):
        COMPLETED = "completed", pgettext_lazy("arbitration", "The buyer gets the money back")
        GOODWILL = "goodwill", pgettext_lazy("arbitration", "The goods stay, for goodwill")
        REJECTED = "rejected", pgettext_lazy("arbitration", "The claim is rejected")
        RESUMED = "resumed", pgettext_lazy("arbitration", "Back to where the claim stood")

    claim = TenantKey(Claim, related_name="arbitrations", verbose_name=_("claim"))
    state_before = models.CharField(
        _("state before"), max_length=20, choices=Claim.State, editable=False
    )
    side = models.CharField(_("asked for by"), max_length=12, choices=Side)
    reason = models.CharField(_("reason"), max_length=500)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("opened by"),
    )
    opened_at = models.DateTimeField(_("opened at"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, blank=True)
    decision = models.CharField(_("why it was decided so"), max_length=500, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    objects = scoped(ArbitrationQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("arbitration")
        verbose_name_plural = _("arbitrations")
        constraints = [
            *constraints.tenant("arbitration", "claim", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "claim"],
                condition=Q(decided_at__isnull=True),
                name="arbitration_is_open_once_per_claim",
            ),
            models.CheckConstraint(
                name="arbitration_decided_says_what_why_and_by_whom",
                condition=Q(decided_at__isnull=True, outcome="", decision="")
                | (
                    Q(decided_at__isnull=False, decided_by__isnull=False)
                    & ~Q(outcome="")
                    & ~Q(decision="")
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "claim", "-id"], name="arbitration_by_claim"),
            models.Index(
                fields=["marketplace", "opened_at"],
                name="arbitration_open",
                condition=Q(decided_at__isnull=True),
            ),
        ]

    def __str__(self):
        return f"{self.claim_id}"


class ArbitrationStatement(TenantModel):
    """What one side says in an arbitration, in its own words."""

    arbitration = TenantKey(Arbitration, related_name="statements", verbose_name=_("arbitration"))
    side = models.CharField(_("said by"), max_length=12, choices=Arbitration.Side)
    text = models.CharField(_("what is said"), max_length=2_000)
    said_at = models.DateTimeField(_("said at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("statement in an arbitration")
        verbose_name_plural = _("statements in arbitrations")
        constraints = [
            *constraints.tenant(
                "arbitration_statement", "arbitration", grants=constraints.APPEND_ONLY
            )
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "arbitration", "id"], name="arbitration_statement_in_order"
            )
        ]

    def __str__(self):
        return f"{self.arbitration_id} {self.side}"


class Evidence(TenantModel):
    """A file that belongs to a statement, sealed: photographs show people and their homes."""

    public_id = models.CharField(
        _("public id"), max_length=40, default=_evidence_id, editable=False
    )
    statement = TenantKey(
        ArbitrationStatement, related_name="files", verbose_name=_("statement in an arbitration")
    )
    name = models.CharField(_("file name"), max_length=100)
    kind = models.CharField(_("kind of file"), max_length=40)
    size = models.PositiveIntegerField(_("size"), help_text=_("In bytes."))
    content = SealedField(verbose_name=_("content"), editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        constraints = [
            # Changed only when it is sealed anew.
            *constraints.tenant("evidence", "statement", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="evidence_public_id_is_unique"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "statement"], name="evidence_by_statement")]

    def __str__(self):
        return self.name
