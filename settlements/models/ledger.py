"""Accounts and journals of the double-entry ledger. Written by settlements.ledger only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace import constraints
from marketplace.models import TenantModel


class Account(TenantModel):
    """A control account. Entries on seller accounts name the seller beside it."""

    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=100)
    is_per_seller = models.BooleanField(_("kept per seller"), default=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            *constraints.tenant("account"),
            models.UniqueConstraint(fields=["marketplace", "code"], name="account_code_is_unique"),
        ]

    def __str__(self):
        return self.name


class Journal(TenantModel):
    """A balanced set of entries for one business event, such as the closing of a statement."""

    template = models.CharField(_("template"), max_length=40)
    reference = models.CharField(_("reference"), max_length=60)
    basis_on = models.DateField(_("effective on"))

    class Meta(TenantModel.Meta):
        verbose_name = _("journal")
        verbose_name_plural = _("journals")
        constraints = [
            *constraints.tenant("journal", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "template", "reference"], name="journal_is_posted_once"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "-basis_on"], name="journal_newest_first")]

    def __str__(self):
        return f"{self.template} {self.reference}"
