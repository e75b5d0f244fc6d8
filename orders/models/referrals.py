"""Who brought the sale of an order line, beside its seller: a host or an affiliate."""

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from listings import kind_words
from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, scoped
from orders.models.lines import OrderLine
from orders.models.outcomes import Outcome, OutcomeToSettle
from sellers.models import Seller


class Referral(TenantModel):
    """The seller that brought the sale of a line, and the stream of revenue that this is to it.

    Said with the order and frozen like its line. Lines that nobody brought have none.
    """

    line = TenantKey(OrderLine, models.CASCADE, related_name="referrals", verbose_name=_("line"))
    seller = TenantKey(Seller, related_name="referrals", verbose_name=_("referrer"))
    stream = models.CharField(_("revenue stream"), max_length=30, help_text=_("host, affiliate"))

    class Meta(TenantModel.Meta):
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        constraints = [
            *constraints.tenant("referral", "line", "seller", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "line"], name="referral_is_one_per_line"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "seller", "-line"], name="referral_newest")]

    def __str__(self):
        return f"{self.line_id} {self.stream}"

    @property
    def stream_name(self):
        """What the stream is called in the language in use."""
        return kind_words.name(self.stream)


class OutcomeToCreditQuerySet(models.QuerySet):
    def settled_by(self, on):
        """Those with a basis date up to `on` that settlement has no more to do with."""
        unsettled = OutcomeToSettle.objects.filter(
            outcome=OuterRef("outcome"), seller=OuterRef("outcome__seller")
        )
        return self.filter(~Exists(unsettled), basis_on__lte=on)


class OutcomeToCredit(TenantModel):
    """The queue of commissions: outcomes of referred lines that no revenue report counts yet.

    A row leaves in the transaction that counts its outcome, which settlement has settled before.
    `basis_on` is the outcome's.
    """

    outcome = TenantKey(Outcome, related_name="+", verbose_name=_("outcome"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("referrer"))
    basis_on = models.DateField(_("basis date"))

    objects = scoped(OutcomeToCreditQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("outcome to credit")
        verbose_name_plural = _("outcomes to credit")
        constraints = [
            *constraints.tenant(
                "outcome_to_credit", "outcome", "seller", grants="SELECT, INSERT, DELETE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "outcome"], name="outcome_is_credited_once"
            ),
        ]

    def __str__(self):
        return f"{self.outcome_id}"
