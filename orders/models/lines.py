"""Lines of orders. Their figures are frozen when they are accepted."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from listings.models import Category, Listing
from marketplace import constraints
from marketplace.models import TenantKey, TenantModel, scoped
from orders.models.claims import Claim
from orders.models.orders import Order
from sellers.models import Seller


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
            # What is long on its way is found without what was sold lately.
            models.Index(
                fields=["marketplace", "paid_on"],
                name="order_line_undelivered",
                condition=Q(status__in=["paid", "preparing", "shipped"]),
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
                fields=["marketplace", "status", "-id"],
                name="order_line_by_status",
                condition=~Q(status="confirmed"),
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
