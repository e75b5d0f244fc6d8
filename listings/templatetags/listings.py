"""How listings and revisions are shown: {% listing_state listing %}, {% revision_state draft %}."""

from django import template

from listings.models import Listing, Revision

register = template.Library()

_LISTING_TONES = {
    Listing.State.ON_SALE: "green",
    Listing.State.PAUSED_BY_SELLER: "yellow",
    Listing.State.SUSPENDED_BY_PLATFORM: "red",
}
_REVISION_TONES = {
    Revision.State.BLOCKED: "red",
    Revision.State.SUBMITTED: "blue",
    Revision.State.APPROVED: "green",
}


@register.inclusion_tag("components/_state.html")
def listing_state(listing: Listing):
    return {"text": listing.get_state_display(), "tone": _LISTING_TONES.get(listing.state)}


@register.inclusion_tag("components/_state.html")
def revision_state(revision: Revision):
    return {"text": revision.get_state_display(), "tone": _REVISION_TONES.get(revision.state)}
