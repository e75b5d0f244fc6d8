"""What each role may do, and how Django comes to know of it.

A role counts in the marketplace that is in use and nowhere else. It gives Django permissions
("settlements.change_statement") on rows that a marketplace owns, never on what is shared by the
installation, such as users. What a permission does not say (which state, whose turn, a second
person) is for the processes.
"""

from fnmatch import fnmatchcase
from functools import cache

from allauth.account.auth_backends import AuthenticationBackend
from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.core.exceptions import FieldDoesNotExist

from marketplace import tenancy
from marketplace.models import Marketplace, Membership

Role = Membership.Role

_SEE = ("*.view_*",)
GIVEN = {  # patterns over permission names
    Role.OWNER: ("*",),
    Role.FINANCE: (*_SEE, "settlements.*"),
    Role.REVIEWER: (*_SEE, "sellers.*", "listings.*"),
    Role.SUPPORT: (*_SEE, "orders.*"),
    Role.VIEWER: _SEE,
}


class RoleBackend(AuthenticationBackend):
    """Logs in as allauth does; permissions come from roles in the marketplace in use alone.

    Permissions given to a user or a group directly would hold in every marketplace, so they do
    not count.
    """

    def get_all_permissions(self, user_obj, obj=None):
        marketplace_id = tenancy.current_id_or_none()
        if marketplace_id is None or not user_obj.is_active or user_obj.is_anonymous:
            return set()
        # Kept as long as the user object, so for one request: a role taken away is then gone.
        known = user_obj.__dict__.setdefault("_permissions_by_marketplace", {})
        if marketplace_id not in known:
            known[marketplace_id] = {
                permission for role in _roles(user_obj, marketplace_id) for permission in of(role)
            }
        return known[marketplace_id]

    def get_user_permissions(self, user_obj, obj=None):
        return self.get_all_permissions(user_obj, obj)

    def get_group_permissions(self, user_obj, obj=None):
        return set()

    def has_module_perms(self, user_obj, app_label):
        return any(
            permission.startswith(f"{app_label}.")
            for permission in self.get_all_permissions(user_obj)
        )


def may_enter(user):
    """The marketplaces that the user works for; a superuser may enter every one."""
    if user.is_superuser:
        return Marketplace.objects.order_by("name")
    keys = Membership.objects.filter(user=user).values("marketplace_id")
    return Marketplace.objects.filter(pk__in=keys).order_by("name")


@cache
def of(role: str) -> frozenset[str]:
    """The permissions that a role gives."""
    return frozenset(
        permission
        for permission in _all()
        if any(fnmatchcase(permission, pattern) for pattern in GIVEN.get(role, ()))
    )


@cache
def _all() -> frozenset[str]:
    """Every permission on rows that belong to one marketplace, and on the marketplace's own."""
    return frozenset(
        f"{model._meta.app_label}.{codename}"
        for model in apps.get_models()
        if model is Marketplace or _is_owned(model)
        for codename in _codenames(model._meta)
    )


def _codenames(options) -> list[str]:
    usual = [get_permission_codename(action, options) for action in options.default_permissions]
    return usual + [codename for codename, _ in options.permissions]


def _is_owned(model) -> bool:
    try:
        return model._meta.get_field("marketplace").related_model is Marketplace
    except FieldDoesNotExist:
        return False


def _roles(user, marketplace_id):
    return Membership.objects.filter(user=user, marketplace_id=marketplace_id).values_list(
        "role", flat=True
    )
