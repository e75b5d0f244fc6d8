"""Every error of the API, in one form: RFC 9457, `application/problem+json`.

A problem has a stable `code`; `errors` name each place in the request that is to blame, by JSON
pointer (`/lines/2/quantity`), or by parameter (`?limit`). Refusals of processes become 409, or
422 where they blame a field of the request; everything unexpected is a 500 that says nothing.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, JsonResponse
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response

from marketplace.refusals import Refused

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:jangteo:problem:"

_TITLES = {
    400: gettext_noop("The request is not usable."),
    401: gettext_noop("A valid API key is needed."),
    403: gettext_noop("The key does not allow this."),
    404: gettext_noop("Not found."),
    405: gettext_noop("The method is not allowed here."),
    406: gettext_noop("The answer cannot be given in that form."),
    409: gettext_noop("This was refused."),
    410: gettext_noop("This is no longer kept."),
    412: gettext_noop("It has been changed meanwhile."),
    413: gettext_noop("The request is too large."),
    415: gettext_noop("The request is not JSON."),
    422: gettext_noop("The request was understood but cannot be accepted."),
    428: gettext_noop("Say which version you mean to change."),
    429: gettext_noop("Too many requests."),
    500: gettext_noop("Something went wrong on our side."),
    503: gettext_noop("Try again in a moment."),
}
_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "request_too_large",
    415: "unsupported_media_type",
    500: "server_error",
    503: "unavailable",
}
_STEP = re.compile(r"[^.\[\]]+")


class Problem(exceptions.APIException):
    """A refusal that an edge itself raises, with the status to answer."""

    default_detail = _("This was refused.")

    def __init__(self, status: int, code: str, detail, *, errors=(), headers=None):
        self.status_code = status
        self.errors = list(errors)
        self.headers = headers or {}
        super().__init__(detail, code)


def handle(error: Exception, context: Mapping) -> Response | None:
    """The answer to what a view raised. Whatever the view had written is rolled back."""
    request = context["request"]._request
    request.left_by_exception = True
    answer = _answer(error)
    if answer is None:
        return None
    status, code, detail, errors, headers = answer
    body = document(request, status, code, detail, errors)
    return Response(body, status, headers=headers, content_type=MEDIA_TYPE)


def document(request, status: int, code: str, detail, errors: Iterable[dict] = ()) -> dict:
    """The body of a problem."""
    title = _TITLES.get(status)
    return {
        "type": f"{TYPE}{code}",
        "title": gettext(title) if title else HTTPStatus(status).phrase,
        "status": status,
        "detail": str(detail),
        "instance": f"urn:uuid:{request.request_id}",
        "code": code,
        "errors": list(errors),
    }


def plain(request, status: int) -> JsonResponse:
    """A problem about which only its status is known, for answers from outside the views."""
    title = _TITLES.get(status)
    detail = gettext(title) if title else HTTPStatus(status).phrase
    body = document(request, status, _CODES.get(status, "error"), detail)
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE)


def item(pointer: str, code: str, detail) -> dict:
    """One entry of `errors`."""
    return {"pointer": pointer, "code": code, "detail": str(detail)}


def of_refusal(refused: Refused, field: str = "", prefix: str = "") -> list[dict]:
    """The entries for a refusal: one, where it names a field of the request."""
    field = field or str(refused.params.get("field", ""))
    if not field:
        return []
    return [item(prefix + pointer(field), refused.code, refused.text(gettext))]


def of_validation(error: exceptions.ValidationError) -> list[dict]:
    """The entries for a document that could not be read: each place that is wrong."""
    return list(_entries(error.detail))


def pointer(field: str) -> str:
    """`lines[2].quantity` as a JSON pointer: `/lines/2/quantity`."""
    return "".join(f"/{step}" for step in _STEP.findall(field))


def _answer(error: Exception) -> tuple | None:
    """Status, code, detail, errors and headers; None for what is a bug."""
    match error:
        case Problem():
            return error.status_code, _code(error), error.detail, error.errors, error.headers
        case Refused():
            status = 422 if error.params.get("field") else 409
            return status, error.code, error.text(gettext), of_refusal(error), {}
        case exceptions.ValidationError():
            return 400, "invalid", gettext(_TITLES[400]), of_validation(error), {}
        case Http404():
            return 404, "not_found", gettext(_TITLES[404]), (), {}
        case PermissionDenied():
            return 403, "forbidden", gettext(_TITLES[403]), (), {}
        case RequestDataTooBig():
            return 413, "request_too_large", gettext(_TITLES[413]), (), {}
        case OperationalError():
            # A lock that took too long, a server that went away: nothing has been written.
            logger.warning("database not available: %s", type(error.__cause__).__name__)
            return 503, "unavailable", gettext(_TITLES[503]), (), {"Retry-After": "1"}
        case exceptions.APIException():
            return error.status_code, _code(error), error.detail, (), _headers(error)
    return None


def _code(error: exceptions.APIException) -> str:
    code = error.get_codes()
    usual = isinstance(error, exceptions.ParseError)
    return "malformed" if usual else str(code)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return headers


def _entries(detail, at: str = "") -> Iterator[dict]:
    """Django REST framework's tree of complaints, as a list of places."""
    if isinstance(detail, Mapping):
        for name, below in detail.items():
            below_at = at if name == "non_field_errors" else f"{at}/{name}"
            yield from _entries(below, below_at)
    elif isinstance(detail, list):
        for n, below in enumerate(detail):
            is_place = isinstance(below, Mapping | list)
            yield from _entries(below, f"{at}/{n}" if is_place else at)
    else:
        yield item(at, str(detail.code), detail)
