"""What listings add to the admin's page of a seller: what waits for a review, what is new."""

from django.utils.translation import gettext as _

from listings.models import Listing, Revision
from marketplace.story_pages import Section
from sellers.models import Seller

_NEWEST = 5


def of_seller(request, seller: Seller) -> Section | None:
    if not request.user.has_perm("listings.view_listing"):
        return None
    waiting = Revision.objects.all().awaiting_review().filter(listing__seller=seller)
    listings = Listing.objects.filter(seller=seller).select_related("live_revision")
    return Section(
        _("Listings"),
        "listings/admin/_seller.html",
        {
            "waiting": list(waiting.select_related("listing")[:_NEWEST]),
            "listings": list(listings.order_by("-pk")[:_NEWEST]),
        },
    )
