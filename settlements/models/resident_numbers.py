"""Resident registration numbers of sellers who are persons, sealed.

Written by settlements.resident_numbers alone, read by settlements.resident_filing.
"""

from django.db import models
from django.db.models import Max, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from marketplace.sealing import BlindIndexField, SealedField
from sellers.models import Seller
from settlements.models.payouts import Payout, PayoutItem
from settlements.models.statements import Statement
from settlements.models.tax import TaxInvoice


def _number_id():
    return identifiers.public_id("rrn")


class ResidentNumberQuerySet(models.QuerySet):
    def with_last_income(self):
        """Beside each number the last days on which something came about that it is needed for.

        `withheld_on`: a statement closed that tax is withheld from; `paid_at`: the money of one
        was paid, which is what is reported; `invoiced_on`: the date of an issued tax invoice to
        somebody who sells as a person.
        """
        withheld = Statement.objects.withheld().filter(seller=OuterRef("seller"))
        paid = PayoutItem.objects.filter(
            payout__seller=OuterRef("seller"),
            payout__state__in=Payout.ARRIVED,
            statement__in=Statement.objects.withheld(),
        )
        invoices = TaxInvoice.objects.issued().filter(
            seller=OuterRef("seller"), seller__seller_type=Seller.Type.INDIVIDUAL
        )
        return self.annotate(
            withheld_on=_latest(withheld, "closed_on", of="seller"),
            paid_at=_latest(paid, "payout__ended_at", of="payout__seller"),
            invoiced_on=_latest(invoices, "written_on", of="seller"),
        )


def _latest(rows, day: str, *, of: str) -> Subquery:
    return Subquery(rows.order_by().values(of).annotate(latest=Max(day)).values("latest"))


class ResidentNumber(TenantModel):
    """The one number that is kept of a seller, and what it was asked for.

    The law allows it only for what it names, so each row says by which law it was asked for and
    what it was last taken out for. A new number takes the place of the old one, of which nothing
    stays. The blind index tells who entered the same number twice.
    """

    class Purpose(models.TextChoices):
        WITHHOLDING = "withholding", _("Report of withheld tax")
        TAX_INVOICE = "tax_invoice", _("Tax invoice to a person")

    class Law(models.TextChoices):
        INCOME_TAX = "kr_income_tax_164", _("Income Tax Act, articles 164 and 164-3")
        INVOICES = (
            "kr_vat_32",
            _("Value-Added Tax Act, article 32, and Income Tax Act, article 163 (invoices)"),
        )

    public_id = models.CharField(_("public id"), max_length=40, default=_number_id, editable=False)
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    number = SealedField(_("resident registration number"), index="number_index")
    number_index = BlindIndexField(_("blind index"), editable=False)
    has_odd_check_digit = models.BooleanField(_("odd check digit"), default=False)
    purpose = models.CharField(_("asked for"), max_length=20, choices=Purpose)
    legal_basis = models.CharField(_("legal basis"), max_length=30, choices=Law)
    entered_at = models.DateTimeField(_("entered at"))
    entered_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("entered by"),
    )
    last_used_for = models.CharField(_("last used for"), max_length=20, choices=Purpose, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    objects = scoped(ResidentNumberQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("resident registration number")
        verbose_name_plural = _("resident registration numbers")
        permissions = [("file_residentnumber", _("Can take out resident registration numbers"))]
        constraints = [
            *constraints.tenant("resident_number", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="resident_number_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="resident_number_is_one_per_seller"
            ),
            models.CheckConstraint(
                name="resident_number_is_asked_for_by_the_law_of_its_purpose",
                condition=Q(purpose="withholding", legal_basis="kr_income_tax_164")
                | Q(purpose="tax_invoice", legal_basis="kr_vat_32"),
            ),
            models.CheckConstraint(
                name="resident_number_used_says_what_for",
                condition=Q(last_used_for="", last_used_at=None)
                | (~Q(last_used_for="") & Q(last_used_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "number_index"], name="resident_number_doubles")
        ]

    def __str__(self):
        return self.public_id
