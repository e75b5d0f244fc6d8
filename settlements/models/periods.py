"""Months of the ledger and their closing. Walked by settlements.periods only."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints
from marketplace.models import TenantKey, TenantModel
from sellers.models import Seller
from settlements.models.ledger import Account


class Period(TenantModel):
    """A month of the ledger. While it is closed, the database lets no journal into it."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("period", "Open")
        CLOSED = "closed", pgettext_lazy("period", "Closed")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.CLOSED},
        State.CLOSED: {State.OPEN},
    }

    month = models.DateField(_("month"), help_text=_("Its first day."))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    version = models.PositiveIntegerField(
        _("closed so many times"), default=0, help_text=_("Every closing is a version of its own.")
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("accounting period")
        verbose_name_plural = _("accounting periods")
        constraints = [
            *constraints.tenant("period", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "month"], name="period_is_one_per_month"
            ),
            models.CheckConstraint(
                name="period_is_named_by_its_first_day", condition=Q(month__day=1)
            ),
        ]

    def __str__(self):
        return f"{self.month:%Y-%m}"


class PeriodClosing(TenantModel):
    """One closing of a month: its trial balance as it stood then, bound by hash to the one before.

    Written once; a month that was opened again gets another version.
    """

    period = TenantKey(Period, related_name="closings", verbose_name=_("accounting period"))
    version = models.PositiveIntegerField(_("version"))
    closed_at = models.DateTimeField(_("closed at"))
    closed_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("closed by"),
    )
    entries = models.PositiveBigIntegerField(_("entries"))
    trial_balance = models.JSONField(
        _("trial balance"), help_text=_("Account, debits and credits up to the end of the month.")
    )
    previous_hash = models.CharField(_("hash of the closing before"), max_length=64)
    hash = models.CharField(_("hash"), max_length=64)

    class Meta(TenantModel.Meta):
        verbose_name = _("closing of a period")
        verbose_name_plural = _("closings of periods")
        constraints = [
            *constraints.tenant("period_closing", "period", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "period", "version"], name="period_closing_is_one_a_version"
            ),
            constraints.AppendOnly(name="period_closing_only_grows"),
        ]

    def __str__(self):
        return f"v{self.version} {self.hash[:12]}"


class MonthBalance(TenantModel):
    """What an account had come to by the end of a closed month; with a seller, his share of it.

    Derived from entries and written anew at each closing, for accounts that moved in the month.
    """

    month = models.DateField(_("month"))
    account = TenantKey(Account, related_name="+", verbose_name=_("account"))
    seller = TenantKey(Seller, related_name="+", null=True, verbose_name=_("seller"))
    debit = models.BigIntegerField(_("debits"))
    credit = models.BigIntegerField(_("credits"))

    class Meta(TenantModel.Meta):
        verbose_name = _("month balance")
        verbose_name_plural = _("month balances")
        constraints = [
            *constraints.tenant(
                "month_balance", "account", "seller", grants="SELECT, INSERT, DELETE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "account", "seller", "month"],
                name="month_balance_is_one_per_month",
                nulls_distinct=False,
            ),
        ]

    def __str__(self):
        return f"{self.month:%Y-%m}: {self.debit}/{self.credit}"
