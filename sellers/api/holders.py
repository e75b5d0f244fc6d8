"""Whose API key a request was made with, and which seller it is about."""

from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller

# Those who are suspended or leaving still see their orders, claims and money.
_WITHOUT_ACCESS = (Seller.State.ONBOARDING, Seller.State.TERMINATED)


class UnknownSeller(Refused):
    code = "unknown_seller"
    message = gettext_noop("No seller has the code “%(value)s”.")


def open_for(public_id: str) -> Seller | None:
    """The seller of a key, in the marketplace in use; None when the key opens nothing any more."""
    return Seller.objects.filter(public_id=public_id).exclude(state__in=_WITHOUT_ACCESS).first()


def named(code: str | None, holder: Seller | None) -> Seller:
    """The seller that a request is about: the key's own, or the one that it names by code.

    Raises UnknownSeller, also where a seller's key names another one.
    """
    if holder is not None and code in (None, holder.code):
        return holder
    found = None if holder else Seller.objects.filter(code=code or "").first()
    if found is None:
        raise UnknownSeller(value=code or "", field="seller_code")
    return found
