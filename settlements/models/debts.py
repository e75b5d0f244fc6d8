"""What was paid of sellers' debts, or given up. Written by settlements.collecting only."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller
from settlements.models.statements import Statement


def _movement_id():
    return identifiers.public_id("dbt")


class DebtMovement(TenantModel):
    """A part of a seller's debt that was paid into our bank, or written off. Never edited.

    It concerns what is carried since `statement` closed, or without one what was invoiced
    (미수금). What settles both is two movements with one evidence, `part` 1 and 2. The amount is in
    minor units and above zero; a deposit is of the day on which the bank has it.
    """

    class Kind(models.TextChoices):
        DEPOSIT = "deposit", _("Deposit")
        WRITE_OFF = "write_off", _("Written off")

    public_id = models.CharField(
        _("public id"), max_length=40, default=_movement_id, editable=False
    )
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    statement = TenantKey(
        Statement, null=True, blank=True, related_name="+", verbose_name=_("after the statement")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    amount = models.BigIntegerField(_("amount"))
    on = models.DateField(_("on"))
    reason = models.CharField(_("reason"), max_length=500)
    evidence = models.CharField(_("evidence"), max_length=200, blank=True)
    part = models.PositiveSmallIntegerField(
        _("part"), null=True, blank=True, help_text=_("Empty for what was recorded before.")
    )
    by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("recorded by"),
    )
    at = models.DateTimeField(_("recorded at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("movement of a debt")
        verbose_name_plural = _("movements of debts")
        constraints = [
            *constraints.tenant(
                "debt_movement", "seller", "statement", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="debt_movement_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "evidence", "part"],
                condition=Q(kind="deposit"),
                name="debt_movement_deposit_is_recorded_once",
            ),
            models.CheckConstraint(
                name="debt_movement_is_of_some_amount", condition=Q(amount__gt=0)
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "seller", "-id"], name="debt_movement_by_seller")
        ]

    def __str__(self):
        return self.public_id

    @property
    def is_of_invoiced(self) -> bool:
        """Whether it settles what was invoiced; otherwise what is carried."""
        return self.statement_id is None
