"""Mail to the people of a shop, in the marketplace's language.

An invitation is sent by the page, which knows the address of the site. Warnings are handlers of
announcements (marketplace.handlers): a mail server that is down delays them and loses none. A test
marketplace warns its own operators alone; an invitation goes where a person asked for it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext

from marketplace import imprints, tenancy
from marketplace.models import Marketplace
from marketplace.reach import Reach
from sellers import profiles
from sellers.models import BankAccount, Invitation, Seller, SellerMember

# How long after a change of the contact address warnings still go to the one before.
FORMER_ADDRESS = timedelta(days=30)


def invitation(row: Invitation, link: str, *, at: datetime) -> None:
    """Ask somebody to help in a shop."""
    with tenancy.use(row.marketplace_id) as marketplace, _speaking_for(marketplace):
        subject = gettext("Invitation to the shop “%(shop)s”") % {"shop": row.seller.name}
        context = {"invitation": row, "link": link, "marketplace": marketplace}
        _send("invitation", subject, [row.email], context, at=at)


def bank_account_changed(
    marketplace: Marketplace, *, at: datetime, seller_id: int, bank_account: str
) -> None:
    """Warn everybody who could have been the one to change the account, and who could not."""
    seller = Seller.objects.get(pk=seller_id)
    account = BankAccount.objects.get(public_id=bank_account)
    with _speaking_for(marketplace):
        subject = gettext("The bank account of “%(shop)s” was changed") % {"shop": seller.name}
        context = {"seller": seller, "account": account, "marketplace": marketplace}
        _warn("bank_account_changed", subject, _everybody(seller, at), context, at=at)


def contact_changed(marketplace: Marketplace, *, at: datetime, seller_id: int) -> None:
    """Tell the address that letters went to before."""
    seller = Seller.objects.get(pk=seller_id)
    profile = profiles.of(seller)
    with _speaking_for(marketplace):
        subject = gettext("The contact address of “%(shop)s” was changed") % {"shop": seller.name}
        context = {"seller": seller, "marketplace": marketplace}
        _warn("contact_changed", subject, [profile.former_contact_email], context, at=at)


def payout_failed(
    marketplace: Marketplace,
    *,
    at: datetime,
    seller_id: int,
    payout: str,
    is_assigned: bool = False,
) -> None:
    """Tell that money did not arrive, and what to do: the seller, or the assignee of the claims."""
    seller = Seller.objects.get(pk=seller_id)
    with _speaking_for(marketplace):
        subject = gettext("A payout of “%(shop)s” did not arrive") % {"shop": seller.name}
        context = {"seller": seller, "payout": payout, "marketplace": marketplace}
        context |= {"is_assigned": is_assigned}
        _warn("payout_failed", subject, _everybody(seller, at), context, at=at)


@contextmanager
def _speaking_for(marketplace: Marketplace) -> Iterator[None]:
    with translation.override(marketplace.locale), timezone.override(marketplace.tz):
        yield


def _everybody(seller: Seller, at: datetime) -> list[str]:
    profile = profiles.of(seller)
    owners = seller.members.filter(role=SellerMember.Role.OWNER)
    addresses = {profile.contact_email, *owners.values_list("user__email", flat=True)}
    changed_at = profile.contact_email_changed_at
    if changed_at is not None and at - changed_at < FORMER_ADDRESS:
        addresses.add(profile.former_contact_email)
    return sorted(addresses - {""})


def _send(name: str, subject: str, to: list[str], context: dict, *, at: datetime) -> None:
    today = at.astimezone(context["marketplace"].tz).date()
    imprint = imprints.of(imprints.identity_of(today))
    context = {**context, "imprint": imprint}
    body = render_to_string(f"sellers/letters/{name}.txt", context).strip() + "\n"
    # A shop's name may hold a line break; a header may not.
    EmailMessage(" ".join(subject.split()), body, to=to).send()


def _warn(name: str, subject: str, to: Iterable[str], context: dict, *, at: datetime) -> None:
    """Send to each address on its own, as far as the marketplace may mail there."""
    for address in Reach(context["marketplace"]).among(to):
        _send(name, subject, [address], context, at=at)
