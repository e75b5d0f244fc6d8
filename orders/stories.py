"""What orders add to the admin's page of a seller: work that is open, and what was sold last."""

from django.utils.translation import gettext as _

from marketplace.story_pages import Section
from orders.models import Claim, OrderLine
from sellers.models import Seller

_NEWEST = 5


def of_seller(request, seller: Seller) -> Section | None:
    if not request.user.has_perm("orders.view_orderline"):
        return None
    lines = OrderLine.objects.filter(seller=seller).select_related("order").order_by("-order")
    claims = Claim.objects.filter(seller=seller, state__in=Claim.OPEN_STATES)
    return Section(
        _("Orders"),
        "orders/admin/_seller.html",
        {
            "lines": list(lines[:_NEWEST]),
            "claims": list(claims.select_related("line").order_by("requested_at", "pk")[:_NEWEST]),
        },
    )
