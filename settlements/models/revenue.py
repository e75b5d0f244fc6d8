"""What streams of revenue brought that are counted by day: as somebody reports it, or by orders."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from listings import kind_words
from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from orders.models import OrderLine
from sellers.models import Seller
from settlements.models.adjustments import TAX_KINDS, Adjustment
from settlements.models.statements import LineTerms


def _report_id():
    return identifiers.public_id("rev")


class RevenueReportQuerySet(models.QuerySet):
    def to_settle(self, on):
        """Final, and due to be settled by the night of a day."""
        return self.filter(state=RevenueReport.State.FINAL, basis_on__lte=on)

    def provisional_since(self, on):
        """Of days before `on`, and still not final."""
        return self.filter(state=RevenueReport.State.PROVISIONAL, on__lt=on)


class RevenueReport(TenantModel):
    """What a stream brought a seller (or one of its mini-apps) on a day, as last reported.

    `amount` is in minor units. `settled_amount` is what the partner's share was last settled of;
    a later version brings the difference. `terms` are those of the first settlement for ever.
    One that comes from orders is the sum of its `lines`, and has no mini-app; nobody reports it.
    """

    class Source(models.TextChoices):
        REPORTED = "reported", pgettext_lazy("revenue report", "Reported")
        ORDERS = "orders", _("From orders")

    class State(models.TextChoices):
        PROVISIONAL = "provisional", _("Provisional")
        FINAL = "final", pgettext_lazy("revenue report", "Final")
        SETTLED = "settled", pgettext_lazy("revenue report", "Settled")

    MOVES = {  # every legal change of state; anything else is refused
        State.PROVISIONAL: {State.FINAL},
        State.FINAL: {State.SETTLED},
        State.SETTLED: {State.FINAL},  # restated
    }

    public_id = models.CharField(_("public id"), max_length=40, default=_report_id, editable=False)
    seller = TenantKey(Seller, related_name="revenue_reports", verbose_name=_("seller"))
    stream = models.CharField(_("revenue stream"), max_length=30)
    app = models.CharField(_("mini-app"), max_length=100, blank=True)
    on = models.DateField(_("reported day"))
    source = models.CharField(
        _("source"),
        max_length=8,
        choices=Source,
        default=Source.REPORTED,
        db_default=Source.REPORTED,
        editable=False,
    )
    version = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=11, choices=State, default=State.PROVISIONAL)
    amount = models.BigIntegerField(_("reported amount"))
    reported_at = models.DateTimeField(_("reported at"))
    basis_on = models.DateField(
        _("basis date"), null=True, blank=True, help_text=_("Of what is still to be settled.")
    )
    terms = TenantKey(LineTerms, null=True, blank=True, related_name="+", verbose_name=_("terms"))
    tax_kind = models.CharField(_("VAT"), max_length=15, choices=TAX_KINDS, blank=True)
    settled_amount = models.BigIntegerField(_("settled amount"), default=0)
    share = models.BigIntegerField(_("settled share"), default=0)

    objects = scoped(RevenueReportQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("revenue report")
        verbose_name_plural = _("revenue reports")
        constraints = [
            *constraints.tenant("revenue_report", "seller", "terms"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="revenue_report_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "stream", "app", "on", "source"],
                name="revenue_report_is_one_per_stream_app_day_and_source",
            ),
            models.CheckConstraint(
                name="revenue_report_from_orders_is_of_no_app",
                condition=~Q(source="orders") | Q(app=""),
            ),
            models.CheckConstraint(
                name="revenue_report_is_not_below_zero",
                condition=Q(amount__gte=0, settled_amount__gte=0, version__gte=1),
            ),
            models.CheckConstraint(
                name="revenue_report_final_has_its_basis_date",
                condition=Q(state="provisional", basis_on__isnull=True)
                | (~Q(state="provisional") & Q(basis_on__isnull=False)),
            ),
            models.CheckConstraint(
                name="revenue_report_settled_goes_by_terms",
                condition=(~Q(state="settled") | Q(terms__isnull=False))
                & (Q(terms__isnull=True, tax_kind="") | (Q(terms__isnull=False) & ~Q(tax_kind=""))),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "seller", "basis_on"],
                name="revenue_report_to_settle",
                condition=Q(state="final"),
            ),
            models.Index(
                fields=["marketplace", "on"],
                name="revenue_report_provisional",
                condition=Q(state="provisional"),
            ),
            models.Index(fields=["marketplace", "seller", "-on"], name="revenue_report_of_seller"),
            models.Index(fields=["marketplace", "-on"], name="revenue_report_newest"),
        ]

    def __str__(self):
        return self.public_id

    @property
    def stream_name(self):
        """What the stream is called in the language in use."""
        return kind_words.name(self.stream)

    @property
    def is_from_orders(self):
        return self.source == self.Source.ORDERS


class RevenueVersion(TenantModel):
    """A report as it was sent. Amounts in minor units."""

    class Source(models.TextChoices):
        API = "api", _("API")
        FILE = "file", _("file")
        ORDERS = "orders", _("orders")

    report = TenantKey(RevenueReport, related_name="versions", verbose_name=_("revenue report"))
    number = models.PositiveIntegerField(_("version"))
    amount = models.BigIntegerField(_("reported amount"))
    is_final = models.BooleanField(_("final"))
    reported_at = models.DateTimeField(_("reported at"))
    source = models.CharField(_("source"), max_length=6, choices=Source)

    class Meta(TenantModel.Meta):
        verbose_name = _("version of a revenue report")
        verbose_name_plural = _("versions of revenue reports")
        constraints = [
            *constraints.tenant("revenue_version", "report", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "report", "number"], name="revenue_version_is_one"
            ),
        ]

    def __str__(self):
        return f"{self.report_id} {self.number}"


class RevenueShare(TenantModel):
    """What one night settled of a report: the share of `amount` less that of `amount_before`.

    It is the adjustment's amount before VAT; without an adjustment the share did not change.
    """

    report = TenantKey(RevenueReport, related_name="shares", verbose_name=_("revenue report"))
    version = models.PositiveIntegerField(_("version"))
    amount_before = models.BigIntegerField(_("settled before"))
    amount = models.BigIntegerField(_("reported amount"))
    share = models.BigIntegerField(_("difference of the share"))
    basis_on = models.DateField(_("basis date"))
    adjustment = TenantKey(
        Adjustment, null=True, blank=True, related_name="+", verbose_name=_("adjustment")
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("share of a revenue report")
        verbose_name_plural = _("shares of revenue reports")
        constraints = [
            *constraints.tenant(
                "revenue_share", "report", "adjustment", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "report", "version"], name="revenue_share_is_one_per_version"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "adjustment"], name="revenue_share_is_one_per_adjustment"
            ),
            models.CheckConstraint(
                name="revenue_share_has_its_adjustment",
                condition=Q(share=0, adjustment__isnull=True)
                | (~Q(share=0) & Q(adjustment__isnull=False)),
            ),
        ]

    def __str__(self):
        return f"{self.report_id} {self.version}"


class RevenueLine(TenantModel):
    """What an outcome of an order line adds to a report that comes from orders.

    `amount` is in minor units, after the seller's own discount, and below zero where something is
    taken back. `sequence` and `basis_on` are the outcome's; `version` is that of the report which
    counts it first.
    """

    report = TenantKey(RevenueReport, related_name="lines", verbose_name=_("revenue report"))
    version = models.PositiveIntegerField(_("version"))
    order_line = TenantKey(OrderLine, related_name="+", verbose_name=_("line"))
    sequence = models.PositiveIntegerField(_("sequence"))
    basis_on = models.DateField(_("basis date"))
    amount = models.BigIntegerField(_("amount"))

    class Meta(TenantModel.Meta):
        verbose_name = _("order behind a revenue report")
        verbose_name_plural = _("orders behind revenue reports")
        constraints = [
            *constraints.tenant(
                "revenue_line", "report", "order_line", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "order_line", "sequence"],
                name="revenue_line_counts_an_outcome_once",
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "report", "-id"], name="revenue_line_of_report")
        ]

    def __str__(self):
        return f"{self.report_id} {self.order_line_id}#{self.sequence}"

    @property
    def is_reversal(self):
        return self.sequence > 0
