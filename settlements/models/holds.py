"""What is kept from a seller, for a time or for good. Walked by settlements.holding only."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from orders.models import Claim, OrderLine
from sellers.models import Seller
from settlements.models.statements import Statement


def _hold_id():
    return identifiers.public_id("hld")


def _payment_id():
    return identifiers.public_id("atp")


class HoldQuerySet(models.QuerySet):
    def placed(self):
        return self.filter(state=Hold.State.PLACED)

    def of_payment(self):
        """Holds that keep whole statements or sellers from being paid."""
        return self.exclude(kind=Hold.Kind.LINE)

    def past_date(self, day):
        """Holds that should have ended by `day`."""
        return self.placed().filter(release_on__lte=day)

    def without_way_out(self):
        """Placed holds that nothing ends: no day, no condition, no claim, and not for good."""
        return self.placed().filter(
            ~Q(kind=Hold.Kind.EXCLUSION), release_on=None, condition="", claim=None
        )

    def not_reviewed_since(self, moment):
        """Placed holds that people end by a condition, and that nobody has looked at since."""
        by_people = Q(release_on=None, claim=None) & ~Q(condition="")
        rows = self.placed().exclude(kind=Hold.Kind.EXCLUSION).filter(by_people)
        return rows.filter(Q(reviewed_at__lt=moment) | Q(reviewed_at=None, placed_at__lt=moment))

    def at_work(self):
        """Line holds that the next statement has to look at: placed, or not yet given back."""
        return self.filter(kind=Hold.Kind.LINE).filter(Q(state=Hold.State.PLACED) | Q(taken__gt=0))


class Hold(TenantModel):
    """Money of a seller that is kept back, by whom, why, until when, and what ends it.

    A line hold (정산 보류) keeps an order line's net, an amount, or what was supplied in a month
    and not invoiced out of statements; `taken` is what they keep for it now, in minor units. A
    payment hold (지급 보류) keeps a statement, or all of a seller's, from being paid; an exclusion
    (지급 제외) does so for good.
    """

    class Kind(models.TextChoices):
        LINE = "line", _("Settlement held")
        PAYMENT = "payment", _("Payment held")
        EXCLUSION = "exclusion", _("Excluded from payment")

    class Reason(models.TextChoices):
        CLAIM = "claim", _("Open claim")
        DOCUMENT = "document", _("Document missing")
        INVOICE_MISSING = "invoice_missing", _("Tax invoice missing")
        BANK = "bank", _("Bank account")
        BUSINESS_CLOSED = "business_closed", _("Business closed")
        MANUAL = "manual", _("Decision of an operator")
        ATTACHMENT = "attachment", _("Attachment")
        LEGAL = "legal", _("Legal dispute")
        RESERVE = "reserve", _("Security")

    class State(models.TextChoices):
        PLACED = "placed", _("In force")
        RELEASED = "released", pgettext_lazy("hold", "Released")

    MOVES = {  # every legal change of state; anything else is refused
        State.PLACED: {State.RELEASED},
        State.RELEASED: set(),
    }

    public_id = models.CharField(_("public id"), max_length=40, default=_hold_id, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLACED)
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    statement = TenantKey(
        Statement, null=True, blank=True, related_name="holds", verbose_name=_("statement")
    )
    order_line = TenantKey(
        OrderLine, null=True, blank=True, related_name="+", verbose_name=_("order line")
    )
    claim = TenantKey(Claim, null=True, blank=True, related_name="+", verbose_name=_("claim"))
    invoice_month = models.DateField(
        _("month of supplies"),
        null=True,
        blank=True,
        help_text=_("Its first day: what was supplied in it and no invoice covers is held."),
    )
    amount = models.BigIntegerField(
        _("amount"),
        null=True,
        blank=True,
        help_text=_("At most this much; empty for all that is left of an order line."),
    )
    taken = models.BigIntegerField(_("kept back now"), default=0)
    note = models.CharField(_("explanation"), max_length=500, blank=True)
    evidence = models.CharField(_("evidence"), max_length=200, blank=True)
    creditor = models.CharField(_("creditor"), max_length=200, blank=True)
    release_on = models.DateField(_("ends on"), null=True, blank=True)
    condition = models.CharField(_("ends when"), max_length=300, blank=True)
    reviewed_at = models.DateTimeField(
        _("looked at again at"),
        null=True,
        blank=True,
        help_text=_("When somebody last said that its condition is still not met."),
    )
    placed_at = models.DateTimeField(_("placed at"))
    placed_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("placed by"),
    )
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)
    released_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("released by"),
    )
    release_note = models.CharField(_("why it was released"), max_length=500, blank=True)

    objects = scoped(HoldQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            *constraints.tenant(
                "hold",
                "seller",
                "statement",
                "order_line",
                "claim",
                grants="SELECT, INSERT, UPDATE",
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="hold_public_id_is_unique"
            ),
            models.UniqueConstraint(fields=["marketplace", "claim"], name="hold_is_one_per_claim"),
            models.CheckConstraint(
                name="hold_concerns_what_its_kind_holds",
                condition=(
                    Q(kind="line", statement__isnull=True)
                    & (
                        Q(order_line__isnull=False, invoice_month__isnull=True)
                        | Q(amount__isnull=False, invoice_month__isnull=True)
                        | Q(order_line=None, amount=None, invoice_month__isnull=False)
                    )
                )
                | (
                    ~Q(kind="line")
                    & Q(order_line=None, claim=None, amount=None, invoice_month=None, taken=0)
                ),
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "invoice_month"],
                name="hold_is_one_per_month_of_supplies",
                condition=Q(state="placed", invoice_month__isnull=False),
            ),
            models.CheckConstraint(
                name="hold_amounts_are_not_below_zero",
                condition=(Q(amount__isnull=True) | Q(amount__gt=0)) & Q(taken__gte=0),
            ),
            models.CheckConstraint(
                name="hold_is_in_force_or_was_released_once",
                condition=Q(state="placed", released_at__isnull=True)
                | Q(state="released", released_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "seller", "-id"], name="hold_by_seller"),
            models.Index(
                fields=["marketplace", "seller"],
                name="hold_at_work",
                condition=Q(state="placed") | Q(taken__gt=0),
            ),
            models.Index(
                fields=["marketplace", "statement"],
                name="hold_of_statement",
                condition=Q(statement__isnull=False),
            ),
        ]

    def __str__(self):
        return self.public_id

    @property
    def has_way_out(self):
        """Whether something ends it: a day, a condition, or the decision on its claim."""
        return bool(self.release_on or self.condition or self.claim_id)


class HoldMovement(TenantModel):
    """What one statement kept back for a hold, or gave back of it. Amounts in minor units."""

    hold = TenantKey(Hold, related_name="movements", verbose_name=_("hold"))
    statement = TenantKey(Statement, related_name="hold_movements", verbose_name=_("statement"))
    taken = models.BigIntegerField(_("kept back"), default=0)
    released = models.BigIntegerField(_("given back"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("movement of a hold")
        verbose_name_plural = _("movements of holds")
        constraints = [
            *constraints.tenant(
                "hold_movement", "hold", "statement", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "statement", "hold"],
                name="hold_movement_is_one_per_statement",
            ),
            models.CheckConstraint(
                name="hold_movement_moves_something_one_way",
                condition=Q(taken__gt=0, released=0) | Q(taken=0, released__gt=0),
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "hold"], name="hold_movement_by_hold")]

    def __str__(self):
        return f"{self.hold_id} {self.statement_id}"


class AttachmentPayment(TenantModel):
    """Held money that went to an attachment's creditor or was deposited with a court. Never edited.

    The amount is in minor units. Written by settlements.attaching only.
    """

    class Kind(models.TextChoices):
        DEPOSITED = "deposited", _("Deposited with the court")
        COLLECTED = "collected", _("Paid to the creditor")

    public_id = models.CharField(_("public id"), max_length=40, default=_payment_id, editable=False)
    hold = TenantKey(Hold, related_name="payments", verbose_name=_("hold"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    payee = models.CharField(_("payee"), max_length=200)
    amount = models.BigIntegerField(_("amount"))
    on = models.DateField(_("on"))
    evidence = models.CharField(_("evidence"), max_length=200)
    reason = models.CharField(_("reason"), max_length=500)
    by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("recorded by"),
    )
    at = models.DateTimeField(_("recorded at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("payment of an attachment")
        verbose_name_plural = _("payments of attachments")
        constraints = [
            *constraints.tenant(
                "attachment_payment", "hold", "seller", grants=constraints.APPEND_ONLY
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="attachment_payment_public_id_is_unique"
            ),
            models.CheckConstraint(
                name="attachment_payment_is_of_some_amount", condition=Q(amount__gt=0)
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "hold", "id"], name="attachment_payment_by_hold")
        ]

    def __str__(self):
        return self.public_id
