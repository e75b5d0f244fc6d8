"""Where a user may go: the admin of a marketplace, and the shops that they belong to."""

from dataclasses import dataclass

from django.urls import reverse

from marketplace import permissions, tenancy
from marketplace.models import Marketplace, User
from sellers.models import Seller, SellerMember


@dataclass(frozen=True, slots=True)
class Place:
    """An address to go to. `shop` is empty where the user is an operator."""

    marketplace: str
    shop: str
    address: str


def places_of(user: User) -> list[Place]:
    """Every place of the user's, operators' desks first, then shops by marketplace."""
    desks = [
        Place(marketplace.name, "", reverse("admin:index"))
        for marketplace in permissions.may_enter(user)
        if user.is_staff
    ]
    return desks + _shops(user)


def _shops(user: User) -> list[Place]:
    keys = SellerMember.objects.filter(user=user).values("marketplace_id")
    return [
        place
        for marketplace in Marketplace.objects.filter(pk__in=keys).order_by("name")
        for place in _shops_in(marketplace, user)
    ]


def _shops_in(marketplace: Marketplace, user: User) -> list[Place]:
    # Shops belong to their marketplace, so each is entered for its own.
    with tenancy.use(marketplace.pk):
        names = Seller.objects.filter(members__user=user).order_by("name")
        count = len(names)
        address = reverse("shop_home" if count == 1 else "shop_choose", args=[marketplace.slug])
        return [Place(marketplace.name, ", ".join(seller.name for seller in names), address)]
