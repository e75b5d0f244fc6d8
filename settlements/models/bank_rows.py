"""Transactions of the marketplace's own bank account, as the bank lists them, and their matches.

Written by settlements.bank_rows and settlements.bank_matching only.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from settlements.models.ledger import Journal, ManualJournal
from settlements.models.taken_files import TakenFile


def _file_id():
    return identifiers.public_id("bkf")


class BankFile(TakenFile):
    """A list of transactions of a bank account, taken in once."""

    public_id = models.CharField(_("public id"), max_length=40, default=_file_id, editable=False)
    account = models.CharField(_("own bank account"), max_length=60)
    first_on = models.DateField(_("first day"))
    last_on = models.DateField(_("last day"))

    class Meta(TenantModel.Meta):
        verbose_name = _("list of bank transactions")
        verbose_name_plural = _("lists of bank transactions")
        constraints = [
            *constraints.tenant("bank_file", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "account", "digest"], name="bank_file_is_taken_once"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="bank_file_public_id_is_unique"
            ),
        ]

    def __str__(self):
        return f"{self.account} {self.name}"


class BankRowQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=BankRow.State.OPEN)


class BankRow(TenantModel):
    """One transaction of a bank account: paid in, or below zero paid out. Explained by people.

    `place` orders the rows of an account: each one's balance follows from the row before.
    `occurrence` tells rows apart that say exactly the same. `booking` is the journal by hand that
    was asked for last, where nothing else explains it.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("discrepancy", "To be explained")
        SUSPENDED = "suspended", pgettext_lazy("bank transaction", "On suspense")
        EXPLAINED = "explained", pgettext_lazy("discrepancy", "Explained")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.SUSPENDED, State.EXPLAINED},
        State.SUSPENDED: {State.OPEN},
        State.EXPLAINED: {State.OPEN},
    }

    file = TenantKey(BankFile, related_name="+", verbose_name=_("file"))
    number = models.PositiveIntegerField(_("row"))
    account = models.CharField(_("own bank account"), max_length=60)
    place = models.BigIntegerField(_("number in the account"))
    on = models.DateField(_("day"))
    time = models.TimeField(_("time"), null=True)
    amount = models.BigIntegerField(_("amount"))
    balance = models.BigIntegerField(_("balance after it"))
    counterparty = models.CharField(_("counterparty"), max_length=200, blank=True)
    memo = models.CharField(_("memo"), max_length=200, blank=True)
    reference = models.CharField(_("bank's reference"), max_length=200, blank=True)
    occurrence = models.PositiveSmallIntegerField(_("occurrence"), default=1)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    booking = TenantKey(
        ManualJournal, null=True, related_name="+", verbose_name=_("manual journal")
    )
    explained_at = models.DateTimeField(_("explained at"), null=True)
    explained_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("explained by"),
    )

    objects = scoped(BankRowQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("bank transaction")
        verbose_name_plural = _("bank transactions")
        constraints = [
            *constraints.tenant("bank_row", "file", "booking", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=[
                    "marketplace",
                    "account",
                    "on",
                    "time",
                    "amount",
                    "balance",
                    "counterparty",
                    "memo",
                    "occurrence",
                ],
                nulls_distinct=False,
                name="bank_row_counts_once",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "account", "place"], name="bank_row_has_its_place"
            ),
            models.CheckConstraint(name="bank_row_moves_something", condition=~Q(amount=0)),
            models.CheckConstraint(
                name="bank_row_is_open_or_explained_at_some_time",
                condition=Q(state="open", explained_at__isnull=True)
                | (~Q(state="open") & Q(explained_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "on"], name="bank_row_open", condition=Q(state="open")
            ),
            models.Index(fields=["marketplace", "-on", "-place"], name="bank_row_newest_first"),
            models.Index(
                fields=["marketplace", "booking"],
                name="bank_row_by_booking",
                condition=Q(booking__isnull=False),
            ),
        ]

    def __str__(self):
        return self.entry

    @property
    def entry(self):
        """What people name it by: the bank account, the day, and its number in the account."""
        return f"{self.account} {self.on} #{self.place}"


class BankMatch(TenantModel):
    """A journal that explains a bank transaction, or a part of it. It explains no other."""

    row = TenantKey(BankRow, related_name="matches", verbose_name=_("bank transaction"))
    journal = TenantKey(Journal, related_name="+", verbose_name=_("journal"))

    class Meta(TenantModel.Meta):
        verbose_name = _("explanation of a bank transaction")
        verbose_name_plural = _("explanations of bank transactions")
        constraints = [
            *constraints.tenant("bank_match", "row", "journal", grants="SELECT, INSERT, DELETE"),
            models.UniqueConstraint(
                fields=["marketplace", "journal"], name="bank_match_explains_one_transaction"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "row"], name="bank_match_by_row")]

    def __str__(self):
        return f"{self.row_id}: {self.journal_id}"
