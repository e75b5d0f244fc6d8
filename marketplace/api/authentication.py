"""Lets a request in by its API key, which the middleware has recognised already.

The key is `request.auth`. A seller's key has that seller as `request.auth.holder`; what a seller
is, and which may still call, is known on the floor above, which is named by string.
"""

from functools import cache

from django.utils.module_loading import import_string
from django.utils.translation import gettext
from rest_framework import authentication, permissions

from marketplace import api_keys
from marketplace.api import problems
from marketplace.models import Marketplace
from marketplace.refusals import gettext_noop

HOLDER = "sellers.api.holders.open_for"
CHALLENGE = 'Bearer realm="jangteo"'
_MISSING = gettext_noop("Send your API key: Authorization: Bearer mpk_…")


class KeyAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request):
        plain = request._request
        if isinstance(plain.key_refused, api_keys.AddressNotAllowed):
            refused = plain.key_refused
            raise problems.Problem(403, refused.code, refused.text(gettext))
        if isinstance(plain.key_refused, api_keys.NotRecognised):
            raise unauthorised(plain.key_refused.code, plain.key_refused.text(gettext))
        if plain.key_refused is not None:
            raise plain.key_refused
        key = plain.api_key
        if key is None:
            raise unauthorised("key_missing", gettext(_MISSING))
        key.holder = None
        if key.seller:
            key.holder = _holder()(key.seller)
            if key.holder is None:
                raise unauthorised("key_invalid", gettext(api_keys.NotRecognised.message))
        return (None, key)

    def authenticate_header(self, request):
        return CHALLENGE


class HasScope(permissions.BasePermission):
    """The key has the scope of the action, is not a seller's where none may call it, and no
    archived marketplace is written to."""

    def has_permission(self, request, view):
        key = request.auth
        if key is None:  # of a view that asks for no key
            return True
        is_safe = request.method in permissions.SAFE_METHODS
        if not is_safe and key.marketplace.state == Marketplace.State.ARCHIVED:
            raise problems.Problem(
                403, "marketplace_archived", gettext("The marketplace is archived: only reading.")
            )
        if key.seller and not view.is_open_to_sellers():
            raise problems.Problem(
                403, "not_for_sellers", gettext("A seller's key does not allow this.")
            )
        scope = view.needed_scope()
        if scope not in key.scopes:
            raise problems.Problem(
                403, "scope_missing", gettext("The key lacks the scope %s.") % scope
            )
        return True


def unauthorised(code: str, detail: str) -> problems.Problem:
    return problems.Problem(401, code, detail, headers={"WWW-Authenticate": CHALLENGE})


@cache
def _holder():
    return import_string(HOLDER)
