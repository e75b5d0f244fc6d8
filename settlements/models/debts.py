"""What was paid of sellers' debts, or given up, and the interest that they bear.

Written by settlements.collecting and settlements.charging_interest only.
"""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, VersionedRule, scoped
from sellers.models import Seller
from settlements import interest
from settlements.models.statements import Statement


def _movement_id():
    return identifiers.public_id("dbt")


class InterestTerms(VersionedRule):
    """What interest (지연손해금) overdue invoiced debts bear; without a version none."""

    MOST_PPM = 200_000  # 이자제한법: no agreement may ask for more

    rate_ppm = models.PositiveIntegerField(
        _("rate a year (ppm)"),
        default=0,
        validators=[
            MaxValueValidator(MOST_PPM, _("No more than 20 percent a year can be asked for."))
        ],
        help_text=_("120000 is 12 % of a year of 365 days. 0: none is charged."),
    )
    grace_days = models.PositiveSmallIntegerField(
        _("days of grace"),
        default=14,
        validators=[MaxValueValidator(366)],
        help_text=_("After the invoice; interest begins on the day after the last of them."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("interest on debts")
        verbose_name_plural = _("interest on debts")
        constraints = [
            *constraints.tenant("interest_terms"),
            constraints.Frozen(name="interest_terms_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="interest_terms_number_is_unique"
            ),
            models.CheckConstraint(
                name="interest_terms_ask_for_no_more_than_the_law",
                condition=Q(rate_ppm__lte=200_000, grace_days__lte=366),
            ),
        ]


class DebtMovementQuerySet(models.QuerySet):
    def of_invoiced(self):
        return self.filter(statement=None)

    def interest(self):
        return self.filter(kind=DebtMovement.Kind.INTEREST)

    def settling(self):
        """Deposits and write-offs: what makes a debt less."""
        return self.exclude(kind=DebtMovement.Kind.INTEREST)


class DebtMovement(TenantModel):
    """A part of a seller's debt that was paid into our bank, or written off; or interest on it.

    It concerns what is carried since `statement` closed, or without one what was invoiced
    (미수금). What settles both is two movements with one evidence, `part` 1 and 2. The amount is in
    minor units and above zero; a deposit is of the day on which the bank has it. Interest alone
    makes the debt more; `periods` say of what. Never edited.
    """

    class Kind(models.TextChoices):
        DEPOSIT = "deposit", _("Deposit")
        WRITE_OFF = "write_off", _("Written off")
        INTEREST = "interest", _("Interest")

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
    periods = models.JSONField(
        _("periods"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Of interest: first day, last day, principal, rate in ppm."),
    )
    by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("recorded by"),
    )
    at = models.DateTimeField(_("recorded at"))

    objects = scoped(DebtMovementQuerySet)

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
            models.UniqueConstraint(
                fields=["marketplace", "seller", "on"],
                condition=Q(kind="interest"),
                name="debt_movement_interest_is_charged_once_a_day",
            ),
            models.CheckConstraint(
                name="debt_movement_of_interest_is_the_system_s_and_explained",
                condition=Q(kind="interest", statement=None, by=None) & ~Q(periods=[])
                | ~Q(kind="interest") & Q(by__isnull=False, periods=[]),
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

    @property
    def is_interest(self) -> bool:
        """Whether the seller owes more by it, not less."""
        return self.kind == self.Kind.INTEREST

    @property
    def counted(self) -> list[interest.Period]:
        """Of interest: the days that it was counted for."""
        return [interest.read(period) for period in self.periods]
