"""Which letters about money a seller gets, and who of the shop reads them. An owner chooses."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from marketplace import audit, tenancy
from marketplace.refusals import Refused, gettext_noop
from sellers import standing
from sellers.models import Seller, SellerMember, SellerProfile
from settlements import letter_kinds
from settlements.models import LetterChoice
from settlements.models.letters import KINDS


class NotOfTheShop(Refused):
    code = "letter_reader_not_of_the_shop"
    message = gettext_noop("Letters go to members of the shop alone. Invite the person first.")


class LetterRequired(Refused):
    code = "letter_required"
    message = gettext_noop("These letters have to be told and cannot be switched off: %(kinds)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an owner chooses; without readers the owners of the shop get the letters."""

    off: frozenset[str]
    readers: frozenset[int]
    to_contact: bool
    language: str


def of(seller: Seller) -> LetterChoice:
    """The seller's choice; one of all letters to the owners, not stored, where there is none."""
    return LetterChoice.objects.filter(seller=seller).first() or LetterChoice(seller=seller)


@transaction.atomic
def change(seller: Seller, choice: Choice, *, by, at: datetime) -> LetterChoice:
    """Keep a choice of letters. Raises ShopOver, NotOfTheShop, LetterRequired."""
    seller = standing.locked(seller)
    if required := sorted(choice.off & set(letter_kinds.REQUIRED)):
        names = dict(KINDS)
        kinds = ", ".join(str(names[kind]) for kind in required)
        raise LetterRequired(kinds=kinds, field="off")
    members = set(seller.members.values_list("user_id", flat=True))
    if not choice.readers <= members:
        raise NotOfTheShop(field="readers")
    row = of(seller)
    row.off, row.readers = sorted(choice.off), sorted(choice.readers)
    row.to_contact, row.language = choice.to_contact, choice.language
    row.save()
    data = {"off": row.off, "readers": len(row.readers), "language": row.language}
    audit.record("letterchoice.changed", by=by, at=at, obj=seller, data=data)
    return row


class Readers:
    """Who gets the letters of some sellers, and in which language; four queries for any number."""

    def __init__(self, sellers: Iterable[int]):
        keys = set(sellers)
        self._language = tenancy.current().locale
        self._choices = {row.seller_id: row for row in LetterChoice.objects.filter(seller__in=keys)}
        self._contacts = dict(
            SellerProfile.objects.filter(seller__in=keys).values_list("seller_id", "contact_email")
        )
        self._members: dict[int, list[SellerMember]] = {}
        members = SellerMember.objects.filter(
            marketplace=tenancy.current_id(), seller__in=keys, user__is_active=True
        )
        for member in members.select_related("user").order_by("pk"):
            self._members.setdefault(member.seller_id, []).append(member)

    def addresses(self, seller_id: int) -> list[str]:
        """Where the letters of a seller go; nowhere where nobody is known."""
        members = self._members.get(seller_id, [])
        choice = self._choices.get(seller_id)
        chosen = [row for row in members if choice and row.user_id in choice.readers]
        owners = [row for row in members if row.role == SellerMember.Role.OWNER]
        found = {row.user.email for row in chosen or owners}
        if choice is None or choice.to_contact or not found:
            found.add(self._contacts.get(seller_id, ""))
        return sorted(found - {""})

    def language(self, seller_id: int) -> str:
        choice = self._choices.get(seller_id)
        wanted = choice.language if choice else ""
        return wanted if wanted in dict(settings.LANGUAGES) else self._language
