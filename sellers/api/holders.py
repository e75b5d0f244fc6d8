"""Whose API key a request was made with: the seller that a seller's key is limited to."""

from sellers.models import Seller

# Those who are suspended or leaving still see their orders, claims and money.
_WITHOUT_ACCESS = (Seller.State.ONBOARDING, Seller.State.TERMINATED)


def open_for(public_id: str) -> Seller | None:
    """The seller of a key, in the marketplace in use; None when the key opens nothing any more."""
    return Seller.objects.filter(public_id=public_id).exclude(state__in=_WITHOUT_ACCESS).first()
