"""The people of a shop: invited by its owners, given a role, let go.

An invitation is for one address. Its link is signed and ends after some days, and only a user
whose own confirmed address it is can accept it. A shop never loses its last owner.
"""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import transaction

from marketplace import audit, reasons, states, tenancy
from marketplace.models import User
from marketplace.refusals import Refused, gettext_noop
from sellers import standing
from sellers.models import Invitation, Seller, SellerMember

Role = SellerMember.Role
VALID = timedelta(days=7)
_SALT = "sellers.invitation"


class AlreadyMember(Refused):
    code = "already_a_member"
    message = gettext_noop("%(email)s belongs to this shop already.")


class AlreadyInvited(Refused):
    code = "already_invited"
    message = gettext_noop(
        "%(email)s was invited already. Withdraw that invitation to send a new one."
    )


class InvitationOver(Refused):
    code = "invitation_over"
    message = gettext_noop(
        "This invitation has been used, withdrawn, or is too old. Please ask for a new one."
    )


class NotInvited(Refused):
    code = "not_the_invited_address"
    message = gettext_noop(
        "This invitation is for another e-mail address. Log in with that address, or ask for an "
        "invitation to %(email)s."
    )


class LastOwner(Refused):
    code = "last_owner"
    message = gettext_noop("A shop keeps at least one owner. Make somebody else an owner first.")


@transaction.atomic
def invite(seller: Seller, email: str, role: str, *, by, at: datetime) -> Invitation:
    """Ask somebody to help in the shop. Raises ShopOver, AlreadyMember, AlreadyInvited.

    The letter is for the caller to send, who knows the address of the site.
    """
    seller, email = standing.locked(seller), email.lower()
    if seller.members.filter(user__email=email).exists():
        raise AlreadyMember(email=email)
    waiting = Invitation.objects.waiting().filter(seller=seller, email=email)
    if waiting.filter(expires_at__gt=at).exists():
        raise AlreadyInvited(email=email)
    for outdated in waiting:
        states.move(outdated, Invitation.State.WITHDRAWN, by=by, at=at)
    invitation = Invitation.objects.create(
        seller=seller, email=email, role=role, invited_by=by, expires_at=at + VALID
    )
    _record("invited", seller, by, at, invitation=invitation.public_id, role=role)
    return invitation


@transaction.atomic
def withdraw(invitation: Invitation, *, by, at: datetime) -> None:
    """Make the link of an invitation worthless. Raises states.IllegalMove."""
    states.move(invitation, Invitation.State.WITHDRAWN, by=by, at=at)


def token(invitation: Invitation) -> str:
    """What the link of an invitation carries; nobody can make one up."""
    return signing.dumps([invitation.marketplace_id, invitation.public_id], salt=_SALT)


def read(link: str, *, at: datetime) -> Invitation:
    """The invitation that a link belongs to, in the marketplace in use. Raises InvitationOver."""
    try:
        marketplace_id, public_id = signing.loads(link, salt=_SALT, max_age=VALID)
    except signing.BadSignature:
        raise InvitationOver() from None
    waiting = Invitation.objects.waiting().filter(
        marketplace_id=marketplace_id, public_id=public_id, expires_at__gt=at
    )
    invitation = waiting.select_related("seller", "invited_by").first()
    if invitation is None:
        raise InvitationOver()
    return invitation


@transaction.atomic
def accept(invitation: Invitation, *, by: User, at: datetime) -> SellerMember:
    """Join the shop. Raises NotInvited, AlreadyMember, ShopOver, states.IllegalMove."""
    addresses = EmailAddress.objects.filter(user=by, verified=True, email__iexact=invitation.email)
    if not addresses.exists():
        raise NotInvited(email=by.email)
    seller = standing.locked(invitation.seller)
    if seller.members.filter(user=by).exists():
        raise AlreadyMember(email=by.email)
    states.move(invitation, Invitation.State.ACCEPTED, by=by, at=at)
    member = SellerMember.objects.create(
        marketplace_id=seller.marketplace_id, seller=seller, user=by, role=invitation.role
    )
    _record("joined", seller, by, at, invitation=invitation.public_id, role=invitation.role)
    return member


@transaction.atomic
def change_role(member: SellerMember, role: str, *, by, at: datetime) -> None:
    """Make a member an owner, or staff. Raises ShopOver, LastOwner."""
    seller = standing.locked(member.seller)
    if member.role == role:
        return
    _refuse_last_owner(seller, member)
    SellerMember.objects.filter(pk=member.pk).update(role=role)
    _record("role_changed", seller, by, at, user=member.user_id, role=role)


@transaction.atomic
def remove(member: SellerMember, *, by, at: datetime) -> None:
    """Let a member go. Raises ShopOver, LastOwner."""
    seller = standing.locked(member.seller)
    _refuse_last_owner(seller, member)
    SellerMember.objects.filter(pk=member.pk).delete()
    _record("removed", seller, by, at, user=member.user_id, role=member.role)


@transaction.atomic
def take_out(member: SellerMember, *, by, at: datetime, reason: str) -> None:
    """An operator takes somebody out of a shop, the last owner too. Raises ReasonMissing."""
    reason = reasons.given(reason)
    own = SellerMember.objects.select_for_update().filter(marketplace=tenancy.current_id())
    member = own.select_related("seller").get(pk=member.pk)
    data = {"user": member.user_id, "role": member.role}
    audit.record(
        "sellermember.taken_out", by=by, at=at, obj=member.seller, reason=reason, data=data
    )
    member.delete()


def _refuse_last_owner(seller: Seller, member: SellerMember) -> None:
    owners = seller.members.filter(role=Role.OWNER)
    if not owners.exclude(pk=member.pk).exists():
        raise LastOwner()


def _record(deed: str, seller: Seller, by, at: datetime, **data) -> None:
    audit.record(f"sellermember.{deed}", by=by, at=at, obj=seller, data=data)
