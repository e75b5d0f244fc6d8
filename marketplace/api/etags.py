"""Versions of what is read and changed, so that nobody overwrites what they have not seen.

A strong ETag is the hash of the object as the API shows it.
"""

import hashlib
import json

from django.utils.translation import gettext
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from marketplace.api import problems


def of(data) -> str:
    """The ETag of a serializer's data."""
    text = json.dumps(data, cls=JSONEncoder, separators=(",", ":"), ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def respond(request, data, status: int = 200) -> Response:
    """Answer with the object and its ETag; 304 where the reader has it already."""
    etag = of(data)
    if request.method in ("GET", "HEAD") and etag in _named(request, "If-None-Match"):
        return Response(status=304, headers={"ETag": etag})
    return Response(data, status, headers={"ETag": etag})


def require(request, data) -> None:
    """Refuse a change of an object (`data`: as it is now, locked) that its sender has not seen."""
    named = _named(request, "If-Match")
    if not named:
        raise problems.Problem(
            428, "if_match_missing", gettext("Send If-Match with the ETag that you have read.")
        )
    if of(data) not in named and "*" not in named:
        raise problems.Problem(
            412, "if_match_stale", gettext("It has been changed since. Read it again.")
        )


def _named(request, header: str) -> list[str]:
    return [tag.strip() for tag in request.headers.get(header, "").split(",") if tag.strip()]
