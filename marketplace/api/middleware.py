"""What surrounds every request under /api/: its id, its key, and errors in one form.

Views answer with problems by themselves. What is answered around them (an address that does not
exist, a body that is too large, a bug) becomes one here, and the framework's redirect to an
address with a slash does, too: following it would drop the body of a POST.
"""

import uuid

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from marketplace import api_keys, audit
from marketplace.api import problems
from marketplace.models import Marketplace
from marketplace.refusals import Refused

_KEPT = ("Content-Security-Policy", "X-Frame-Options")  # of the answer that a problem replaces
PREFIX = "/api/"
_SCHEME = "bearer "


class ApiMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        request.request_id = uuid.uuid4()
        token = audit.through.set("")
        try:
            response = self.get_response(request)
        finally:
            audit.through.reset(token)
        status = response.status_code
        if status in (301, 302) or (
            status >= 400 and response.get("Content-Type") != problems.MEDIA_TYPE
        ):
            answer = problems.plain(request, status if status >= 400 else 404)
            for name in _KEPT:
                if name in response:
                    answer[name] = response[name]
            response = answer
        response["Request-Id"] = str(request.request_id)
        response["Cache-Control"] = response.get("Cache-Control", "no-store")
        return response


def marketplace_of(request) -> Marketplace | None:
    """Whose rows a request under /api/ is about, told by its key; views refuse the rest.

    Sets `request.api_key`, or `request.key_refused` with the reason.
    """
    request.api_key = request.key_refused = None
    header = request.headers.get("Authorization", "")
    if header[: len(_SCHEME)].lower() != _SCHEME:
        return None
    secret = header[len(_SCHEME) :].strip()
    try:
        key = api_keys.recognise(secret, address=address_of(request), at=timezone.now())
    except (Refused, OperationalError) as refused:
        request.key_refused = refused
        return None
    request.api_key = key
    audit.through.set(f"api_key:{key.code}")
    return key.marketplace


def address_of(request) -> str:
    """The caller's address; behind a proxy, the one that the proxy itself saw."""
    if settings.BEHIND_PROXY:
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return request.META.get("REMOTE_ADDR", "")
