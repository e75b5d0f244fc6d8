"""Parcels, and what is in them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace import constraints, identifiers
from marketplace.models import TenantKey, TenantModel
from orders.models.lines import OrderLine
from orders.models.orders import Order
from sellers.models import Seller


def _shipment_id():
    return identifiers.public_id("shp")


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
