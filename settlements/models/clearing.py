"""What the clearing account consists of: orders whose money has not come, or came ahead.

Written by settlements.clearing only.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, scoped
from orders.models import Order


class ClearingItemQuerySet(models.QuerySet):
    def at(self, day):
        """What stood there after the night of a day."""
        return self.filter(Q(until_on__isnull=True) | Q(until_on__gt=day), from_on__lte=day)

    def now(self):
        return self.filter(until_on__isnull=True)


class ClearingItem(TenantModel):
    """What an order adds to the clearing account, from one night to another.

    Settled and not in a provider's file is above zero, in a file and not settled below. When it
    changes, another item follows, so that every night can be looked at as it was.
    """

    class Kind(models.TextChoices):
        OWED = "owed", pgettext_lazy("clearing", "Settled, in no settlement file yet")
        DISPUTED = "disputed", pgettext_lazy("clearing", "Differs from the provider")
        UNNAMED = "unnamed", pgettext_lazy("clearing", "Settled, paid without a provider's id")
        AHEAD = "ahead", pgettext_lazy("clearing", "Paid out by the provider before settlement")

    order = TenantKey(Order, related_name="+", verbose_name=_("order"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    amount = models.BigIntegerField(_("amount"))
    since_on = models.DateField(_("since"))
    from_on = models.DateField(_("from the night of"))
    until_on = models.DateField(_("until the night of"), null=True)

    objects = scoped(ClearingItemQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("clearing item")
        verbose_name_plural = _("clearing items")
        constraints = [
            *constraints.tenant("clearing_item", "order", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "order"],
                name="clearing_item_is_one_an_order",
                condition=Q(until_on__isnull=True),
            ),
            models.CheckConstraint(
                name="clearing_item_has_its_sign",
                condition=Q(kind="ahead", amount__lt=0)
                | Q(kind__in=["owed", "unnamed"], amount__gt=0)
                | (Q(kind="disputed") & ~Q(amount=0)),
            ),
            models.CheckConstraint(
                name="clearing_item_lasts_a_night",
                condition=Q(until_on__isnull=True) | Q(until_on__gt=F("from_on")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "kind", "since_on"],
                name="clearing_item_oldest_first",
                condition=Q(until_on__isnull=True),
            ),
            models.Index(fields=["marketplace", "until_on"], name="clearing_item_by_end"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()}: {self.amount}"


class ClearingProof(TenantModel):
    """The clearing account after a night, and what explains it. Its figures are debit less credit.

    `difference` is what nothing explains. `last_row` and `last_journal` say up to which rows of
    providers and journals it counts; the next proof goes on from there.
    """

    day = models.DateField(_("business date"))
    balance = models.BigIntegerField(_("balance"))
    owed = models.BigIntegerField(_("settled, in no settlement file yet"))
    disputed = models.BigIntegerField(_("differs from the provider"))
    unnamed = models.BigIntegerField(_("settled, paid without a provider's id"))
    ahead = models.BigIntegerField(_("paid out by the provider before settlement"))
    unknown = models.BigIntegerField(_("paid out for no order, less suspense"))
    by_hand = models.BigIntegerField(_("journals by hand"))
    difference = models.BigIntegerField(_("not explained"))
    last_row = models.BigIntegerField(default=0, editable=False)
    last_journal = models.BigIntegerField(default=0, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("clearing proof")
        verbose_name_plural = _("clearing proofs")
        constraints = [
            *constraints.tenant("clearing_proof", grants=constraints.APPEND_ONLY),
            constraints.AppendOnly(name="clearing_proof_only_grows"),
            models.UniqueConstraint(
                fields=["marketplace", "day"], name="clearing_proof_is_one_a_day"
            ),
            models.CheckConstraint(
                name="clearing_proof_adds_up",
                condition=Q(
                    difference=F("balance")
                    - F("owed")
                    - F("disputed")
                    - F("unnamed")
                    - F("ahead")
                    - F("unknown")
                    - F("by_hand")
                ),
            ),
        ]

    def __str__(self):
        return f"{self.day} {self.balance}"
