"""Accounts and journals of the double-entry ledger. Written by settlements.ledger only."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel
from orders.models import Order
from settlements import chart


class Account(TenantModel):
    """A control account. Entries on seller accounts name the seller beside it.

    Those of the system are in settlements.chart; operators name them, order them and add own ones.
    """

    class Kind(models.TextChoices):
        ASSET = chart.ASSET, _("Asset")
        LIABILITY = chart.LIABILITY, _("Liability")
        REVENUE = chart.REVENUE, _("Revenue")
        EXPENSE = chart.EXPENSE, _("Expense")
        TRANSIT = chart.TRANSIT, _("Clearing")

    class Side(models.TextChoices):
        DEBIT = chart.DEBIT, _("Debit")
        CREDIT = chart.CREDIT, _("Credit")

    code = models.CharField(
        _("code"),
        max_length=60,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*(:[a-z0-9_.-]+)?$")],
        help_text=_("Small letters, digits and _. It is never changed."),
    )
    kind = models.CharField(_("type"), max_length=10, choices=Kind, default=Kind.TRANSIT)
    normal_side = models.CharField(
        _("normal side"),
        max_length=6,
        choices=Side,
        default=Side.DEBIT,
        help_text=_("The side on which its balance usually stands."),
    )
    name = models.CharField(_("name"), max_length=100)
    name_english = models.CharField(
        _("name in English"),
        max_length=100,
        blank=True,
        help_text=_("For readers in English. Without it they see the other name."),
    )
    is_per_seller = models.BooleanField(_("kept per seller"), default=False)
    place = models.PositiveSmallIntegerField(
        _("order"), default=500, help_text=_("Lists begin with the smallest number.")
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            *constraints.tenant("account"),
            models.UniqueConstraint(fields=["marketplace", "code"], name="account_code_is_unique"),
        ]

    def __str__(self):
        return self.label

    @property
    def label(self):
        """What it is called in the reader's language."""
        is_english = (get_language() or "").startswith("en")
        return self.name_english if is_english and self.name_english else self.name

    @property
    def is_of_system(self):
        return self.code in chart.BY_CODE or self.code.startswith(chart.BY_COMPONENT)


class Journal(TenantModel):
    """A balanced set of entries for one business event, such as the closing of a statement."""

    template = models.CharField(_("template"), max_length=40)
    reference = models.CharField(_("reference"), max_length=60)
    basis_on = models.DateField(_("effective on"))
    occurred_on = models.DateField(
        _("happened on"), null=True, help_text=_("Where its day took no journal any more.")
    )
    reverses = TenantKey(
        "self", related_name="reversals", null=True, verbose_name=_("counter-entry of")
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("journal")
        verbose_name_plural = _("journals")
        constraints = [
            *constraints.tenant("journal", "reverses", grants=constraints.APPEND_ONLY),
            constraints.AppendOnly(name="journal_only_grows"),
            models.UniqueConstraint(
                fields=["marketplace", "template", "reference"], name="journal_is_posted_once"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "reverses"],
                name="journal_is_reversed_once",
                condition=models.Q(reverses__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "-basis_on"], name="journal_newest_first")]

    def __str__(self):
        return f"{self.template} {self.reference}"

    @property
    def key(self):
        """What outsiders name it by."""
        return f"{self.template}:{self.reference}"


def _manual_id():
    return identifiers.public_id("mjn")


class ManualJournal(TenantModel):
    """A journal entered by hand, or the counter-entry of one; a second person posts it.

    `legs` are [account code, debit, credit] in minor units, empty where `reverses` is set. Nothing
    of it changes after it was entered: what is wrong is discarded and entered anew.
    """

    class State(models.TextChoices):
        ENTERED = "entered", _("Waiting to be posted")
        POSTED = "posted", _("Posted")
        DISCARDED = "discarded", _("Discarded")

    MOVES = {  # every legal change of state; anything else is refused
        State.ENTERED: {State.POSTED, State.DISCARDED},
        State.POSTED: set(),
        State.DISCARDED: set(),
    }

    public_id = models.CharField(_("public id"), max_length=40, default=_manual_id, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ENTERED)
    on = models.DateField(_("effective on"))
    reason = models.CharField(_("reason"), max_length=500)
    document = models.CharField(
        _("document"), max_length=200, help_text=_("The number or place of what it follows from.")
    )
    legs = models.JSONField(_("legs"), default=list)
    reverses = TenantKey(Journal, related_name="+", null=True, verbose_name=_("counter-entry of"))
    order = TenantKey(
        Order,
        related_name="+",
        null=True,
        verbose_name=_("order"),
        help_text=_("Whose item of the clearing account it books."),
    )
    entered_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("entered by"),
    )
    entered_at = models.DateTimeField(_("entered at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("manual journal")
        verbose_name_plural = _("manual journals")
        constraints = [
            *constraints.tenant(
                "manual_journal", "reverses", "order", grants="SELECT, INSERT, UPDATE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="manual_journal_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "reverses"],
                condition=~models.Q(state="discarded"),
                name="manual_journal_reverses_once",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "order"],
                condition=models.Q(state="entered"),
                name="manual_journal_waits_once_an_order",
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-entered_at"], name="manual_journal_newest_first")
        ]

    def __str__(self):
        return f"{self.on} {self.reason}"[:80]
