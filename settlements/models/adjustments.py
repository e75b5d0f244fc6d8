"""Money between marketplace and seller that no order line stands for."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, User, VersionedRule, scoped
from orders.models import Claim
from sellers.models import Seller
from settlements import adjustments
from settlements.models.fast_settlements import FastSettlement
from settlements.models.statements import Statement

TAX_KINDS = [
    (adjustments.TAXABLE, _("taxable")),
    (adjustments.EXEMPT, _("exempt")),
    (adjustments.OUTSIDE_SCOPE, _("outside the scope of VAT")),
]


def _adjustment_id():
    return identifiers.public_id("adj")


class MonthlyFee(VersionedRule):
    """A fixed fee of each seller whose sales of a month reach a threshold. Minor units.

    The night of the month's last day charges it as an adjustment, by the version of that day.
    """

    threshold = models.BigIntegerField(
        _("from sales of"), help_text=_("Sales confirmed in the month less what was returned.")
    )
    amount = models.BigIntegerField(_("fee without VAT"), help_text=_("0: none is charged."))
    tax_kind = models.CharField(
        _("VAT"), max_length=15, choices=TAX_KINDS, default=adjustments.TAXABLE
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("monthly fee")
        verbose_name_plural = _("monthly fees")
        constraints = [
            *constraints.tenant("monthly_fee"),
            constraints.Frozen(name="monthly_fee_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="monthly_fee_number_is_unique"
            ),
            models.CheckConstraint(
                name="monthly_fee_is_not_below_zero",
                condition=Q(amount__gte=0, threshold__gte=0),
                violation_error_message=_("Write amounts of 0 or more."),
            ),
        ]


class AdjustmentQuerySet(models.QuerySet):
    def to_settle(self, on):
        """Approved, and due to be settled by the night of a day."""
        return self.filter(state=Adjustment.State.APPROVED, basis_on__lte=on)


class Adjustment(TenantModel):
    """An amount that is given to a seller or charged, with its reason, approved by two people.

    `amount` is in minor units before VAT, above zero in favour of the seller. Its settlement line
    is the one with `order_line_id` −id.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("Waiting for approval")
        APPROVED = "approved", _("Approved")
        SETTLED = "settled", _("Settled")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    MOVES = {  # every legal change of state; anything else is refused
        State.REQUESTED: {State.APPROVED, State.WITHDRAWN},
        State.APPROVED: {State.SETTLED},
        State.SETTLED: set(),
        State.WITHDRAWN: set(),
    }

    class Reason(models.TextChoices):
        PENALTY = "penalty", _("Contract penalty")
        COMPENSATION = "compensation", _("Compensation")
        CORRECTION = "correction", _("Correction")
        SHIPPING = "shipping", _("Shipping cost")
        SERVICE = adjustments.SERVICE, _("Service charge")
        ADVERTISING = adjustments.ADVERTISING, _("Advertising")
        MONTHLY_FEE = adjustments.MONTHLY_FEE, _("Monthly fee")
        REVENUE_SHARE = "revenue_share", _("Revenue share")
        HOST_COMMISSION = "host_commission", _("Host commission")
        AFFILIATE_COMMISSION = "affiliate_commission", _("Affiliate commission")
        VAT_ROUNDING = adjustments.VAT_ROUNDING, _("Rounding difference of VAT")
        FEE_CUT = adjustments.FEE_CUT, _("Discounts taken off fees")
        FUNDING_OFFSET = adjustments.FUNDING_OFFSET, _("Discounts paid before")
        FAST_ADVANCE = adjustments.FAST_ADVANCE, _("Fast settlement")
        FAST_OFFSET = adjustments.FAST_OFFSET, _("Fast settlement, settled with the sale")
        FAST_CLAWBACK = adjustments.FAST_CLAWBACK, _("Fast settlement, clawed back")
        AD_PREPAID = adjustments.AD_PREPAID, _("Advertising prepayment used")
        AD_REFUND = adjustments.AD_REFUND, _("Advertising prepayment refunded")

    MADE_BY_RULE = (  # nobody asks for these
        Reason.MONTHLY_FEE,
        Reason.REVENUE_SHARE,
        Reason.VAT_ROUNDING,
        Reason.FEE_CUT,
        Reason.FUNDING_OFFSET,
        Reason.FAST_ADVANCE,
        Reason.FAST_OFFSET,
        Reason.FAST_CLAWBACK,
        Reason.AD_PREPAID,
        Reason.AD_REFUND,
    )

    public_id = models.CharField(
        _("public id"), max_length=40, default=_adjustment_id, editable=False
    )
    seller = TenantKey(Seller, related_name="adjustments", verbose_name=_("seller"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.REQUESTED)
    amount = models.BigIntegerField(_("amount before VAT"))
    vat = models.BigIntegerField(
        _("VAT"),
        null=True,
        blank=True,
        help_text=_("Of lines of a month's end. Of all others it follows from the rate."),
    )
    tax_kind = models.CharField(_("VAT"), max_length=15, choices=TAX_KINDS)
    reason_code = models.CharField(_("kind of reason"), max_length=20, choices=Reason)
    reason = models.CharField(_("reason"), max_length=500)
    document = models.CharField(_("document"), max_length=200, blank=True)
    basis_on = models.DateField(_("basis date"))
    requested_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("requested by"),
    )
    requested_at = models.DateTimeField(_("requested at"))
    approved_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("approved by"),
    )
    monthly_fee = TenantKey(
        MonthlyFee, null=True, blank=True, related_name="+", verbose_name=_("monthly fee")
    )
    month = models.DateField(_("month"), null=True, blank=True)
    fast_settlement = TenantKey(
        FastSettlement,
        null=True,
        blank=True,
        related_name="adjustments",
        verbose_name=_("fast settlement"),
    )
    charge = TenantKey(
        "settlements.Adjustment",
        null=True,
        blank=True,
        related_name="follow_ups",
        verbose_name=_("advertising charge"),
        help_text=_("That it takes back, or that the prepayment pays."),
    )
    claim = TenantKey(
        Claim, null=True, blank=True, related_name="adjustments", verbose_name=_("claim")
    )
    statement = TenantKey(
        Statement, null=True, blank=True, related_name="adjustments", verbose_name=_("statement")
    )

    objects = scoped(AdjustmentQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        constraints = [
            *constraints.tenant(
                "adjustment",
                "seller",
                "monthly_fee",
                "fast_settlement",
                "charge",
                "claim",
                "statement",
            ),
            constraints.Frozen(name="adjustment_frozen_once_settled", value="settled"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="adjustment_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "month"],
                name="adjustment_is_one_per_seller_and_month",
                condition=Q(month__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["marketplace", "claim"],
                name="adjustment_for_a_carrier_is_one_per_claim",
                condition=Q(claim__isnull=False, reason_code="shipping"),
            ),
            models.UniqueConstraint(
                fields=["marketplace", "charge"],
                name="adjustment_takes_a_charge_back_once",
                condition=Q(reason_code="advertising") & ~Q(state="withdrawn"),
            ),
            models.CheckConstraint(
                name="adjustment_of_advertising_names_its_charge",
                condition=Q(reason_code="ad_prepaid", charge__isnull=False)
                | Q(reason_code="advertising", amount__lt=0, charge__isnull=True)
                | Q(reason_code="advertising", amount__gt=0, charge__isnull=False)
                | (~Q(reason_code__in=["advertising", "ad_prepaid"]) & Q(charge__isnull=True)),
            ),
            models.CheckConstraint(
                name="adjustment_is_of_an_amount",
                condition=(Q(vat__isnull=True) & ~Q(amount=0))
                | (
                    Q(reason_code__in=adjustments.WITH_VAT, vat__isnull=False) & ~Q(amount=0, vat=0)
                ),
            ),
            models.CheckConstraint(
                name="adjustment_of_a_month_names_its_rule",
                condition=Q(month__isnull=True, monthly_fee__isnull=True)
                | Q(month__isnull=False, monthly_fee__isnull=False),
            ),
            models.CheckConstraint(
                name="adjustment_is_approved_by_another",
                condition=Q(approved_by__isnull=True)
                | Q(requested_by__isnull=True)
                | ~Q(approved_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="adjustment_settled_stands_on_a_statement",
                condition=~Q(state="settled") | Q(statement__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "seller", "basis_on"],
                name="adjustment_to_settle",
                condition=Q(state="approved"),
            ),
            models.Index(fields=["marketplace", "statement"], name="adjustment_by_statement"),
            models.Index(
                fields=["marketplace", "fast_settlement"],
                name="adjustment_by_fast_settlement",
                condition=Q(fast_settlement__isnull=False),
            ),
            models.Index(
                fields=["marketplace", "charge"],
                name="adjustment_by_charge",
                condition=Q(charge__isnull=False),
            ),
            models.Index(
                fields=["marketplace", "claim"],
                name="adjustment_by_claim",
                condition=Q(claim__isnull=False),
            ),
            models.Index(fields=["marketplace", "seller", "-id"], name="adjustment_of_seller"),
        ]

    def __str__(self):
        return self.public_id

    @property
    def order_line_id(self):
        """What stands for it where a settlement line names its order line."""
        return -self.pk
