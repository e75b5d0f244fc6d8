"""What sellers have paid in advance for advertising. Written by settlements.prepaying only."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller
from settlements.models.adjustments import Adjustment


def _movement_id():
    return identifiers.public_id("apm")


class AdPrepayment(TenantModel):
    """What is left of a seller's advertising prepayment (광고비 선수금): minor units, with VAT.

    Whoever moves it locks its row.
    """

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    balance = models.BigIntegerField(_("what is left"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("advertising prepayment")
        verbose_name_plural = _("advertising prepayments")
        constraints = [
            *constraints.tenant("ad_prepayment", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="ad_prepayment_is_one_per_seller"
            ),
            models.CheckConstraint(
                name="ad_prepayment_is_not_below_zero", condition=Q(balance__gte=0)
            ),
        ]

    def __str__(self):
        return f"{self.seller_id}"


class AdPrepaymentMovement(TenantModel):
    """What changed a seller's advertising prepayment, and what was left then. Never edited.

    `amount` is in minor units, above zero where it adds. A deposit is of the day on which the bank
    has it; everything else names the adjustment by which a statement settles it.
    """

    class Kind(models.TextChoices):
        DEPOSIT = "deposit", _("Deposit")
        DRAWN = "drawn", _("Drawn for a charge")
        GIVEN_BACK = "given_back", _("Given back, the charge was taken back")
        REFUND = "refund", _("Refunded with a statement")

    public_id = models.CharField(
        _("public id"), max_length=40, default=_movement_id, editable=False
    )
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    amount = models.BigIntegerField(_("amount"))
    balance = models.BigIntegerField(_("left afterwards"))
    on = models.DateField(_("on"))
    adjustment = TenantKey(
        Adjustment, null=True, blank=True, related_name="+", verbose_name=_("adjustment")
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    evidence = models.CharField(_("evidence"), max_length=200, blank=True)
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

    class Meta(TenantModel.Meta):
        verbose_name = _("movement of an advertising prepayment")
        verbose_name_plural = _("movements of advertising prepayments")
        constraints = [
            *constraints.tenant(
                "ad_prepayment_movement", "seller", "adjustment", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"],
                name="ad_prepayment_movement_public_id_is_unique",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "evidence"],
                condition=Q(kind="deposit"),
                name="ad_prepayment_deposit_is_recorded_once",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "adjustment"],
                condition=Q(adjustment__isnull=False),
                name="ad_prepayment_movement_is_one_per_adjustment",
            ),
            models.CheckConstraint(
                name="ad_prepayment_movement_has_its_sign",
                condition=Q(kind__in=["deposit", "given_back"], amount__gt=0)
                | Q(kind__in=["drawn", "refund"], amount__lt=0),
            ),
            models.CheckConstraint(
                name="ad_prepayment_movement_leaves_nothing_below_zero",
                condition=Q(balance__gte=0),
            ),
            models.CheckConstraint(
                name="ad_prepayment_movement_says_what_it_comes_of",
                condition=(Q(kind="deposit", adjustment__isnull=True) & ~Q(evidence=""))
                | (~Q(kind="deposit") & Q(adjustment__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "seller", "-id"], name="ad_prepayment_movement_of")
        ]

    def __str__(self):
        return self.public_id
