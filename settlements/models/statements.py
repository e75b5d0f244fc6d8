"""What a seller is owed on a day, and the terms that its lines were computed with."""

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, scoped
from sellers.models import Seller
from settlements import adjustments
from settlements.fee_rules import SALE_VAT
from settlements.models.rates import FeeScheduleVersion


def _statement_id():
    return identifiers.public_id("stm")


class LineTerms(TenantModel):
    """The rules and benefits that a settlement line was computed with, stored once and shared.

    `key` is fees.Terms.key(): schedule version, rule of each component, benefits, VAT rate. The
    id is derived from it, so that shards which never see each other write the same row.
    """

    id = models.BigIntegerField(primary_key=True)
    version = TenantKey(FeeScheduleVersion, related_name="+", verbose_name=_("version"))
    key = models.JSONField(_("terms"))

    class Meta(TenantModel.Meta):
        verbose_name = _("terms of lines")
        verbose_name_plural = _("terms of lines")
        constraints = constraints.tenant("line_terms", "version", grants=constraints.APPEND_ONLY)

    def __str__(self):
        return str(self.pk)


class StatementQuerySet(models.QuerySet):
    def open(self):
        return self.filter(state=Statement.State.OPEN)

    def due_on(self, day):
        """Open statements that must be closed by the night of `day`."""
        return self.open().filter(due_on__lte=day)

    def reserve_due(self, day):
        """Statements whose reserve has to be given back by `day`, and was not counted so far."""
        swept = SellerBalance.objects.filter(seller=OuterRef("seller"))
        return self.filter(
            Q(reserve_due_on__gt=Subquery(swept.values("reserve_swept_on")))
            | Q(~Exists(swept.filter(reserve_swept_on__isnull=False))),
            reserve__gt=0,
            reserve_due_on__lte=day,
        )

    def payable_on(self, day):
        """Closed statements whose money was due by `day` and is in no payout."""
        return self.filter(state=Statement.State.PAYABLE, due_on__lte=day)

    def withheld(self):
        """Closed statements that tax was withheld from."""
        taxed = Q(withholding_income__gt=0) | Q(withholding_local__gt=0)
        return self.filter(taxed, closed_on__isnull=False)


class Statement(TenantModel):
    """What one seller is owed on one due date. Totals are sums of its lines.

    Open statements take further lines; a closed one is never rewritten, and a line that comes
    after that goes to a later one. Amounts in minor units.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", pgettext_lazy("statement", "Closed")
        PAYABLE = "payable", _("Payable")
        IN_PAYOUT = "in_payout", _("In payout")
        PAID = "paid", pgettext_lazy("statement", "Paid")

    MOVES = {  # every legal change of state; anything else is refused
        State.OPEN: {State.CLOSED, State.PAYABLE},
        State.CLOSED: set(),
        State.PAYABLE: {State.IN_PAYOUT, State.PAID},  # paid: a bank that had said it failed
        State.IN_PAYOUT: {State.PAID, State.PAYABLE},
        State.PAID: {State.PAYABLE},  # the money came back
    }

    public_id = models.CharField(
        _("public id"), max_length=40, default=_statement_id, editable=False
    )
    seller = TenantKey(Seller, related_name="statements", verbose_name=_("seller"))
    due_on = models.DateField(_("due on"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    lines = models.PositiveBigIntegerField(_("lines"), default=0)
    first_basis_on = models.DateField(_("first basis date"), null=True, blank=True)
    last_basis_on = models.DateField(_("last basis date"), null=True, blank=True)
    list_amount = models.BigIntegerField(_("list amount"), default=0)
    seller_discount = models.BigIntegerField(_("seller's discount"), default=0)
    platform_discount = models.BigIntegerField(_("platform's discount"), default=0)
    partner_discount = models.BigIntegerField(_("partner's discount"), default=0)
    fee = models.BigIntegerField(_("fees"), default=0)
    vat = models.BigIntegerField(_("VAT on fees"), default=0)
    net = models.BigIntegerField(_("net of its lines"), default=0)
    service_net = models.BigIntegerField(_("of it for personal services"), default=0, db_default=0)
    components = models.JSONField(
        _("by component"), default=dict, help_text=_("Component: [fee, VAT, VAT on top].")
    )
    carry_in = models.BigIntegerField(_("carried in"), default=0)
    released_holds = models.BigIntegerField(_("given back from holds"), default=0, db_default=0)
    new_holds = models.BigIntegerField(_("asked for by holds"), default=0, db_default=0)
    hold_taken = models.BigIntegerField(_("held back"), default=0, db_default=0)
    payable = models.BigIntegerField(_("payable"), default=0)
    reserve = models.BigIntegerField(_("reserve"), default=0)
    reserve_due_on = models.DateField(_("reserve kept until"), null=True, blank=True)
    reserve_released = models.BigIntegerField(
        _("given back from reserves"), default=0, db_default=0
    )
    withholding_income = models.BigIntegerField(_("income tax withheld"), default=0)
    withholding_local = models.BigIntegerField(_("local tax withheld"), default=0)
    payout = models.BigIntegerField(_("payout"), default=0)
    debt_invoiced = models.BigIntegerField(_("debt invoiced"), default=0, db_default=0)
    carry_out = models.BigIntegerField(_("carried on"), default=0)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)

    objects = scoped(StatementQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        permissions = [("export_statement", _("Can export lines, statements and journal"))]
        constraints = [
            *constraints.tenant("statement", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "due_on"], name="statement_is_one_per_due_date"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="statement_public_id_is_unique"
            ),
            models.CheckConstraint(
                name="statement_open_has_no_closing_day",
                condition=Q(state="open", closed_on__isnull=True)
                | (~Q(state="open") & Q(closed_on__isnull=False)),
            ),
            models.CheckConstraint(
                name="statement_payable_is_lines_carry_and_holds",
                condition=Q(state="open")
                | Q(payable=F("net") + F("carry_in") + F("released_holds") - F("hold_taken")),
            ),
            models.CheckConstraint(
                name="statement_payout_is_what_is_left",
                condition=Q(state="open")
                | Q(
                    payable=F("payout")
                    + F("reserve")
                    + F("withholding_income")
                    + F("withholding_local")
                    + F("carry_out")
                    - F("reserve_released")
                    - F("debt_invoiced")
                ),
            ),
            models.CheckConstraint(
                name="statement_holds_at_most_what_is_asked",
                condition=Q(
                    released_holds__gte=0,
                    hold_taken__gte=0,
                    hold_taken__lte=F("new_holds"),
                    reserve_released__gte=0,
                    debt_invoiced__gte=0,
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "due_on", "seller"],
                name="statement_open_by_due_date",
                condition=Q(state="open"),
            ),
            models.Index(fields=["marketplace", "-due_on"], name="statement_newest_first"),
            models.Index(
                fields=["marketplace", "seller", "reserve_due_on"],
                name="statement_reserve_due",
                condition=Q(reserve__gt=0),
            ),
            models.Index(fields=["marketplace", "closed_on"], name="statement_by_closing"),
            models.Index(
                fields=["marketplace", "due_on", "seller"],
                name="statement_payable_by_due_date",
                condition=Q(state="payable"),
            ),
            models.Index(
                fields=["marketplace", "due_on"],
                name="statement_in_payout",
                condition=Q(state="in_payout"),
            ),
            models.Index(
                fields=["marketplace", "seller", "closed_on"],
                name="statement_with_debt_invoiced",
                condition=Q(debt_invoiced__gt=0),
            ),
        ]

    def __str__(self):
        return f"{self.seller_id} {self.due_on}"

    @property
    def split(self):
        """Its fees apart from what else was added and deducted (adjustments.Split)."""
        return adjustments.split(self.components)

    @property
    def sale_vat(self):
        """The VAT of sales that the marketplace issues and owes; it is no fee and in no sum of
        fees."""
        return self.components.get(SALE_VAT, (0,))[0]

    @property
    def hold_unfilled(self):
        """What holds asked for beyond what there was; it waits for the next statement."""
        return self.new_holds - self.hold_taken

    @property
    def charged(self):
        """Fees with all their VAT, and the VAT of sales that the marketplace owes: what is taken
        off the price, before other additions and deductions."""
        return self.split.fee_with_vat + self.sale_vat

    @property
    def sold_net(self):
        """What is left of the price after discounts, fees and VAT."""
        return self.list_amount - self.seller_discount - self.charged


class SellerBalance(TenantModel):
    """What a seller carries from one statement to the next. Overwritten as statements close.

    `reserve` is all that is reserved; `reserve_released` of it is due, up to `reserve_swept_on`,
    and waits for a payout or a debt. It is below zero where debts took of what was not due yet.
    `receivable` is debt that was invoiced and is not carried. Amounts in minor units.
    """

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    carry = models.BigIntegerField(_("carried on"), default=0)
    held = models.BigIntegerField(_("held back"), default=0, db_default=0)
    reserve = models.BigIntegerField(_("reserve"), default=0)
    reserve_released = models.BigIntegerField(_("reserve that is due"), default=0, db_default=0)
    reserve_swept_on = models.DateField(_("reserves counted up to"), null=True, blank=True)
    receivable = models.BigIntegerField(_("invoiced debt"), default=0, db_default=0)
    withholding_base = models.BigIntegerField(_("withholding base carried"), default=0)

    class Meta(TenantModel.Meta):
        verbose_name = _("seller balance")
        verbose_name_plural = _("seller balances")
        constraints = [
            *constraints.tenant("seller_balance", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "seller"], name="seller_balance_is_one_per_seller"
            ),
            models.CheckConstraint(
                name="seller_balance_keeps_nothing_below_zero",
                condition=Q(held__gte=0, reserve__gte=0, receivable__gte=0),
            ),
        ]

    def __str__(self):
        return f"{self.seller_id}: {self.carry}"
