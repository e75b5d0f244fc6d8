"""Pages that ask once more who it is, however long ago somebody logged in at this machine.

With a second factor set up, it is the second factor that is asked for: a password alone opens
nothing here. allauth would keep a form that was sent too late in the session; what is typed on
these pages is not to be stored anywhere, so the form is shown again instead.
"""

import time
from functools import wraps
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.shortcuts import redirect
from django.urls import reverse

_TOTP, _WEBAUTHN = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN


def fresh_log_in(page):
    """Decorate a view for users who are logged in."""

    @wraps(page)
    def asked(request, *args, **kwargs):
        factors = set(
            Authenticator.objects.filter(
                user=request.user, type__in=[_TOTP, _WEBAUTHN]
            ).values_list("type", flat=True)
        )
        if not _is_fresh(request, needs_factor=bool(factors)):
            return redirect(f"{_door(factors)}?{urlencode({'next': request.get_full_path()})}")
        return page(request, *args, **kwargs)

    return asked


def _is_fresh(request, *, needs_factor: bool) -> bool:
    oldest = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
    return any(
        record["at"] > oldest and (record["method"] == "mfa" or not needs_factor)
        for record in get_authentication_records(request, request.user)
    )


def _door(factors) -> str:
    if _TOTP in factors:
        return reverse("mfa_reauthenticate")
    return reverse("mfa_reauthenticate_webauthn" if factors else "account_reauthenticate")
