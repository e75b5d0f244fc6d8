"""What was agreed with one seller: fees, payment dates, reserve. Read by settlements.contracts."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, VersionedRule
from sellers.models import Seller
from settlements import vat, withholding
from settlements.models.adjustments import TAX_KINDS
from settlements.models.rates import CYCLES, HOLIDAYS, LAG_KINDS, FeeSchedule


class SellerContract(VersionedRule):
    """A version of a seller's contract. What it leaves empty is as for every other seller.

    Its own fee rules (FeeRule.contract) come before those of the fee schedule. It applies by the
    rate date of a line; minimum payout and reserve by the due date of a statement.
    """

    class Issuer(models.TextChoices):
        SELLER = "seller", _("Seller")
        PLATFORM = "platform", _("Marketplace")

    seller = TenantKey(Seller, related_name="contracts", verbose_name=_("seller"))
    reference = models.CharField(
        _("signed document"), max_length=100, blank=True, help_text=_("Its number or place.")
    )
    schedule = TenantKey(
        FeeSchedule, null=True, blank=True, related_name="+", verbose_name=_("fee schedule")
    )
    lag_days = models.PositiveSmallIntegerField(_("lag in days"), null=True, blank=True)
    lag_kind = models.CharField(_("kind of lag"), max_length=10, choices=LAG_KINDS, blank=True)
    cycle = models.CharField(_("cycle"), max_length=10, choices=CYCLES, blank=True)
    cycle_arg = models.JSONField(
        _("days of the cycle"),
        null=True,
        blank=True,
        help_text=_("Weekday (0 = Monday), day of the month, or a list of dates."),
    )
    holiday = models.CharField(_("on a closed day"), max_length=10, choices=HOLIDAYS, blank=True)
    minimum_payout = models.BigIntegerField(_("minimum payout"), null=True, blank=True)
    reserve_ppm = models.PositiveIntegerField(_("reserve (ppm)"), null=True, blank=True)
    fast_ppm = models.PositiveIntegerField(
        _("paid ahead on shipment"),
        null=True,
        blank=True,
        help_text=_("Of the expected net. Empty: as the grade allows. 0: never."),
    )
    income_kind = models.CharField(
        _("kind of income"),
        max_length=10,
        choices=[
            (withholding.GOODS, _("goods")),
            (withholding.SERVICE, _("personal services (tax is withheld)")),
        ],
        default=withholding.GOODS,
    )

    supply_tax = models.CharField(
        _("VAT on what the seller supplies"),
        max_length=15,
        choices=TAX_KINDS,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Shares and commissions. Empty: by the seller's type; a person without a registration "
            "adds none."
        ),
    )
    vat_level = models.CharField(
        _("VAT on fees is computed"),
        max_length=10,
        choices=[
            (vat.BY_LINE, _("line by line")),
            (vat.BY_INVOICE, _("once for the month's invoice")),
        ],
        default=vat.BY_LINE,
        db_default=vat.BY_LINE,
        help_text=_(
            "Once for the invoice: what that differs from the sum of the lines is charged or given "
            "at the month's end, as a line of its own."
        ),
    )

    sale_issuer = models.CharField(
        _("sales are issued by"),
        max_length=10,
        choices=Issuer,
        default=Issuer.SELLER,
        db_default=Issuer.SELLER,
        help_text=_(
            "Who gives buyers the receipt or tax document, and so owes the VAT of the sale. The "
            "marketplace: that VAT is taken off what the seller is owed."
        ),
    )

    monthly_fee = models.BigIntegerField(
        _("monthly fee without VAT"),
        null=True,
        blank=True,
        help_text=_("Empty: as for everybody. 0: none."),
    )
    monthly_fee_from = models.BigIntegerField(
        _("monthly fee from sales of"),
        null=True,
        blank=True,
        help_text=_("Of a month, less what was returned. Empty: as for everybody."),
    )
    monthly_fee_waived_until = models.DateField(
        _("monthly fee waived until"),
        null=True,
        blank=True,
        help_text=_("Months that end by this day are free; later ones are charged by themselves."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("seller's contract")
        verbose_name_plural = _("sellers' contracts")
        constraints = [
            *constraints.tenant("seller_contract", "seller", "schedule"),
            constraints.Frozen(name="seller_contract_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "number"],
                name="seller_contract_number_is_unique",
            ),
            models.CheckConstraint(
                name="seller_contract_reserve_is_below_all",
                condition=Q(reserve_ppm__isnull=True) | Q(reserve_ppm__lt=1_000_000),
            ),
            models.CheckConstraint(
                name="seller_contract_pays_no_more_ahead_than_the_net",
                condition=Q(fast_ppm__isnull=True) | Q(fast_ppm__lte=1_000_000),
            ),
            models.CheckConstraint(
                name="seller_contract_minimum_is_not_below_zero",
                condition=Q(minimum_payout__isnull=True) | Q(minimum_payout__gte=0),
            ),
            models.CheckConstraint(
                name="seller_contract_monthly_fee_is_not_below_zero",
                condition=(Q(monthly_fee__isnull=True) | Q(monthly_fee__gte=0))
                & (Q(monthly_fee_from__isnull=True) | Q(monthly_fee_from__gte=0)),
                violation_error_message=_("Write amounts of 0 or more."),
            ),
            models.CheckConstraint(
                name="seller_contract_names_all_of_its_payment_dates_or_none",
                condition=Q(
                    lag_days__isnull=True, lag_kind="", cycle="", cycle_arg__isnull=True, holiday=""
                )
                | (Q(lag_days__isnull=False) & ~Q(lag_kind="") & ~Q(cycle="") & ~Q(holiday="")),
                violation_error_message=_(
                    "Name the lag, its kind, the cycle and what a closed day does, or leave all of "
                    "them empty."
                ),
            ),
        ]
