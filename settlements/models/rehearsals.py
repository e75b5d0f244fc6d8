"""What fees would have come to: a version of a schedule replayed over lines that were settled."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from listings.models import Category
from marketplace import constraints
from marketplace.models import JobRun, TenantKey, TenantModel, scoped
from sellers.models import Seller
from settlements.models.rates import FeeScheduleVersion


class FeeRehearsal(TenantModel):
    """One replay of a version over the lines of a period of basis dates, both days included.

    `fingerprint` is what the version said when it was asked for; the sums are written when its
    job ends. Amounts in minor units.
    """

    version = TenantKey(FeeScheduleVersion, related_name="rehearsals", verbose_name=_("version"))
    job = TenantKey(JobRun, related_name="+", verbose_name=_("job"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    first_on = models.DateField(_("from"))
    last_on = models.DateField(_("up to"))
    lines = models.PositiveBigIntegerField(_("lines"), default=0)
    differing = models.PositiveBigIntegerField(
        _("lines that differ from what was booked"), default=0
    )
    better_off = models.PositiveIntegerField(_("sellers who keep more"), default=0)
    worse_off = models.PositiveIntegerField(_("sellers who keep less"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("fee rehearsal")
        verbose_name_plural = _("fee rehearsals")
        constraints = [
            *constraints.tenant("fee_rehearsal", "version", "job", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "job"], name="fee_rehearsal_is_one_per_job"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "version", "-id"], name="fee_rehearsal_of_version")
        ]

    def __str__(self):
        return f"{self.first_on} – {self.last_on}"


class FeeRehearsalRowQuerySet(models.QuerySet):
    def of(self, subject):
        return self.filter(subject=subject)


class FeeRehearsalRow(TenantModel):
    """What one seller, category or component comes to, as booked and by the replayed version.

    `net` is what sellers keep of `sales` (the price less their own discounts); of a component it
    is what the component takes from them, below zero. `gain` is the difference of the two.
    """

    class Subject(models.TextChoices):
        SELLER = "seller", _("Seller")
        CATEGORY = "category", _("Category")
        COMPONENT = "component", _("Component")

    rehearsal = TenantKey(
        FeeRehearsal, models.CASCADE, related_name="rows", verbose_name=_("rehearsal")
    )
    subject = models.CharField(_("subject"), max_length=10, choices=Subject)
    seller = TenantKey(Seller, null=True, related_name="+", verbose_name=_("seller"))
    category = TenantKey(Category, null=True, related_name="+", verbose_name=_("category"))
    component = models.CharField(_("component"), max_length=30, blank=True)
    lines = models.PositiveBigIntegerField(_("lines"))
    sales = models.BigIntegerField(_("sales"))
    fee_before = models.BigIntegerField(_("fees as booked"))
    vat_before = models.BigIntegerField(_("VAT as booked"))
    net_before = models.BigIntegerField(_("net as booked"))
    fee_after = models.BigIntegerField(_("fees by this version"))
    vat_after = models.BigIntegerField(_("VAT by this version"))
    net_after = models.BigIntegerField(_("net by this version"))
    gain = models.BigIntegerField(_("gain"))

    objects = scoped(FeeRehearsalRowQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("row of a fee rehearsal")
        verbose_name_plural = _("rows of fee rehearsals")
        constraints = [
            *constraints.tenant(
                "fee_rehearsal_row",
                "rehearsal",
                "seller",
                "category",
                grants="SELECT, INSERT, UPDATE",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "rehearsal", "subject", "seller", "category", "component"],
                name="fee_rehearsal_row_is_one_per_subject",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="fee_rehearsal_row_names_its_subject",
                condition=Q(subject="seller", seller__isnull=False, category__isnull=True)
                | Q(subject="category", seller__isnull=True)
                | Q(subject="component", seller__isnull=True, category__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "rehearsal", "subject", "gain"],
                name="fee_rehearsal_row_by_gain",
            )
        ]

    def __str__(self):
        return f"{self.subject} {self.seller_id or self.category_id or self.component}"
