"""How a seller is reached. What identifies the business is changed by the operator alone."""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from marketplace import audit, identifiers, outbox
from sellers import standing
from sellers.models import Seller, SellerProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a seller may change without asking."""

    address: str
    phone: str
    contact_email: str


def of(seller: Seller) -> SellerProfile:
    """The seller's profile; an empty one, not stored, for a seller who came by import."""
    profile = SellerProfile.objects.filter(seller=seller).first()
    return profile or SellerProfile(seller=seller)


def shown_number(seller: Seller) -> str:
    """The business registration number as people write it; another country's as it came."""
    try:
        return identifiers.business_number(seller.business_number).shown
    except identifiers.NotABusinessNumber:
        return seller.business_number


@transaction.atomic
def change(seller: Seller, contact: Contact, *, by, at: datetime) -> SellerProfile:
    """Keep new contact data. The address that letters went to before hears of it.

    Raises ShopOver.
    """
    profile = of(standing.locked(seller))
    wanted = asdict(contact)
    changed = sorted(name for name in wanted if getattr(profile, name) != wanted[name])
    if not changed:
        return profile
    if "contact_email" in changed:
        profile.former_contact_email = profile.contact_email
        profile.contact_email_changed_at = at
    for name, value in wanted.items():
        setattr(profile, name, value)
    profile.save()
    # The trail cannot be erased, so it holds which fields, and not what stood in them.
    audit.record("sellerprofile.changed", by=by, at=at, obj=seller, data={"fields": changed})
    if profile.former_contact_email and "contact_email" in changed:
        outbox.add("seller.contact_changed", seller_id=seller.pk)
    return profile
