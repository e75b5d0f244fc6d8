"""Which marketplace a request is for, and one transaction around the whole of it.

Seller pages name the marketplace in their address; a request of the API is told by its key; the
admin serves the one chosen in the session, which is checked against the user's memberships at
every request. The transaction holds the rendering as well: a query evaluated after it would find
nothing, silently. An answer of 500 and above, and any exception that left the view, roll
everything back. Times are shown in the marketplace's own zone.
"""

import re

from csp.constants import SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponseBadRequest
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone

from marketplace import permissions, tenancy
from marketplace.api import middleware as api
from marketplace.entering import SESSION_KEY
from marketplace.models import Marketplace

_SELLER_PAGE = re.compile(r"^/s/(?P<slug>[-\w]+)/")
_ADMIN = "/admin/"
_PACKED = ("/s/", _ADMIN)
# Reached without a marketplace, so that a stale choice locks nobody out.
_CHOOSING = ("/admin/choose-marketplace/", "/admin/login/", "/admin/logout/", "/admin/jsi18n/")


class StreamedTenantRows(RuntimeError):
    """A streaming answer would be read after its transaction, and find no rows."""


class ContentSecurityPolicy(CSPMiddleware):
    """The same strict policy for every page; the admin's scripts alone may evaluate text.

    Its library is built on Alpine, which reads expressions from attributes. Scripts in a page or
    from elsewhere stay refused there, too.
    """

    def get_policy_parts(self, request, response, report_only=False):
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(_ADMIN):
            parts.update = {**(parts.update or {}), "script-src": [SELF, UNSAFE_EVAL]}
        return parts


class Compression(GZipMiddleware):
    """Pages of sellers and operators go out packed, each padded by a random length.

    What the padding guards against, and why nothing else is packed here, is told in
    docs/decisions/0016-who-packs-pages.md. Secrets are shown in answers to forms alone.
    """

    def process_response(self, request, response):
        is_page = response.get("Content-Type", "").startswith("text/html")
        is_read = request.method == "GET" and request.path_info.startswith(_PACKED)
        if not (is_read and is_page):
            return response
        return super().process_response(request, response)


class TenantMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.marketplace = None
        if "\x00" in request.path_info:
            raise Http404  # the database refuses to be asked for it
        if request.path_info.startswith(_ADMIN) and "%00" in request.META.get("QUERY_STRING", ""):
            return HttpResponseBadRequest()  # filters go to the database as they come
        found = _resolve(request)
        if found is None:
            return self.get_response(request)
        with (
            tenancy.use(row=found) as request.marketplace,
            timezone.override(request.marketplace.tz),
        ):
            response = self.get_response(request)
            if response.streaming and not isinstance(response, FileResponse):
                response.close()
                raise StreamedTenantRows(request.path)
            if response.status_code >= 500 or getattr(request, "left_by_exception", False):
                transaction.set_rollback(True)
            return response

    def process_exception(self, request, exception):
        request.left_by_exception = True


def _resolve(request) -> Marketplace | None:
    path = request.path_info
    if page := _SELLER_PAGE.match(path):
        found = Marketplace.objects.filter(slug=page["slug"]).first()
        if found is None:
            raise Http404
        return found
    if path.startswith(api.PREFIX):
        return api.marketplace_of(request)
    if path.startswith(_ADMIN) and not path.startswith(_CHOOSING):
        return _chosen(request)
    return None


def _chosen(request) -> Marketplace | None:
    if not (request.user.is_authenticated and request.user.is_staff):
        return None
    marketplace_id = request.session.get(SESSION_KEY)
    if marketplace_id is None:
        return None
    found = permissions.may_enter(request.user).filter(pk=marketplace_id).first()
    if found is None:
        raise PermissionDenied
    return found
