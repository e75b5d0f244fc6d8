"""What the admin asks of staff beyond a password, and how long a session there lasts.

Whoever enters the admin sees everybody's money, so a session ends after some time of rest and
after a day's work, and a second factor has to be set up first. Once it is, the log-in itself asks
for it. Lengths are settings; a trial goes without the second factor.
"""

from datetime import datetime, timedelta

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.translation import gettext

BEGAN, SEEN = "staff_session_began", "staff_session_seen"
NOTED_EACH = timedelta(minutes=1)
_ADMIN = "/admin/"
_FREE = ("/admin/login/", "/admin/logout/", "/admin/jsi18n/")
_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


class StaffSessions:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        path = request.path_info
        if path.startswith(_ADMIN) and not path.startswith(_FREE) and request.user.is_staff:
            if _is_over(request.session, timezone.now()):
                logout(request)
                messages.info(request, gettext("Your session has ended. Please log in again."))
                return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
            if settings.STAFF_SECOND_FACTOR and not _has_second_factor(request.user):
                messages.warning(
                    request,
                    gettext(
                        "Set up an authenticator app or a passkey first: operators log in with a "
                        "second factor."
                    ),
                )
                return redirect("mfa_index")
        return self.get_response(request)


def _is_over(session, now: datetime) -> bool:
    """Whether a session has rested or lasted too long; if not, note that it is in use."""
    moment = int(now.timestamp())
    began, seen = session.setdefault(BEGAN, moment), session.setdefault(SEEN, moment)
    if moment - seen > settings.STAFF_SESSION_IDLE.total_seconds():
        return True
    if moment - began > settings.STAFF_SESSION_LENGTH.total_seconds():
        return True
    if moment - seen >= NOTED_EACH.total_seconds():
        session[SEEN] = moment
    return False


def _has_second_factor(user) -> bool:
    return Authenticator.objects.filter(user=user, type__in=_FACTORS).exists()
