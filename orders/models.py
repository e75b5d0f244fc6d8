"""Orders as the shop sent them, what happened to them, and what they came to.

An order line's figures are frozen when it is accepted. Events are evidence, folded into the
line's state in any order of arrival. An Outcome is what settlement reads: a line was confirmed
with n units, and later kept fewer.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from listings.models import Category, Listing
from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel, VersionedRule, scoped
from sellers.models import Seller


def _order_id():
    return identifiers.public_id("ord")


def _claim_id():
    return identifiers.public_id("clm")


def _shipment_id():
    return identifiers.public_id("shp")


class ConfirmationPolicy(VersionedRule):
    """When a delivered line counts as confirmed by itself, and how long a buyer may withdraw."""

    class Withdrawal(models.TextChoices):
        KOREA = "kr", _("Korean e-commerce act: first day excluded, moved off holidays")
        NONE = "none", _("None")

    confirm_after_days = models.PositiveSmallIntegerField(_("days after delivery"))
    withdrawal_rule = models.CharField(
        _("withdrawal rule"), max_length=10, choices=Withdrawal, default=Withdrawal.KOREA
    )
    withdrawal_days = models.PositiveSmallIntegerField(_("days to withdraw"), default=7)
    ship_within_days = models.PositiveSmallIntegerField(
        _("business days to ship"), default=3, help_text=_("Later counts as shipped late.")
    )
    answer_within_days = models.PositiveSmallIntegerField(
        _("business days to answer a claim"), default=3
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("confirmation policy")
        verbose_name_plural = _("confirmation policies")
        constraints = [
            *constraints.tenant("confirmation_policy"),
            constraints.Frozen(name="confirmation_policy_frozen"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="confirmation_policy_number_is_unique"
            ),
        ]


class Order(TenantModel):
    """One checkout; may hold lines of several sellers."""

    public_id = models.CharField(_("public id"), max_length=40, default=_order_id, editable=False)
    number = models.CharField(
        _("order number"), max_length=100, help_text=_("The sender's own number.")
    )
    source = models.CharField(_("sender"), max_length=40)
    placed_at = models.DateTimeField(_("placed at"))
    buyer_reference = models.CharField(_("buyer reference"), max_length=100, blank=True)
    tender_difference = models.BigIntegerField(
        _("tenders less charges"),
        default=0,
        help_text=_("Not zero only for imported history, where it is listed for reconciliation."),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            *constraints.tenant("order"),
            models.UniqueConstraint(
                fields=["marketplace", "number"], name="order_number_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="order_public_id_is_unique"
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "-placed_at"], name="order_newest_first")]

    def __str__(self):
        return self.number


class OrderLineQuerySet(models.QuerySet):
    def due_for_confirmation(self, on):
        """Paid, delivered lines whose waiting time has ended by `on`, held back by no claim."""
        open_claims = Claim.objects.filter(line=OuterRef("pk"), state__in=Claim.OPEN_STATES)
        return self.filter(
            ~Exists(open_claims),
            status=OrderLine.Status.DELIVERED,
            confirm_due_on__lte=on,
            paid_on__isnull=False,
        )


class OrderLine(TenantModel):
    """Goods of one seller, or a shipping charge, or another stream of revenue.

    Amounts are minor units of the marketplace's currency. `units_left` is what is neither
    cancelled nor returned; `paid_on` and `confirmed_on` are business dates frozen from the first
    accepted event (rate_on and basis_on of the settlement).
    """

    class Status(models.TextChoices):
        PENDING_PAYMENT = "pending_payment", _("Awaiting payment")
        PAID = "paid", _("Paid")
        PREPARING = "preparing", _("Preparing")
        SHIPPED = "shipped", _("Shipped")
        DELIVERED = "delivered", _("Delivered")
        CONFIRMED = "confirmed", _("Purchase confirmed")
        CANCELLED = "cancelled", _("Cancelled")
        RETURNED = "returned", _("Returned")

    class TaxKind(models.TextChoices):
        TAXABLE = "taxable", _("Taxable")
        EXEMPT = "exempt", _("Tax exempt")

    MOVES = {  # every legal change of status; out-of-order events may skip forward
        Status.PENDING_PAYMENT: {
            Status.PAID,
            Status.PREPARING,
            Status.SHIPPED,
            Status.DELIVERED,
            Status.CONFIRMED,
            Status.CANCELLED,
        },
        Status.PAID: {
            Status.PREPARING,
            Status.SHIPPED,
            Status.DELIVERED,
            Status.CONFIRMED,
            Status.CANCELLED,
        },
        Status.PREPARING: {
            Status.SHIPPED,
            Status.DELIVERED,
            Status.CONFIRMED,
            Status.CANCELLED,
        },
        Status.SHIPPED: {
            Status.DELIVERED,
            Status.CONFIRMED,
            Status.CANCELLED,
            Status.RETURNED,
        },
        Status.DELIVERED: {Status.CONFIRMED, Status.CANCELLED, Status.RETURNED},
        Status.CONFIRMED: {Status.CANCELLED, Status.RETURNED},
        Status.CANCELLED: set(),
        Status.RETURNED: set(),
    }

    order = TenantKey(Order, models.CASCADE, related_name="lines", verbose_name=_("order"))
    number = models.PositiveIntegerField(_("line"))
    seller = TenantKey(Seller, related_name="order_lines", verbose_name=_("seller"))
    stream = models.CharField(
        _("revenue stream"), max_length=30, default="goods", help_text=_("goods, shipping, …")
    )
    listing = TenantKey(Listing, null=True, blank=True, related_name="+", verbose_name=_("listing"))
    category = TenantKey(
        Category, null=True, blank=True, related_name="+", verbose_name=_("category")
    )
    listing_kind = models.CharField(_("kind of listing"), max_length=30, blank=True)
    channel = models.CharField(_("channel"), max_length=30, blank=True)
    seller_type = models.CharField(_("type of seller"), max_length=20)
    sku = models.CharField(_("stock code"), max_length=100, blank=True)
    title = models.CharField(_("title"), max_length=300, blank=True)
    delivery_group = models.CharField(_("delivery group"), max_length=60, blank=True)
    tax_kind = models.CharField(
        _("tax kind"), max_length=10, choices=TaxKind, default=TaxKind.TAXABLE
    )
    unit_price = models.BigIntegerField(_("unit price"))
    quantity = models.PositiveIntegerField(_("quantity"))
    list_amount = models.BigIntegerField(_("list amount"))
    seller_discount = models.BigIntegerField(_("seller's discount"), default=0)
    platform_discount = models.BigIntegerField(_("platform's discount"), default=0)
    partner_discount = models.BigIntegerField(_("partner's discount"), default=0)
    status = models.CharField(
        _("status"), max_length=20, choices=Status, default=Status.PENDING_PAYMENT
    )
    units_left = models.PositiveIntegerField(_("units left"))
    paid_on = models.DateField(_("paid on"), null=True, blank=True)
    shipped_on = models.DateField(_("shipped on"), null=True, blank=True)
    delivered_on = models.DateField(_("delivered on"), null=True, blank=True)
    confirm_due_on = models.DateField(_("confirmed by itself on"), null=True, blank=True)
    confirmed_on = models.DateField(_("confirmed on"), null=True, blank=True)
    cancelled_on = models.DateField(
        _("cancelled on"),
        null=True,
        blank=True,
        help_text=_("When its last unit was cancelled; empty where it was confirmed before."),
    )
    cancelled_by_seller = models.BooleanField(_("cancelled by the seller"), default=False)

    objects = scoped(OrderLineQuerySet)

    class Meta(TenantModel.Meta):
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            *constraints.tenant("order_line", "order", "seller", "listing", "category"),
            models.UniqueConstraint(
                fields=["marketplace", "order", "number"], name="order_line_number_is_unique"
            ),
            models.CheckConstraint(
                name="order_line_list_amount_is_price_times_quantity",
                condition=Q(list_amount=F("unit_price") * F("quantity")),
            ),
            models.CheckConstraint(
                name="order_line_discounts_stay_within_the_list_amount",
                condition=Q(seller_discount__gte=0)
                & Q(platform_discount__gte=0)
                & Q(partner_discount__gte=0)
                & Q(unit_price__gte=0)
                & Q(
                    list_amount__gte=F("seller_discount")
                    + F("platform_discount")
                    + F("partner_discount")
                ),
            ),
            models.CheckConstraint(
                name="order_line_keeps_no_more_units_than_sold",
                condition=Q(units_left__lte=F("quantity")),
            ),
            models.CheckConstraint(
                name="order_line_confirmed_has_its_dates",
                condition=~Q(status="confirmed")
                | (Q(confirmed_on__isnull=False) & Q(paid_on__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["marketplace", "confirm_due_on"],
                name="order_line_awaiting_confirm",
                condition=Q(status="delivered"),
            ),
            # With the day of payment inside, days long past are found without their rows.
            models.Index(
                fields=["marketplace", "seller", "-order"],
                include=["paid_on"],
                name="order_line_by_seller",
            ),
            # What is confirmed leaves it, so it stays as small as the work that is open.
            models.Index(
                fields=["marketplace", "seller", "status", "-order"],
                name="order_line_unconfirmed",
                condition=~Q(status="confirmed") & ~Q(stream="shipping"),
            ),
            models.Index(
                fields=["marketplace", "seller"],
                name="order_line_unconfirmed_ship",
                condition=Q(status__in=["paid", "preparing", "shipped", "delivered"])
                & Q(stream="shipping"),
            ),
            models.Index(fields=["marketplace", "sku", "seller"], name="order_line_by_sku"),
            # Lines lie in the table about as they were paid: a few pages a day, and no upkeep.
            BrinIndex(
                fields=["marketplace", "paid_on", "shipped_on", "cancelled_on"],
                name="order_line_by_day",
            ),
        ]

    def __str__(self):
        return f"{self.order_id}/{self.number}"


class Payment(TenantModel):
    """A tender: what the buyer paid by one means. Amounts in minor units."""

    order = TenantKey(Order, models.CASCADE, related_name="payments", verbose_name=_("order"))
    sequence = models.PositiveSmallIntegerField(_("sequence"))
    kind = models.CharField(_("kind"), max_length=40)
    amount = models.BigIntegerField(_("amount"))
    tax_free_amount = models.BigIntegerField(_("of that tax free"), default=0)
    provider_id = models.CharField(_("provider's id"), max_length=100, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    cash_receipt = models.CharField(_("cash receipt"), max_length=60, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            *constraints.tenant("payment", "order"),
            models.UniqueConstraint(
                fields=["marketplace", "order", "sequence"], name="payment_sequence_is_unique"
            ),
            models.CheckConstraint(
                name="payment_amounts_are_not_negative",
                condition=Q(amount__gte=0)
                & Q(tax_free_amount__gte=0)
                & Q(tax_free_amount__lte=F("amount")),
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.amount}"


class OrderEvent(TenantModel):
    """Something that happened to an order, as its sender tells it; accepted once per sender's id.

    Without a line it concerns all lines of the order; with a seller, all lines of that seller.
    """

    class Kind(models.TextChoices):
        PAID = "paid", _("Paid")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged by the seller")
        SHIPPED = "shipped", _("Shipped")
        DELIVERED = "delivered", _("Delivered")
        CONFIRMED = "confirmed", _("Purchase confirmed")
        CANCELLED = "cancelled", _("Cancelled")

    source = models.CharField(_("sender"), max_length=40)
    source_id = models.CharField(_("sender's id"), max_length=120)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    order_number = models.CharField(_("order number"), max_length=100)
    line_number = models.PositiveIntegerField(_("line"), null=True, blank=True)
    seller_code = models.CharField(_("seller"), max_length=64, blank=True)
    quantity = models.PositiveIntegerField(_("units"), null=True, blank=True)
    by_seller = models.BooleanField(_("caused by the seller"), default=False)
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        constraints = [
            *constraints.tenant("order_event", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "source", "source_id"], name="order_event_is_accepted_once"
            ),
        ]
        indexes = [
            models.Index(fields=["marketplace", "order_number"], name="order_event_by_order")
        ]

    def __str__(self):
        return f"{self.order_number} {self.kind}"


class Outcome(TenantModel):
    """What a line came to: at confirmation (sale) and whenever less remains after it (reversal).

    The figures are what *remains* of the line; the reversed part is the difference to the
    outcome before. Written by orders.outcomes only, read by settlement, never changed.
    """

    class Kind(models.TextChoices):
        SALE = "sale", _("Sale")
        REVERSAL = "reversal", _("Reversal")

    line = TenantKey(OrderLine, related_name="outcomes", verbose_name=_("line"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    sequence = models.PositiveIntegerField(_("sequence"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    cause = models.CharField(_("cause"), max_length=40)
    rate_on = models.DateField(_("rate date"))
    basis_on = models.DateField(_("basis date"))
    quantity = models.PositiveIntegerField(_("units remaining"))
    list_amount = models.BigIntegerField(_("list amount remaining"))
    seller_discount = models.BigIntegerField(_("seller's discount remaining"))
    platform_discount = models.BigIntegerField(_("platform's discount remaining"))
    partner_discount = models.BigIntegerField(_("partner's discount remaining"))

    class Meta(TenantModel.Meta):
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")
        constraints = [
            *constraints.tenant("outcome", "line", "seller", grants=constraints.APPEND_ONLY),
            models.UniqueConstraint(
                fields=["marketplace", "line", "sequence"], name="outcome_sequence_is_unique"
            ),
            models.CheckConstraint(
                name="outcome_first_is_the_sale",
                condition=Q(sequence=0, kind="sale") | Q(sequence__gt=0, kind="reversal"),
            ),
        ]
        indexes = [BrinIndex(fields=["marketplace", "basis_on"], name="outcome_by_day")]

    def __str__(self):
        return f"{self.line_id}#{self.sequence}"


class OutcomeToSettle(TenantModel):
    """The queue of settlement: outcomes that no settlement line stands for yet.

    A row leaves in the transaction that writes its settlement line. A queue, not a flag or a
    time: flags cost a rewrite of the outcome, and times do not tell what has committed.
    """

    outcome = TenantKey(Outcome, related_name="+", verbose_name=_("outcome"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    basis_on = models.DateField(_("basis date"))

    class Meta(TenantModel.Meta):
        verbose_name = _("outcome to settle")
        verbose_name_plural = _("outcomes to settle")
        constraints = [
            *constraints.tenant(
                "outcome_to_settle", "outcome", "seller", grants="SELECT, INSERT, DELETE"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "seller", "outcome"], name="outcome_is_queued_once"
            ),
        ]

    def __str__(self):
        return f"{self.outcome_id}"


class Claim(TenantModel):
    """A buyer's wish to undo (part of) a line: cancel, return, exchange."""

    class Type(models.TextChoices):
        CANCEL = "cancel", _("Cancel")
        RETURN = "return", _("Return")

    class Fault(models.TextChoices):
        BUYER = "buyer", _("Buyer")
        SELLER = "seller", _("Seller")
        CARRIER = "carrier", _("Carrier")
        PLATFORM = "platform", _("Platform")

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        COMPLETED = "completed", _("Completed")

    MOVES = {  # every legal change of state; anything else is refused
        State.REQUESTED: {State.APPROVED, State.REJECTED, State.WITHDRAWN},
        State.APPROVED: {State.COMPLETED, State.REJECTED},
        State.REJECTED: set(),
        State.WITHDRAWN: set(),
        State.COMPLETED: set(),
    }
    OPEN_STATES = [State.REQUESTED, State.APPROVED]

    public_id = models.CharField(_("public id"), max_length=40, default=_claim_id, editable=False)
    line = TenantKey(OrderLine, related_name="claims", verbose_name=_("line"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    type = models.CharField(_("type"), max_length=20, choices=Type)
    fault = models.CharField(_("at fault"), max_length=20, choices=Fault)
    quantity = models.PositiveIntegerField(_("units"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    answer = models.CharField(
        _("answer"), max_length=500, blank=True, help_text=_("Why it was turned down.")
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    requested_at = models.DateTimeField(_("requested at"))
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    completed_on = models.DateField(_("completed on"), null=True, blank=True)
    source = models.CharField(_("sender"), max_length=40, blank=True)
    source_id = models.CharField(_("sender's id"), max_length=120, null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        constraints = [
            *constraints.tenant("claim", "line", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="claim_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "source", "source_id"], name="claim_is_accepted_once"
            ),
            models.CheckConstraint(name="claim_concerns_some_units", condition=Q(quantity__gt=0)),
        ]
        indexes = [
            models.Index(fields=["marketplace", "line"], name="claim_by_line"),
            models.Index(
                fields=["marketplace", "requested_at"],
                name="claim_waiting",
                condition=Q(state__in=["requested", "approved"]),
            ),
            models.Index(fields=["marketplace", "completed_on"], name="claim_by_completion"),
            models.Index(fields=["marketplace", "seller", "-id"], name="claim_by_seller"),
            models.Index(
                fields=["marketplace", "seller", "state", "requested_at", "id"],
                name="claim_by_seller_waiting",
                condition=Q(state__in=["requested", "approved"]),
            ),
        ]

    def __str__(self):
        return self.public_id


class Shipment(TenantModel):
    """A parcel of one seller for one order, handed to a carrier. What is in it stands in lines."""

    public_id = models.CharField(
        _("public id"), max_length=40, default=_shipment_id, editable=False
    )
    order = TenantKey(Order, related_name="shipments", verbose_name=_("order"))
    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    carrier = models.CharField(_("carrier"), max_length=20)
    tracking_number = models.CharField(_("tracking number"), max_length=40, blank=True)
    shipped_at = models.DateTimeField(_("shipped at"))
    shipped_by = models.ForeignKey(
        "marketplace.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("shipped by"),
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("shipment")
        verbose_name_plural = _("shipments")
        constraints = [
            *constraints.tenant("shipment", "order", "seller"),
            models.UniqueConstraint(
                fields=["marketplace", "public_id"], name="shipment_public_id_is_unique"
            ),
            models.UniqueConstraint(
                fields=["marketplace", "order", "seller", "carrier", "tracking_number"],
                name="shipment_of_an_order_is_told_once",
                condition=~Q(tracking_number=""),
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "order"], name="shipment_by_order")]

    def __str__(self):
        return self.public_id


class ShipmentLine(TenantModel):
    """Units of an order line that are in a parcel."""

    shipment = TenantKey(Shipment, models.CASCADE, related_name="lines", verbose_name=_("shipment"))
    line = TenantKey(OrderLine, related_name="shipped", verbose_name=_("line"))
    quantity = models.PositiveIntegerField(_("units"))

    class Meta(TenantModel.Meta):
        verbose_name = _("shipped line")
        verbose_name_plural = _("shipped lines")
        constraints = [
            *constraints.tenant("shipment_line", "shipment", "line"),
            models.UniqueConstraint(
                fields=["marketplace", "shipment", "line"], name="shipment_names_a_line_once"
            ),
            models.CheckConstraint(
                name="shipment_line_has_some_units", condition=Q(quantity__gt=0)
            ),
        ]
        indexes = [models.Index(fields=["marketplace", "line"], name="shipment_line_by_line")]

    def __str__(self):
        return f"{self.shipment_id}: {self.quantity}"


class PerformanceTouch(TenantModel):
    """A seller's day whose figures something has changed; waits to be computed again.

    A queue that only grows until orders.performance takes from it. Rows repeat: a unique one
    would be lost between a writer who finds it there and a night that is just taking it.
    """

    seller = TenantKey(Seller, related_name="+", verbose_name=_("seller"))
    on = models.DateField(_("business day"))

    class Meta(TenantModel.Meta):
        verbose_name = _("day to compute again")
        verbose_name_plural = _("days to compute again")
        constraints = constraints.tenant(
            "performance_touch", "seller", grants="SELECT, INSERT, DELETE"
        )

    def __str__(self):
        return f"{self.seller_id} {self.on}"


class ImportProfile(TenantModel):
    """How a marketplace reads somebody's files. `body` is read by orders.importing."""

    code = models.SlugField(_("code"), max_length=50, db_index=False)
    name = models.CharField(_("name"), max_length=100)
    body = models.JSONField(_("mapping"))

    class Meta(TenantModel.Meta):
        verbose_name = _("import profile")
        verbose_name_plural = _("import profiles")
        constraints = [
            *constraints.tenant("import_profile"),
            models.UniqueConstraint(
                fields=["marketplace", "code"], name="import_profile_code_is_unique"
            ),
        ]

    def __str__(self):
        return self.name
