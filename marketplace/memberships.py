"""The operators of a marketplace: taken in by e-mail, given a role, let go.

Whoever may change memberships changes those of the marketplace in use alone. A marketplace never
loses its last owner. Who has no place among operators any more cannot enter the admin.
"""

from datetime import datetime

from django.db import IntegrityError, transaction

from marketplace import audit, tenancy
from marketplace.models import Marketplace, Membership, User
from marketplace.refusals import Refused, gettext_noop

Role = Membership.Role


class AlreadyOperator(Refused):
    code = "already_an_operator"
    message = gettext_noop("%(email)s works for this marketplace already. Change the role instead.")


class LastOwnerOfMarketplace(Refused):
    code = "last_owner_of_marketplace"
    message = gettext_noop(
        "A marketplace keeps at least one owner. Make somebody else an owner first."
    )


class NoSuchMembership(Refused):
    code = "no_such_membership"
    message = gettext_noop("This person does not work for the marketplace any more.")


@transaction.atomic
def invite(email: str, role: str, *, by: User, at: datetime) -> Membership:
    """Take a person in; a new user without a password is made of an unknown address.

    Raises AlreadyOperator. The letter is for the caller to send.
    """
    email = email.strip().lower()
    _lock()
    user = User.objects.filter(email=email).first() or _new_user(email)
    if Membership.objects.filter(user=user, marketplace=tenancy.current_id()).exists():
        raise AlreadyOperator(email=email)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    membership = Membership.objects.create(
        user=user, marketplace_id=tenancy.current_id(), role=role
    )
    _record("invited", membership, by, at)
    return membership


@transaction.atomic
def change_role(membership: Membership, role: str, *, by: User, at: datetime) -> Membership:
    """Give a person another role. Raises LastOwnerOfMarketplace, NoSuchMembership."""
    stored = _stored(membership)
    if stored.role == role:
        return stored
    _refuse_last_owner(stored)
    before, stored.role = stored.role, role
    stored.save(update_fields=["role"])
    _record("role_changed", stored, by, at, before=before)
    return stored


@transaction.atomic
def remove(membership: Membership, *, by: User, at: datetime) -> None:
    """Let a person go. Raises LastOwnerOfMarketplace, NoSuchMembership."""
    stored = _stored(membership)
    _refuse_last_owner(stored)
    _record("removed", stored, by, at)
    stored.delete()
    elsewhere = Membership.objects.filter(user=stored.user_id)
    if not elsewhere.exists():
        User.objects.filter(pk=stored.user_id, is_superuser=False).update(is_staff=False)


def _new_user(email: str) -> User:
    """Of two marketplaces that take the same stranger in at once, one makes the user."""
    try:
        with transaction.atomic():
            return User.objects.create_user(email)
    except IntegrityError:
        return User.objects.get(email=email)


def _lock() -> None:
    """One change of memberships at a time: of two owners who leave at once, one stays."""
    Marketplace.objects.select_for_update(no_key=True).get(pk=tenancy.current_id())


def _stored(membership: Membership) -> Membership:
    _lock()
    own = Membership.objects.filter(marketplace=tenancy.current_id())
    stored = own.filter(pk=membership.pk).first()
    if stored is None:
        raise NoSuchMembership()
    return stored


def _refuse_last_owner(membership: Membership) -> None:
    others = Membership.objects.filter(marketplace=tenancy.current_id(), role=Role.OWNER)
    if membership.role == Role.OWNER and not others.exclude(user=membership.user_id).exists():
        raise LastOwnerOfMarketplace()


def _record(deed: str, membership: Membership, by: User, at: datetime, **data) -> None:
    data |= {"user": membership.user_id, "role": str(membership.role)}
    audit.record(f"membership.{deed}", by=by, at=at, obj=membership, data=data)
