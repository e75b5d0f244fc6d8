"""Payouts: statements of one seller paid together, payouts sent together, and what came of each.

A batch holds payouts, a payout holds statements through its items. Written by
settlements.payouts (batches), settlements.payout_sending (payouts) and settlements.payout_results.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, VersionedRule, scoped
from marketplace.sealing import SealedField
from sellers.banks import Bank
from sellers.models import BankAccount, Seller
from settlements import payout_rules
from settlements.models.assignments import Assignment
from settlements.models.statements import Statement


def _batch_id():
    return identifiers.public_id("pob")


def _payout_id():
    return identifiers.public_id("pay")


class PayoutPolicy(VersionedRule):
    """How sellers are paid: through which bank, and how much at a time. Amounts in minor units."""

    class Gateway(models.TextChoices):
        SANDBOX = "sandbox", _("Sandbox bank, which moves no money")
        BANK_CSV = "bank_csv", _("File for the bank, CSV")
        BANK_FIXED = "bank_fixed", _("File for the bank, fixed width")
        PAYOUT_API = "payout_api", _("Payout API of a payment provider")

    class BusinessService(models.TextChoices):
        NONE = "none", _("Nowhere: businesses are not checked")
        SANDBOX = "sandbox", _("Sandbox, which goes by the number")
        TAX_OFFICE = "tax_office", _("National Tax Service")

    FILES = (Gateway.BANK_CSV, Gateway.BANK_FIXED)  # people carry them to the bank

    gateway = models.CharField(_("bank"), max_length=20, choices=Gateway, default=Gateway.SANDBOX)
    payout_limit = models.BigIntegerField(
        _("limit of one payout"), null=True, blank=True, help_text=_("Empty for none.")
    )
    batch_limit = models.BigIntegerField(
        _("limit of one batch"), null=True, blank=True, help_text=_("Empty for none.")
    )
    day_limit = models.BigIntegerField(
        _("limit of one day"), null=True, blank=True, help_text=_("Empty for none.")
    )
    result_days = models.PositiveSmallIntegerField(
        _("business days until a result"),
        default=1,
        help_text=_("After that a payout without a result is reported."),
    )
    memo = models.CharField(
        _("text on the seller's account"),
        max_length=14,
        blank=True,
        help_text=_("What sellers read beside the transfer; 7 Korean letters at most."),
    )
    business_service = models.CharField(
        _("sellers' businesses are asked about at"),
        max_length=10,
        choices=BusinessService,
        default=BusinessService.NONE,
        db_default=BusinessService.NONE,
        help_text=_("Right before a payout is sent. Who closed the business is not simply paid."),
    )
    business_days = models.PositiveSmallIntegerField(
        _("days for which an answer is good"),
        default=1,
        db_default=1,
        help_text=_("With 0 it is asked anew for every sending."),
    )
    pays_unanswered = models.BooleanField(
        _("pay where it does not answer"),
        default=False,
        db_default=False,
        help_text=_("Otherwise payouts wait until it does, and the night counts them."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("payout policy")
        verbose_name_plural = _("payout policies")
        constraints = [
            *constraints.tenant("payout_policy"),
            constraints.Frozen(name="payout_policy_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="payout_policy_number_is_unique"
            ),
            models.CheckConstraint(
                name="payout_policy_limits_are_above_zero",
                condition=(Q(payout_limit__isnull=True) | Q(payout_limit__gt=0))
                & (Q(batch_limit__isnull=True) | Q(batch_limit__gt=0))
                & (Q(day_limit__isnull=True) | Q(day_limit__gt=0)),
            ),
        ]

    @property
    def writes_file(self) -> bool:
        """Whether people carry a file to the bank, and one of results back."""
        return self.gateway in self.FILES


class PayoutBatchQuerySet(models.QuerySet):
    def to_approve(self):
        return self.filter(state=PayoutBatch.State.PREPARED)

    def scheduled_by(self, moment):
        return self.filter(state=PayoutBatch.State.SCHEDULED, scheduled_at__lte=moment)


class PayoutBatch(TenantModel):
    """Payouts that are approved, sent and stopped together; one at a time in a marketplace."""

    class State(models.TextChoices):
        PREPARING = "preparing", pgettext_lazy("payout batch", "Preparing")
        PREPARED = "prepared", pgettext_lazy("payout batch", "Prepared")
        APPROVED = "approved", pgettext_lazy("payout batch", "Approved")
        SCHEDULED = "scheduled", pgettext_lazy("payout batch", "Scheduled")
        EXECUTING = "executing", pgettext_lazy("payout batch", "Executing")
        AWAITING = "awaiting", pgettext_lazy("payout batch", "Results awaited")
        STOPPED = "stopped", pgettext_lazy("payout batch", "Stopped")
        COMPLETED = "completed", pgettext_lazy("payout batch", "Completed")
        CANCELLED = "cancelled", pgettext_lazy("payout batch", "Cancelled")

    MOVES = {  # every legal change of state; anything else is refused
        State.PREPARING: {State.PREPARED, State.CANCELLED},
        State.PREPARED: {State.APPROVED, State.CANCELLED},
        State.APPROVED: {State.SCHEDULED, State.EXECUTING, State.CANCELLED},
        State.SCHEDULED: {State.APPROVED, State.EXECUTING, State.CANCELLED},
        State.EXECUTING: {State.AWAITING, State.STOPPED, State.COMPLETED},
        State.STOPPED: {State.EXECUTING, State.AWAITING, State.COMPLETED, State.CANCELLED},
        State.AWAITING: {State.COMPLETED},
        State.COMPLETED: set(),
        State.CANCELLED: set(),
    }

    public_id = models.CharField(_("public id"), max_length=40, default=_batch_id, editable=False)
    on = models.DateField(_("prepared for"))
    policy = TenantKey(PayoutPolicy, related_name="+", verbose_name=_("policy"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PREPARING)
    payouts = models.PositiveIntegerField(_("payouts"), default=0)
    amount = models.BigIntegerField(_("amount"), default=0)
    prepared_at = models.DateTimeField(_("prepared at"))
    prepared_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("prepared by"),
        help_text=_("Empty when the night did it."),
    )
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    executed_on = models.DateField(_("sent on"), null=True, blank=True)
    file_hash = models.CharField(_("hash of the bank's file"), max_length=64, blank=True)

    objects = scoped(PayoutBatchQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("payout batch")
        verbose_name_plural = _("payout batches")
        constraints = [
            *constraints.tenant("payout_batch", "policy", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="payout_batch_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace"],
                condition=Q(state="executing"),
                name="payout_batch_executes_alone",
            ),
            models.CheckConstraint(
                name="payout_batch_scheduled_has_its_moment",
                condition=~Q(state="scheduled") | Q(scheduled_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-id"], name="payout_batch_newest_first"),
            models.Index(fields=["marketplace", "executed_on"], name="payout_batch_by_day"),
        ]

    def __str__(self):
        return self.public_id


class PayoutQuerySet(models.QuerySet):
    def against_account(self):
        """Payouts that did not arrive because of their account, which nobody has released."""
        did_not_arrive = Q(state__in=[Payout.State.FAILED, Payout.State.RETURNED])
        was_refused = Q(state=Payout.State.STOPPED, reason__in=payout_rules.AGAINST_ACCOUNT)
        return self.filter(did_not_arrive | was_refused, released_at=None)

    def unanswered(self):
        """Payouts that were sent, or may have been, and whose result is not known."""
        return self.filter(state__in=Payout.UNANSWERED)

    def overdue(self, day):
        """Unanswered payouts whose result was due by `day`."""
        return self.unanswered().filter(result_due_on__lte=day)


class Payout(TenantModel):
    """Money to one seller: the sum of its statements, to an account that is frozen here."""

    class State(models.TextChoices):
        PREPARED = "prepared", pgettext_lazy("payout", "Prepared")
        SENDING = "sending", pgettext_lazy("payout", "Being sent")
        SENT = "sent", pgettext_lazy("payout", "Sent")
        UNKNOWN = "unknown", pgettext_lazy("payout", "Unknown")
        PAID = "paid", pgettext_lazy("payout", "Paid")
        FAILED = "failed", pgettext_lazy("payout", "Failed")
        STOPPED = "stopped", pgettext_lazy("payout", "Not sent")
        RETURNED = "returned", pgettext_lazy("payout", "Came back")

    MOVES = {  # every legal change of state; anything else is refused
        State.PREPARED: {State.SENDING, State.STOPPED},
        State.SENDING: {State.SENT, State.UNKNOWN, State.PAID, State.FAILED},
        State.SENT: {State.UNKNOWN, State.PAID, State.FAILED},
        State.UNKNOWN: {State.SENT, State.PAID, State.FAILED},
        State.PAID: {State.RETURNED},
        State.FAILED: {State.PAID},  # a bank that takes its word back
        State.STOPPED: set(),
        State.RETURNED: set(),
    }
    UNANSWERED = (State.SENDING, State.SENT, State.UNKNOWN)
    ARRIVED = (State.PAID, State.RETURNED)  # at least for a time

    public_id = models.CharField(_("public id"), max_length=40, default=_payout_id, editable=False)
    batch = TenantKey(PayoutBatch, related_name="rows", verbose_name=_("batch"))
    seller = TenantKey(Seller, related_name="payouts", verbose_name=_("seller"))
    amount = models.BigIntegerField(_("amount"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PREPARED)
    account = TenantKey(
        BankAccount, null=True, blank=True, related_name="+", verbose_name=_("bank account")
    )
    assignment = TenantKey(
        Assignment, null=True, blank=True, related_name="+", verbose_name=_("assignment of claims")
    )
    payee = models.CharField(
        _("payee"), max_length=200, blank=True, help_text=_("Where it is not the seller.")
    )
    bank = models.CharField(_("bank"), max_length=3, choices=Bank)
    holder = models.CharField(_("account holder"), max_length=100)
    number = SealedField(_("account number"))
    ending = models.CharField(_("last digits"), max_length=4)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    said = models.CharField(_("what the bank said"), max_length=200, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    result_due_on = models.DateField(_("result due on"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    released_at = models.DateTimeField(
        _("account used again from"),
        null=True,
        blank=True,
        help_text=_("When somebody let a failed account be paid to again."),
    )

    objects = scoped(PayoutQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        constraints = [
            *constraints.tenant(
                "payout",
                "batch",
                "seller",
                "account",
                "assignment",
                grants="SELECT, INSERT, UPDATE",
            ),
            models.CheckConstraint(
                name="payout_goes_to_the_seller_or_an_assignee",
                condition=Q(account__isnull=False, assignment__isnull=True, payee="")
                | Q(account__isnull=True, assignment__isnull=False) & ~Q(payee=""),
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="payout_public_id_is_unique"
            ),
            models.CheckConstraint(name="payout_pays_something", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="payout_out_of_preparation_was_sent",
                condition=Q(state__in=["prepared", "stopped"]) | Q(sent_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "-id"], name="payout_newest_first"),
            models.Index(fields=["marketplace", "seller", "-id"], name="payout_by_seller"),
            models.Index(fields=["marketplace", "batch", "state"], name="payout_by_batch"),
            models.Index(
                fields=["marketplace", "result_due_on"],
                name="payout_unanswered",
                condition=Q(state__in=["sending", "sent", "unknown"]),
            ),
            models.Index(
                fields=["marketplace", "account"],
                name="payout_failed_by_account",
                condition=Q(state__in=["failed", "returned", "stopped"]),
            ),
        ]

    def __str__(self):
        return self.public_id

    @property
    def has_unverified_holder(self) -> bool:
        """Whether nobody has said that the account is its holder's; it was loaded with the row.

        Two people have put an assignee's account in force.
        """
        return self.account is not None and self.account.holder_verified_at is None

    @property
    def masked(self) -> str:
        """The account's number as people may see it."""
        return f"***-***-{self.ending}"

    @property
    def is_answered(self) -> bool:
        return self.state not in (self.State.PREPARED, *self.UNANSWERED)


class PayoutItem(TenantModel):
    """A statement in a payout. Of those over one statement only one is live."""

    payout = TenantKey(Payout, related_name="items", verbose_name=_("payout"))
    statement = TenantKey(Statement, related_name="payout_items", verbose_name=_("statement"))
    amount = models.BigIntegerField(_("amount"))
    is_live = models.BooleanField(_("live"), default=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("statement of a payout")
        verbose_name_plural = _("statements of payouts")
        constraints = [
            *constraints.tenant(
                "payout_item", "payout", "statement", grants="SELECT, INSERT, UPDATE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "statement"],
                condition=Q(is_live=True),
                name="payout_item_statement_is_paid_once",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "payout", "statement"], name="payout_item_is_listed_once"
            ),
        ]

    def __str__(self):
        return f"{self.payout_id}/{self.statement_id}"


class PayoutAttempt(TenantModel):
    """One question to a bank: the transfer itself, once ever, or what became of it."""

    class Kind(models.TextChoices):
        SEND = "send", _("Transfer")
        ASK = "ask", _("Question")

    payout = TenantKey(Payout, related_name="attempts", verbose_name=_("payout"))
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    began_at = models.DateTimeField(_("began at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    outcome = models.CharField(_("answer"), max_length=20, blank=True)
    said = models.CharField(_("what the bank said"), max_length=200, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("attempt at a payout")
        verbose_name_plural = _("attempts at payouts")
        constraints = [
            *constraints.tenant("payout_attempt", "payout", grants="SELECT, INSERT, UPDATE"),
            models.UniqueConstraint(
                fields=["marketplace", "payout"],
                condition=Q(kind="send"),
                name="payout_attempt_sends_once",
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "payout", "id"], name="payout_attempt_by_payout")
        ]

    def __str__(self):
        return f"{self.payout_id}: {self.kind}"


class PayoutException(TenantModel):
    """Something a bank said that does not fit, for people to look into; amounts in minor units."""

    class Kind(models.TextChoices):
        UNKNOWN_ID = "unknown_id", _("Result for an unknown payout")
        AMOUNT_DIFFERS = "amount_differs", _("Result with another amount")
        NOT_SENT = "not_sent", _("Result for a payout that was not sent")
        PAID_AFTER_FAILED = "paid_after_failed", _("Paid after it had failed")
        FAILED_AFTER_PAID = "failed_after_paid", _("Failed after it had been paid")
        PAID_TWICE = "paid_twice", _("Perhaps paid twice")
        UNREADABLE = "unreadable", _("Result that cannot be read")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("exception", "Open")
        RESOLVED = "resolved", pgettext_lazy("exception", "Resolved")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.RESOLVED},
        State.RESOLVED: set(),
    }

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    payout = TenantKey(
        Payout, null=True, blank=True, related_name="exceptions", verbose_name=_("payout")
    )
    reference = models.CharField(_("reference"), max_length=60, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)
    expected = models.BigIntegerField(_("expected"), null=True, blank=True)
    found = models.BigIntegerField(_("found"), null=True, blank=True)
    raised_at = models.DateTimeField(_("raised at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("resolved by"),
    )
    resolution = models.CharField(_("what was found out"), max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("payout exception")
        verbose_name_plural = _("payout exceptions")
        constraints = [
            *constraints.tenant("payout_exception", "payout", grants="SELECT, INSERT, UPDATE"),
            models.CheckConstraint(
                name="payout_exception_is_open_or_resolved_by_somebody",
                condition=Q(state="open", resolved_at__isnull=True)
                | Q(state="resolved", resolved_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "-raised_at"],
                name="payout_exception_open",
                condition=Q(state="open"),
            ),
            models.Index(fields=["marketplace", "payout"], name="payout_exception_by_payout"),
        ]

    def __str__(self):
        return f"{self.kind} {self.reference}"


class SandboxTransfer(TenantModel):
    """What the sandbox bank remembers of a transfer: a bank's own books, not ours."""

    reference = models.CharField(_("reference"), max_length=60)
    amount = models.BigIntegerField(_("amount"))
    outcome = models.CharField(_("outcome"), max_length=20)
    later = models.CharField(_("outcome when asked"), max_length=20)
    received = models.PositiveIntegerField(_("times received"), default=1)

    class Meta(TenantModel.Meta):
        verbose_name = _("sandbox transfer")
        verbose_name_plural = _("sandbox transfers")
        constraints = [
            *constraints.tenant("sandbox_transfer"),
            models.UniqueConstraint(
                fields=["marketplace", "reference"], name="sandbox_transfer_reference_is_unique"
            ),
        ]

    def __str__(self):
        return self.reference
