"""What is charged and when it is paid out, version by version. Read by fees and due_dates."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from listings.models import Category
from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, VersionedRule
from sellers.models import Seller
from settlements import debts, funding

ROUNDING = [
    ("floor", _("cut")),
    ("ceil", _("up")),
    ("half_up", _("half up")),
    ("half_even", _("half to even")),
]
LAG_KINDS = [("business", _("business days")), ("calendar", _("calendar days"))]
CYCLES = [
    ("daily", _("daily")),
    ("weekly", _("weekly")),
    ("monthly", _("monthly")),
    ("manual", _("listed days")),
]
HOLIDAYS = [
    ("previous", _("the business day before")),
    ("next", _("the business day after")),
    ("none", _("stays")),
]

DEBT_POLICIES = [
    (debts.CARRY_FORWARD, _("taken off the next statements")),
    (debts.DEDUCT_FROM_RESERVE, _("taken from the reserve first")),
    (debts.INVOICE_SELLER, _("invoiced to the seller")),
]


class FeeSchedule(TenantModel):
    """A named price list of the marketplace; what it says stands in its versions."""

    code = models.SlugField(_("code"), max_length=50, db_index=False)
    name = models.CharField(_("name"), max_length=100)
    notice_days = models.PositiveSmallIntegerField(
        _("days of notice"),
        default=0,
        help_text=_(
            "A version by which some sellers keep less is published at least so many days before "
            "it begins."
        ),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("fee schedule")
        verbose_name_plural = _("fee schedules")
        constraints = [
            *constraints.tenant("fee_schedule"),
            models.UniqueConstraint(
                fields=["marketplace", "code"], name="fee_schedule_code_is_unique"
            ),
        ]

    def __str__(self):
        return self.name


class FeeScheduleVersion(VersionedRule):
    """The fees in force from a day on. `components` is the order in which they are computed."""

    schedule = TenantKey(FeeSchedule, related_name="versions", verbose_name=_("schedule"))
    components = ArrayField(models.CharField(max_length=30), verbose_name=_("components"))
    vat_rate_ppm = models.PositiveIntegerField(_("VAT rate (ppm)"), default=100_000)

    class Meta(TenantModel.Meta):
        verbose_name = _("fee schedule version")
        verbose_name_plural = _("fee schedule versions")
        constraints = [
            *constraints.tenant("fee_schedule_version", "schedule"),
            constraints.Frozen(name="fee_schedule_version_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "schedule", "number"],
                name="fee_schedule_version_number_is_unique",
            ),
        ]


class FeeRule(TenantModel):
    """One rule of a fee schedule's version or of a seller's contract: conditions, and the charge.

    Those of a contract come first. The first rule of a component that matches by rank applies.
    Empty conditions match anything. Rates in ppm, amounts in minor units, date and price ranges
    half open.
    """

    version = TenantKey(
        FeeScheduleVersion,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("version"),
    )
    contract = TenantKey(
        "settlements.SellerContract",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("contract"),
    )
    rank = models.PositiveIntegerField(_("rank"))
    component = models.CharField(_("component"), max_length=30)
    stream = models.CharField(_("revenue stream"), max_length=30, blank=True)
    category = TenantKey(
        Category, null=True, blank=True, related_name="+", verbose_name=_("category")
    )
    listing_kind = models.CharField(_("kind of listing"), max_length=30, blank=True)
    channel = models.CharField(_("channel"), max_length=30, blank=True)
    seller_type = models.CharField(_("type of seller"), max_length=20, blank=True)
    seller = TenantKey(Seller, null=True, blank=True, related_name="+", verbose_name=_("seller"))
    grade = models.CharField(_("grade"), max_length=40, blank=True)
    date_from = models.DateField(_("from day"), null=True, blank=True)
    date_to = models.DateField(_("to day, exclusive"), null=True, blank=True)
    price_from = models.BigIntegerField(_("from unit price"), null=True, blank=True)
    price_to = models.BigIntegerField(_("to unit price, exclusive"), null=True, blank=True)
    base = models.CharField(_("base"), max_length=40)
    rate_ppm = models.PositiveIntegerField(_("rate (ppm)"), default=0)
    fixed_amount = models.BigIntegerField(_("fixed amount"), default=0)
    per_unit = models.BooleanField(_("fixed amount per unit"), default=False)
    min_amount = models.BigIntegerField(_("minimum"), null=True, blank=True)
    max_amount = models.BigIntegerField(_("maximum"), null=True, blank=True)
    mode = models.CharField(_("rounding"), max_length=10, choices=ROUNDING, default="floor")
    vat_kind = models.CharField(
        _("VAT"),
        max_length=10,
        choices=[
            ("exclusive", _("on top")),
            ("inclusive", _("included")),
            ("exempt", _("exempt")),
        ],
    )
    vat_mode = models.CharField(
        _("rounding of VAT"), max_length=10, choices=ROUNDING, default="half_up"
    )
    keep_on_refund = models.BooleanField(_("kept on refund"), default=False)
    bands = models.JSONField(_("tiers"), null=True, blank=True)
    band_kind = models.CharField(_("kind of tiers"), max_length=10, blank=True)
    band_basis = models.CharField(_("basis of tiers"), max_length=30, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("fee rule")
        verbose_name_plural = _("fee rules")
        constraints = [
            *constraints.tenant("fee_rule", "version", "contract", "category", "seller"),
            constraints.Frozen(
                name="fee_rule_frozen", parent=("version_id", "settlements_feescheduleversion")
            ),
            constraints.Frozen(
                name="fee_rule_of_contract_frozen",
                parent=("contract_id", "settlements_sellercontract"),
            ),
            models.UniqueConstraint(
                fields=["marketplace", "version", "component", "rank"],
                name="fee_rule_rank_is_unique",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "contract", "component", "rank"],
                name="fee_rule_rank_is_unique_in_a_contract",
                condition=Q(contract__isnull=False),
            ),
            models.CheckConstraint(
                name="fee_rule_is_of_a_version_or_of_a_contract",
                condition=Q(version__isnull=False, contract__isnull=True)
                | Q(version__isnull=True, contract__isnull=False),
                violation_error_message=_(
                    "A rule belongs either to a version of a fee schedule or to a contract."
                ),
            ),
            models.CheckConstraint(
                name="fee_rule_minimum_is_below_the_maximum",
                condition=Q(min_amount__isnull=True)
                | Q(max_amount__isnull=True)
                | Q(min_amount__lte=F("max_amount")),
            ),
            models.CheckConstraint(
                name="fee_rule_price_band_is_not_empty",
                condition=Q(price_from__isnull=True)
                | Q(price_to__isnull=True)
                | Q(price_from__lt=F("price_to")),
            ),
        ]

    def __str__(self):
        return f"{self.component} #{self.rank}"


class SettlementTerms(VersionedRule):
    """When lines fall due and what of a statement is kept back. Applies by the rate date."""

    lag_days = models.PositiveSmallIntegerField(_("lag in days"))
    lag_kind = models.CharField(_("kind of lag"), max_length=10, choices=LAG_KINDS)
    cycle = models.CharField(_("cycle"), max_length=10, choices=CYCLES)
    cycle_arg = models.JSONField(
        _("days of the cycle"),
        null=True,
        blank=True,
        help_text=_("Weekday (0 = Monday), day of the month, or a list of dates."),
    )
    holiday = models.CharField(_("on a closed day"), max_length=10, choices=HOLIDAYS)
    minimum_payout = models.BigIntegerField(_("minimum payout"), default=0)
    reserve_ppm = models.PositiveIntegerField(_("reserve (ppm)"), default=0)
    reserve_days = models.PositiveSmallIntegerField(
        _("reserve kept for days"),
        default=debts.RESERVE_DAYS,
        help_text=_("Calendar days after the due date, after which a reserve is given back."),
    )
    debt_policy = models.CharField(
        _("debts of sellers"), max_length=20, choices=DEBT_POLICIES, default=debts.CARRY_FORWARD
    )
    funding_as = models.CharField(
        _("discounts that the marketplace funds"),
        max_length=10,
        choices=[
            (funding.PAYMENT, _("paid to the seller")),
            (funding.FEE_CUT, _("taken off the fees")),
        ],
        default=funding.PAYMENT,
        db_default=funding.PAYMENT,
        help_text=_(
            "The seller gets the same. Paid, they are part of its sales, and fees stay whole; "
            "taken off, fees, their VAT and the tax invoice are less. The last day of a month "
            "decides for it."
        ),
    )
    fast_ppm = models.PositiveIntegerField(
        _("paid ahead on shipment"),
        default=0,
        db_default=0,
        help_text=_("Of the expected net, to sellers of the grades named; due on the next day."),
    )
    fast_grades = ArrayField(
        models.CharField(max_length=40),
        default=list,
        db_default=[],
        blank=True,
        verbose_name=_("grades that are paid ahead"),
        help_text=_("Their codes, by commas. Contracts may say otherwise."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("settlement terms")
        verbose_name_plural = _("settlement terms")
        constraints = [
            *constraints.tenant("settlement_terms"),
            constraints.Frozen(name="settlement_terms_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="settlement_terms_number_is_unique"
            ),
            models.CheckConstraint(
                name="settlement_terms_reserve_is_below_all", condition=Q(reserve_ppm__lt=1_000_000)
            ),
            models.CheckConstraint(
                name="settlement_terms_pay_no_more_ahead_than_the_net",
                condition=Q(fast_ppm__lte=1_000_000),
            ),
        ]
