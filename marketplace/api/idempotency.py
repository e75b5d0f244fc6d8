"""A POST that is sent twice acts once.

The client sends `Idempotency-Key`, a text of its own. The key is written in the transaction of
what the request does, before anything else: of two requests at the same time one waits for the
other and then repeats its answer. Only answers of success are kept, since a refused request has
changed nothing; it may be mended and sent again under the same key.
"""

import hashlib
from datetime import datetime, timedelta
from functools import wraps

from django.db import OperationalError, connection
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from psycopg import errors

from marketplace import tenancy
from marketplace.api import problems
from marketplace.models import IdempotencyKey

KEPT = timedelta(days=30)
HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_LONGEST = 200
_KEPT_HEADERS = ("Location", "ETag")


def idempotent(method):
    """For a view's method that creates: require the key, and repeat what it was answered."""

    @wraps(method)
    def once(view, request, *args, **kwargs):
        key = _key(request)
        fingerprint = _fingerprint(request)
        holder = request.auth.seller
        kept = _claim(key, holder, fingerprint, timezone.now())
        if kept is not None:
            return _repeated(kept, fingerprint)
        response = method(view, request, *args, **kwargs)
        if response.status_code < 300:
            _keep(view, request, response, key, holder)
        else:  # returned instead of raised: what it changed stays, so nothing is repeated
            IdempotencyKey.objects.filter(holder=holder, key=key).delete()
        return response

    once.is_idempotent = True
    return once


def forget(*, at: datetime, limit: int = 10_000) -> int:
    """Delete keys that are older than they are kept for; returns how many there were."""
    forgotten = 0
    while True:
        old = IdempotencyKey.objects.filter(created_at__lt=at - KEPT).order_by("created_at")
        deleted, _ = IdempotencyKey.objects.filter(pk__in=old.values("pk")[:limit]).delete()
        forgotten += deleted
        if deleted < limit:
            return forgotten


def _key(request) -> str:
    text = request.headers.get(HEADER, "").strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]  # quoted, as a structured field
    if not text:
        raise problems.Problem(
            400,
            "idempotency_key_missing",
            gettext("Send an Idempotency-Key with this request."),
        )
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        raise problems.Problem(
            400,
            "idempotency_key_not_usable",
            gettext("An Idempotency-Key has at most 200 printable ASCII characters."),
        )
    return text


def _fingerprint(request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(request._request.body)
    return digest.hexdigest()


def _claim(key: str, holder: str, fingerprint: str, at: datetime) -> IdempotencyKey | None:
    """Write the key; the one that is kept, if this request was answered before."""
    sql = (
        "INSERT INTO marketplace_idempotencykey "
        "(marketplace_id, holder, key, fingerprint, headers, body, created_at) "
        "VALUES (%s, %s, %s, %s, '{}', '', %s) "
        "ON CONFLICT (marketplace_id, holder, key) DO NOTHING"
    )
    values = [tenancy.current_id(), holder, key, fingerprint, at]
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            if cursor.rowcount:
                return None
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.LockNotAvailable):
            raise
        raise problems.Problem(
            409,
            "request_in_progress",
            gettext("A request with this Idempotency-Key is still being worked on."),
            headers={"Retry-After": "1"},
        ) from error
    return IdempotencyKey.objects.get(holder=holder, key=key)


def _repeated(kept: IdempotencyKey, fingerprint: str) -> HttpResponse:
    if kept.fingerprint != fingerprint:
        raise problems.Problem(
            422,
            "idempotency_key_reused",
            gettext("This Idempotency-Key was used for another request."),
        )
    headers = {**kept.headers, REPLAYED: "true"}
    content_type = "application/json" if kept.body else None
    return HttpResponse(kept.body, status=kept.status, headers=headers, content_type=content_type)


def _keep(view, request, response, key: str, holder: str) -> None:
    """Keep the answer as it will be rendered."""
    renderer = request.accepted_renderer
    body = renderer.render(response.data, request.accepted_media_type, {"view": view})
    IdempotencyKey.objects.filter(holder=holder, key=key).update(
        status=response.status_code,
        headers={name: response[name] for name in _KEPT_HEADERS if name in response},
        body=body.decode() if body else "",
    )
