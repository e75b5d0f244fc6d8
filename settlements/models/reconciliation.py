"""What payment providers say they collected, where that differs from orders, which of their files
do not come, and where the ledger differs from statements.

Written by settlements.reconciling, settlements.missing_files and settlements.ledger_matching only.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from settlements.models.statements import Statement
from settlements.models.taken_files import TakenFile


def _file_id():
    return identifiers.public_id("psf")


def _discrepancy_id():
    return identifiers.public_id("dsc")


class ProviderFile(TakenFile):
    """A settlement file of a payment provider, taken in once."""

    public_id = models.CharField(_("public id"), max_length=40, default=_file_id, editable=False)
    provider = models.CharField(_("provider"), max_length=40)
    first_sold_on = models.DateField(_("first day of sales"))
    last_sold_on = models.DateField(_("last day of sales"))

    class Meta(TenantModel.Meta):
        verbose_name = _("provider's settlement file")
        verbose_name_plural = _("providers' settlement files")
        constraints = [
            *constraints.tenant("provider_file", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "digest"], name="provider_file_is_taken_once"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="provider_file_public_id_is_unique"
            ),
        ]

    def __str__(self):
        return f"{self.provider} {self.name}"


class ProviderRow(TenantModel):
    """One row of a settlement file: a payment, or money given back, which is below zero.

    `occurrence` tells rows apart that say exactly the same within one file.
    """

    class Kind(models.TextChoices):
        PAYMENT = "payment", pgettext_lazy("provider", "Payment")
        REFUND = "refund", pgettext_lazy("provider", "Refund")

    file = TenantKey(ProviderFile, related_name="+", verbose_name=_("file"))
    number = models.PositiveIntegerField(_("row"))
    provider = models.CharField(_("provider"), max_length=40)
    provider_id = models.CharField(_("provider's id"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    sold_on = models.DateField(_("sold on"))
    paid_out_on = models.DateField(_("paid out on"))
    gross = models.BigIntegerField(_("gross"))
    fee = models.BigIntegerField(_("provider's fee"))
    fee_vat = models.BigIntegerField(_("VAT on the provider's fee"))
    deposit = models.BigIntegerField(_("deposit"))
    occurrence = models.PositiveSmallIntegerField(_("occurrence"), default=1)

    class Meta(TenantModel.Meta):
        verbose_name = _("row of a provider")
        verbose_name_plural = _("rows of providers")
        constraints = [
            *constraints.tenant("provider_row", "file", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=[
                    "marketplace",
                    "provider_id",
                    "kind",
                    "paid_out_on",
                    "gross",
                    "fee",
                    "occurrence",
                    "provider",
                ],
                name="provider_row_counts_once",
            ),
            models.CheckConstraint(
                name="provider_row_adds_up",
                condition=Q(deposit=F("gross") - F("fee") - F("fee_vat")),
            ),
            models.CheckConstraint(
                name="provider_row_has_its_sign",
                condition=Q(kind="payment", gross__gte=0) | Q(kind="refund", gross__lte=0),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "paid_out_on"], name="provider_row_by_day"),
        ]

    def __str__(self):
        return f"{self.provider_id} {self.gross}"


class Worked(TenantModel):
    """Something that is found, and open until somebody has explained it or a night sees it gone."""

    found_on = models.DateField(_("found on"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("closed by"),
    )

    class Meta(TenantModel.Meta):
        abstract = True


class DiscrepancyQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=Discrepancy.State.OPEN)


class Discrepancy(Worked):
    """What a provider says of one payment is not what the orders say. Worked by people.

    `expected` is the orders' amount, `found` the provider's, both signed like the rows; what the
    provider moved and nobody can explain stands on the suspense account (`suspended`, as a credit)
    until it is explained.
    """

    class Kind(models.TextChoices):
        AMOUNT = "amount", _("Amounts differ")
        MISSING_HERE = "missing_here", _("No payment here")
        MISSING_THERE = "missing_there", _("Not with the provider")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("discrepancy", "To be explained")
        RESOLVED = "resolved", pgettext_lazy("discrepancy", "Explained")
        BOOKED = "booked", _("Booked by two people")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.RESOLVED, State.BOOKED},
        State.RESOLVED: set(),
        State.BOOKED: set(),
    }

    public_id = models.CharField(
        _("public id"), max_length=40, default=_discrepancy_id, editable=False
    )
    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    side = models.CharField(_("payment or refund"), max_length=10, choices=ProviderRow.Kind)
    provider_id = models.CharField(_("provider's id"), max_length=100)
    expected = models.BigIntegerField(_("of orders"))
    found = models.BigIntegerField(_("of the provider"))
    difference = models.BigIntegerField(_("difference"))
    suspended = models.BigIntegerField(_("on suspense"), default=0)
    moves = models.PositiveIntegerField(_("journals"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    account = models.CharField(_("booked on"), max_length=60, blank=True)

    objects = scoped(DiscrepancyQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("reconciliation discrepancy")
        verbose_name_plural = _("reconciliation discrepancies")
        constraints = [
            *constraints.tenant("discrepancy", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="discrepancy_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "provider_id", "side"],
                name="discrepancy_is_open_once",
                condition=Q(state="open"),
            ),
            models.CheckConstraint(
                name="discrepancy_is_the_difference",
                condition=Q(difference=F("found") - F("expected")),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-found_on"], name="discrepancy_newest_first"),
        ]

    def __str__(self):
        return f"{self.provider_id} {self.difference}"


class MissingFileQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=MissingFile.State.OPEN)


class MissingFile(Worked):
    """A day of sales that no settlement file of a payment provider covers in time.

    `provider` is empty where no file of any provider has ever come. Worked by people; one whose
    file comes after all is closed by itself.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("missing file", "Missing")
        RESOLVED = "resolved", pgettext_lazy("missing file", "Come, or explained")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.RESOLVED},
        State.RESOLVED: {State.OPEN},
    }

    provider = models.CharField(_("provider"), max_length=40, blank=True)
    day = models.DateField(_("sold on"))
    payments = models.PositiveIntegerField(_("payments of that day"))
    amount = models.BigIntegerField(_("their amount"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)

    objects = scoped(MissingFileQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("missing settlement file")
        verbose_name_plural = _("missing settlement files")
        constraints = [
            *constraints.tenant("missing_file", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "provider", "day"], name="missing_file_is_one_a_day"
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "day"],
                name="missing_file_open",
                condition=Q(state="open"),
            ),
        ]

    def __str__(self):
        return f"{self.day}"


class LedgerDifferenceQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=LedgerDifference.State.OPEN)


class LedgerDifference(Worked):
    """What the journal of a closed statement moved on an account is not what the statement says.

    Amounts are credit less debit. Worked by people; one that has gone is closed by the night.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("discrepancy", "To be explained")
        RESOLVED = "resolved", pgettext_lazy("discrepancy", "Explained")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.RESOLVED},
        State.RESOLVED: {State.OPEN},
    }

    statement = TenantKey(Statement, related_name="+", verbose_name=_("statement"))
    account = models.CharField(_("account"), max_length=60)
    expected = models.BigIntegerField(_("of the statement"))
    found = models.BigIntegerField(_("of the ledger"))
    difference = models.BigIntegerField(_("difference"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)

    objects = scoped(LedgerDifferenceQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("ledger difference")
        verbose_name_plural = _("ledger differences")
        constraints = [
            *constraints.tenant("ledger_difference", "statement", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "statement", "account"],
                name="ledger_difference_is_one_an_account",
            ),
            models.CheckConstraint(
                name="ledger_difference_is_the_difference",
                condition=Q(difference=F("found") - F("expected")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "found_on"],
                name="ledger_difference_open",
                condition=Q(state="open"),
            ),
        ]

    def __str__(self):
        return f"{self.account} {self.difference}"
