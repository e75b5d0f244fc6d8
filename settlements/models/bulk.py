"""The two bulk tables, partitioned by month of `basis_on` and without foreign keys.

A foreign key on them would more than double the time of a night; each run and `verify` look for
orphans instead. Nothing refers to them. Their tables, keys and trigger are written by hand in
the first migration, since Django cannot express partitioning.
"""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantModel, scoped


class SettlementLineQuerySet(models.QuerySet):
    def of_orders(self):
        """All but adjustments, which stand for no order line."""
        return self.exclude(kind=SettlementLine.Kind.ADJUSTMENT)

    def of_statement(self, statement):
        """The lines of a statement that are for order lines; beside `statement.adjustments`."""
        return self.all_of_statement(statement).of_orders()

    def all_of_statement(self, statement):
        """All that a statement is the sum of; its own days spare the database all other months."""
        return self.filter(
            statement_id=statement.pk,
            seller_id=statement.seller_id,
            basis_on__gte=statement.first_basis_on or date.max,
            basis_on__lte=statement.last_basis_on or date.min,
        )


class SettlementLine(TenantModel):
    """What one outcome of an order line means for its seller, in minor units; or an adjustment.

    A sale's figures are positive, a reversal's negative. `charges` holds base, fee and VAT of
    each component in the order of its terms: the proof of `fee`, `vat` and `net`. It has no
    state of its own; that follows from its statement. An adjustment has neither order line nor
    terms: it names −id of its Adjustment and 0, and is a fee of a component of its own. `digest`
    is the SHA-256 of the row that its statement is sealed over (settlements.sealed_lines).
    """

    class Kind(models.IntegerChoices):
        SALE = 1, _("Sale")
        REVERSAL = 2, _("Reversal")
        ADJUSTMENT = 3, _("Adjustment")

    basis_on = models.DateField(_("basis date"))
    seller_id = models.BigIntegerField(_("seller"))
    order_line_id = models.BigIntegerField(_("order line"))
    sequence = models.PositiveIntegerField(_("sequence"))
    kind = models.SmallIntegerField(_("kind"), choices=Kind)
    statement_id = models.BigIntegerField(_("statement"))
    terms_id = models.BigIntegerField(_("terms"))
    rate_on = models.DateField(_("rate date"))
    run_on = models.DateField(_("settled in the night of"))
    quantity = models.IntegerField(_("units"))
    list_amount = models.BigIntegerField(_("list amount"))
    seller_discount = models.BigIntegerField(_("seller's discount"))
    platform_discount = models.BigIntegerField(_("platform's discount"))
    partner_discount = models.BigIntegerField(_("partner's discount"))
    charges = ArrayField(models.BigIntegerField(), verbose_name=_("base, fee, VAT by component"))
    fee = models.BigIntegerField(_("fees"))
    vat = models.BigIntegerField(_("VAT on fees"))
    net = models.BigIntegerField(_("net"))
    digest = models.BinaryField(_("digest"), null=True)  # null: from before there were any

    objects = scoped(SettlementLineQuerySet)

    class Meta(TenantModel.Meta):
        db_table = "settlement_line"
        verbose_name = _("settlement line")
        verbose_name_plural = _("settlement lines")
        constraints = [
            constraints.TenantIsolation(
                name="settlement_line_isolation", grants=constraints.APPEND_ONLY
            )
        ]

    def __str__(self):
        return f"{self.order_line_id}#{self.sequence}"

    @property
    def sale_vat(self):
        """The VAT of a sale that the marketplace issues: charged, but in no sum of fees."""
        return sum(self.charges[1::3]) - self.fee

    @property
    def charged(self):
        """Fees with all their VAT, and the VAT of the sale where the marketplace owes it; below
        zero for a reversal."""
        return self.list_amount - self.seller_discount - self.net


class LedgerEntry(TenantModel):
    """One leg of a journal: a debit or a credit on an account, in minor units."""

    basis_on = models.DateField(_("effective on"))
    journal_id = models.BigIntegerField(_("journal"))
    account_id = models.BigIntegerField(_("account"))
    seller_id = models.BigIntegerField(_("seller"), null=True)
    debit = models.BigIntegerField(_("debit"))
    credit = models.BigIntegerField(_("credit"))

    class Meta(TenantModel.Meta):
        db_table = "ledger_entry"
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = [
            constraints.TenantIsolation(
                name="ledger_entry_isolation", grants=constraints.APPEND_ONLY
            ),
            constraints.AppendOnly(name="ledger_entry_only_grows"),
        ]

    def __str__(self):
        return f"{self.journal_id}: {self.debit}/{self.credit}"
