"""Tax invoices for the fees of a month. Written by settlements.invoicing."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import LegalIdentity, TenantKey, TenantModel, scoped
from marketplace.sealing import SealedField
from sellers.models import Seller
from settlements import tax_invoices


def _invoice_id():
    return identifiers.public_id("tax")


class TaxInvoiceQuerySet(models.QuerySet):
    def issued(self):
        """All but drafts: those that a seller can have."""
        return self.exclude(state=TaxInvoice.State.DRAFT)

    def to_send(self):
        """Those that are still to be issued, or to be handed to the tax office."""
        return self.filter(state__in=TaxInvoice.UNSENT)

    def late(self, on):
        """Those that should have been issued, or handed over, by the end of a day."""
        return self.filter(
            Q(state__in=(TaxInvoice.State.DRAFT, TaxInvoice.State.FAILED), deadline_on__lte=on)
            | Q(state=TaxInvoice.State.ISSUED, transmit_by__lte=on)
        )


class TaxInvoice(TenantModel):
    """What a seller was charged for one month, as the tax office is told of it. Minor units.

    `supply` is without VAT. A correction of what an earlier month charged belongs to the month of
    the reversal and names the month and the invoice that it corrects. Drafts are drawn up anew
    while lines come in; what has been issued is never changed. The receiver is kept sealed as
    they were when it was issued.
    """

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("tax invoice", "Draft")
        ISSUED = "issued", pgettext_lazy("tax invoice", "Issued")
        TRANSMITTED = "transmitted", pgettext_lazy("tax invoice", "Transmitted")
        ACCEPTED = "accepted", pgettext_lazy("tax invoice", "Accepted")
        FAILED = "failed", pgettext_lazy("tax invoice", "Transmission failed")

    MOVES = {  # every legal change of state; anything else is refused
        State.DRAFT: {State.ISSUED},
        State.ISSUED: {State.TRANSMITTED},
        State.TRANSMITTED: {State.ACCEPTED, State.FAILED},
        State.FAILED: {State.TRANSMITTED},
        State.ACCEPTED: set(),
    }
    UNSENT = (State.DRAFT.value, State.ISSUED.value, State.FAILED.value)

    class Kind(models.TextChoices):
        TAXABLE = tax_invoices.TAXABLE, _("Tax invoice")
        EXEMPT = tax_invoices.EXEMPT, _("Invoice for exempt supplies")

    class Leg(models.TextChoices):
        INVOICE = tax_invoices.INVOICE, _("Of the month")
        CHANGE = tax_invoices.CHANGE, _("Change of an earlier one")
        TAKEN_BACK = tax_invoices.TAKEN_BACK, _("Takes a wrong one back")
        ANEW = tax_invoices.ANEW, _("In place of a wrong one")

    class Reason(models.TextChoices):
        NONE = "", _("none")
        MISTAKE = tax_invoices.MISTAKE, _("01 particulars were wrong")
        AMOUNT = tax_invoices.AMOUNT_CHANGED, _("02 amount has changed")

    public_id = models.CharField(_("public id"), max_length=40, default=_invoice_id, editable=False)
    number = models.CharField(_("management number"), max_length=24)
    seller = TenantKey(Seller, related_name="tax_invoices", verbose_name=_("seller"))
    month = models.DateField(_("month"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    leg = models.CharField(_("role"), max_length=10, choices=Leg)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.DRAFT)
    original_month = models.DateField(_("month that was charged"))
    reason_code = models.CharField(
        _("reason of correction"), max_length=2, choices=Reason, blank=True, default=""
    )
    original = TenantKey(
        "self", null=True, blank=True, related_name="corrections", verbose_name=_("corrects")
    )
    original_number = models.CharField(
        _("approval number of the original"), max_length=24, blank=True
    )
    components = models.JSONField(
        _("by component"), default=dict, help_text=_("Component: [supply, VAT].")
    )
    supply = models.BigIntegerField(_("supply"))
    vat = models.BigIntegerField(_("VAT"))
    written_on = models.DateField(_("date of supply"))
    deadline_on = models.DateField(_("to be issued by"))
    issuer = TenantKey(
        LegalIdentity, null=True, blank=True, related_name="+", verbose_name=_("issuer")
    )
    receiver = SealedField(_("receiver"), null=True)
    issued_at = models.DateTimeField(_("issued at"), null=True, blank=True)
    transmit_by = models.DateField(_("to be transmitted by"), null=True, blank=True)
    transmitted_at = models.DateTimeField(_("transmitted at"), null=True, blank=True)
    approval_number = models.CharField(
        _("national approval number"), max_length=24, null=True, blank=True
    )
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    failure = models.CharField(_("why it failed"), max_length=300, blank=True)

    objects = scoped(TaxInvoiceQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("tax invoice")
        verbose_name_plural = _("tax invoices")
        constraints = [
            *constraints.tenant("tax_invoice", "seller", "original", "issuer"),
            constraints.Fixed(
                name="tax_invoice_fixed_once_issued",
                fields=[
                    "number",
                    "seller",
                    "month",
                    "kind",
                    "leg",
                    "original_month",
                    "original",
                    "original_number",
                    "reason_code",
                    "components",
                    "supply",
                    "vat",
                    "written_on",
                    "issuer",
                    "issued_at",
                ],
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="tax_invoice_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="tax_invoice_number_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "approval_number"],
                name="tax_invoice_approval_number_is_unique",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "month", "kind", "original_month", "leg"],
                condition=Q(state="draft"),
                name="tax_invoice_draft_is_one_of_its_role",
            ),
            models.CheckConstraint(
                name="tax_invoice_of_exempt_supplies_bears_no_vat",
                condition=Q(kind="taxable") | Q(vat=0),
            ),
            models.CheckConstraint(
                name="tax_invoice_that_corrects_says_why",
                condition=Q(leg="invoice", reason_code="", original__isnull=True)
                | (~Q(leg="invoice") & ~Q(reason_code="")),
            ),
            models.CheckConstraint(
                name="tax_invoice_corrects_no_later_month",
                condition=Q(original_month__lte=F("month")),
            ),
            models.CheckConstraint(
                name="tax_invoice_issued_names_both_parties",
                condition=Q(state="draft", issued_at__isnull=True)
                | (
                    ~Q(state="draft")
                    & Q(
                        issued_at__isnull=False,
                        transmit_by__isnull=False,
                        issuer__isnull=False,
                        receiver__isnull=False,
                    )
                ),
            ),
            models.CheckConstraint(
                name="tax_invoice_accepted_has_its_approval_number",
                condition=~Q(state="accepted")
                | Q(approval_number__isnull=False, accepted_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "month", "number"], name="tax_invoice_by_month"),
            models.Index(
                fields=["marketplace", "seller", "-month", "-id"], name="tax_invoice_of_seller"
            ),
            models.Index(
                fields=["marketplace", "deadline_on"],
                name="tax_invoice_to_send",
                condition=Q(state__in=["draft", "issued", "failed"]),
            ),
        ]

    def __str__(self):
        return self.number

    @property
    def total(self) -> int:
        """Supply and VAT together."""
        return self.supply + self.vat

    @property
    def is_correction(self) -> bool:
        return bool(self.reason_code)
