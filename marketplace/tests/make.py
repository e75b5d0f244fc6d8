"""The cast of the floor's tests: marketplaces, users and their places in them.

Rows are written as any process writes them, by the app role inside the marketplace.
"""

import json
import threading
import time
import uuid
from datetime import UTC, date, datetime, timedelta

from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from marketplace import api_keys, changes, tenancy
from marketplace.models import Marketplace, Membership, User

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # noon in Seoul, on a Monday
FIRST_OPEN_ON = date(2026, 1, 1)
PASSWORD = "correct horse battery staple"


def marketplace(
    slug="jangteo",
    *,
    currency="KRW",
    exponent=0,
    zone="Asia/Seoul",
    first_open_on=FIRST_OPEN_ON,
    **fields,
) -> Marketplace:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('marketplace_marketplace_id_seq')")
        [key] = cursor.fetchone()
    with tenancy.use_new(key):
        return Marketplace.objects.create(
            pk=key,
            slug=slug,
            name=fields.pop("name", slug.title()),
            currency=currency,
            currency_exponent=exponent,
            zone=zone,
            first_open_on=first_open_on,
            **fields,
        )


def user(email="operator@example.org", password=None, **fields) -> User:
    """Without a password, whose hashing takes its time: tests log in with force_login()."""
    return User.objects.create_user(email, password, **{"is_staff": True, **fields})


def membership(marketplace, user, role=Membership.Role.OWNER) -> Membership:
    return Membership.objects.create(marketplace=marketplace, user=user, role=role)


def wait_until_told() -> None:
    """Let the change feed come to what is committed: other tests on the server may delay it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        [now] = cursor.fetchone()
    deadline = time.monotonic() + 120
    while changes.horizon().transaction <= now:
        assert time.monotonic() < deadline
        time.sleep(0.02)


class another_connection(threading.Thread):  # noqa: N801 (used as a block)
    """Work done over connections of its own, ended by the end of the block."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work = work
        self.failure = None

    def run(self):
        try:
            self.work()
        except BaseException as failure:  # noqa: BLE001 (raised again where it is seen)
            self.failure = failure
        finally:
            connections.close_all()

    def __enter__(self):
        self.start()

    def __exit__(self, *failure):
        self.join(10)
        assert not self.is_alive()
        if self.failure:
            raise self.failure


def api_key(marketplace, *scopes, seller="", at=None, **fields) -> api_keys.Made:
    """A key that works now, with its secret; without scopes named, it has all of them."""
    at = at or timezone.now()
    fields.setdefault("expires_at", at + timedelta(days=30))
    with tenancy.use(marketplace.pk):
        return api_keys.create(
            marketplace,
            name="checkout",
            scopes=scopes or api_keys.SCOPES,
            seller=seller,
            by=None,
            at=at,
            **fields,
        )


class ApiClient(Client):
    """Calls the API as a program does: with its key, in JSON, and one idempotency key a call."""

    def __init__(self, made: api_keys.Made | None = None, **defaults):
        super().__init__(raise_request_exception=False, **defaults)
        self.secret = made.secret if made else None

    def call(self, method, path, data=None, *, key=None, **headers):
        """`headers` in Python's spelling: if_match="…"."""
        if self.secret:
            headers.setdefault("authorization", f"Bearer {self.secret}")
        if method == "post":
            headers["idempotency_key"] = key or uuid.uuid4().hex
        headers.setdefault("accept_language", "en")
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        body = data if isinstance(data, str | bytes) else json.dumps(data)
        content = {} if data is None else {"data": body, "content_type": "application/json"}
        return self.generic(method.upper(), f"/api/v1/{path}", headers=named, **content)

    def read(self, path, **headers):
        return self.call("get", path, **headers)

    def send(self, path, data, **headers):
        return self.call("post", path, data, **headers)
