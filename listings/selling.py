"""What a seller does with the sale of a listing: pauses it, resumes it, ends it.

The platform's stop (reviewing.take_down) is another state, which no seller lifts. Orders that were
placed before go on in every case.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from listings.models import Listing, Revision
from listings.reviewing import ListingClosed, ShopNotOpen
from marketplace import changes, states
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller

State = Listing.State


class NotOnSale(Refused):
    code = "listing_not_on_sale"
    message = gettext_noop("Only a listing that is on sale can be paused.")


class NotPaused(Refused):
    code = "listing_not_paused"
    message = gettext_noop("Only a listing that its seller paused can be resumed.")


class TakenDown(Refused):
    code = "listing_taken_down"
    message = gettext_noop("The marketplace took this listing down, and only it lifts that.")


@transaction.atomic
def pause(listing: Listing, *, by, at: datetime) -> Listing:
    """Take a listing from sale until its seller resumes it.

    Raises NotOnSale, TakenDown, ListingClosed.
    """
    listing = _locked(listing)
    _refuse_stopped(listing)
    if listing.state != State.ON_SALE:
        raise NotOnSale()
    states.move(listing, State.PAUSED_BY_SELLER, by=by, at=at, changes={"paused_at": at})
    _announce("paused", listing, at)
    return listing


@transaction.atomic
def resume(listing: Listing, *, by, at: datetime) -> Listing:
    """Put what was paused on sale again.

    Raises NotPaused, TakenDown, ListingClosed, and ShopNotOpen while the seller may not sell.
    """
    listing = _locked(listing)
    _refuse_stopped(listing)
    if listing.state != State.PAUSED_BY_SELLER:
        raise NotPaused()
    if listing.seller.state != Seller.State.ACTIVE:
        raise ShopNotOpen()
    states.move(listing, State.ON_SALE, by=by, at=at, changes={"paused_at": None})
    _announce("resumed", listing, at)
    return listing


@transaction.atomic
def close(listing: Listing, *, by, at: datetime) -> Listing:
    """End a listing for good; a draft of it awaits nothing any more. Raises ListingClosed.

    One that the platform took down may be ended too: it is out of sale either way.
    """
    listing = _locked(listing)
    if listing.state == State.CLOSED:
        raise ListingClosed()
    states.move(listing, State.CLOSED, by=by, at=at)
    _put_aside(listing, by=by, at=at)
    _announce("closed", listing, at)
    return listing


DEEDS: Final[dict[str, Callable[..., Listing]]] = {
    "pause": pause,
    "resume": resume,
    "close": close,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a deed on several listings: each stands for itself."""

    done: list[Listing] = field(default_factory=list)
    refused: list[tuple[Listing, Refused]] = field(default_factory=list)


def each(listings: Iterable[Listing], deed: str, *, by, at: datetime) -> Told:
    """Do one of DEEDS to some listings; what refuses one of them holds up no other."""
    told = Told()
    for listing in listings:
        try:
            told.done.append(DEEDS[deed](listing, by=by, at=at))
        except Refused as refused:
            told.refused.append((listing, refused))
    return told


def _locked(listing: Listing) -> Listing:
    rows = Listing.objects.select_related("seller").select_for_update(of=("self",), no_key=True)
    return rows.get(pk=listing.pk)


def _refuse_stopped(listing: Listing) -> None:
    if listing.state == State.CLOSED:
        raise ListingClosed()
    if listing.state == State.SUSPENDED_BY_PLATFORM:
        raise TakenDown()


def _announce(deed: str, listing: Listing, at: datetime) -> None:
    changes.announce(f"listing.{deed}", listing.public_id, at=at, seller_id=listing.seller_id)


def _put_aside(listing: Listing, *, by, at: datetime) -> None:
    """Take an undecided revision out of the queues of operator and seller."""
    undecided = listing.revisions.select_for_update(no_key=True)
    revision = undecided.exclude(state=Revision.State.APPROVED).first()
    if revision is None:
        return
    Revision.objects.filter(pk=revision.pk).update(sent_back_for="")
    if revision.state != Revision.State.DRAFT:
        states.move(revision, Revision.State.DRAFT, by=by, at=at, reason="closed")
