"""What sellers were paid ahead, in the admin."""

from django.utils.translation import gettext_lazy as _

from marketplace.admin import (
    AutocompleteSelectFilter,
    RangeDateFilter,
    ReadOnlyAdmin,
    display,
    money_column,
    register,
)
from settlements import models


@register(models.FastSettlement)
class FastSettlementAdmin(ReadOnlyAdmin):
    """Order lines that were paid ahead on shipment, and what of it was taken back."""

    place = 26
    comes_from = _(
        "Sellers whose contract or grade allows it are paid ahead in the night after they ship."
    )
    list_display = [
        "ordered",
        "seller",
        "on",
        "units",
        money_column("advanced", _("paid ahead")),
        money_column("taken_back", _("taken back")),
        money_column("open", _("still to be taken back"), is_sortable=False),
        "ended_on",
    ]
    list_filter = [("seller", AutocompleteSelectFilter), ("on", RangeDateFilter)]
    list_filter_submit = True
    list_select_related = ["seller", "order_line__order"]
    ordering = ["-id"]

    @display(description=_("order line"), ordering="order_line")
    def ordered(self, row):
        return f"{row.order_line.order.number} / {row.order_line.number}"
