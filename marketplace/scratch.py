"""Databases beside the real one, for rehearsals: made, entered, copied, and dropped at the end.

Their names begin with PREFIX, and whoever enters one asks the server whether it is there: what a
rehearsal writes cannot reach the real database. A process holds a lock on its names as long as it
lives, so what a killed one has left is recognised and dropped by the next.
"""

import base64
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections

from marketplace import roles

PREFIX = "jangteo_scratch_"
_LENGTH = len(PREFIX) + 12
_PATIENCE = 30  # seconds in which the last visitor of a database has to leave


class NotScratch(RuntimeError):
    """A rehearsal was about to use a database that is not its own."""


@contextmanager
def reserved() -> Iterator[str]:
    """A name of one's own; databases whose names begin with it are dropped at the end."""
    name = PREFIX + uuid.uuid4().hex[:12]
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        for orphan in _existing(cursor, PREFIX):
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [orphan[:_LENGTH]])
            if cursor.fetchone()[0]:
                _drop(cursor, orphan)
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [orphan[:_LENGTH]])
        try:
            yield name
        finally:
            for own in _existing(cursor, name):
                _drop(cursor, own)


def create(name: str, *, template: str = "") -> None:
    """Make a database: a copy of `template`, or an empty one with all tables."""
    _refuse_others(name)
    # Copied through the log instead, sequences would give numbers again after a crash: the copy's
    # log lacks those that the template's has promised in advance.
    how = f"TEMPLATE {template} STRATEGY file_copy" if template else roles.NEW_DATABASE
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} {how}")
    if not template:
        with entered(name):
            call_command("migrate", database="owner", interactive=False, verbosity=0)


def drop(name: str) -> None:
    """Drop a database of one's own, once its last visitor has left."""
    _refuse_others(name)
    with connections["owner"]._nodb_cursor() as cursor:
        _drop(cursor, name)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Within the block, the three aliases of this process mean the database `name`."""
    _refuse_others(name)
    before = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    connections.close_all()
    try:
        for alias in connections:
            connections[alias].settings_dict["NAME"] = name
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT current_database()")
                _refuse_others(cursor.fetchone()[0])
        yield
    finally:
        connections.close_all()  # a database with a visitor can be neither copied nor dropped
        for alias, real in before.items():
            connections[alias].settings_dict["NAME"] = real


def environment(name: str) -> dict[str, str]:
    """What a web or worker process needs in its environment to work in a database."""
    return {
        "DATABASE_URL": _url("default", name),
        "DATABASE_PLATFORM_URL": _url("platform", name),
        # With a database named, nothing is a trial's any more.
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_KEYS": ",".join(base64.b64encode(key).decode() for key in settings.FIELD_KEYS),
        "ALLOWED_HOSTS": ",".join(settings.ALLOWED_HOSTS),
        "HTTPS": str(settings.HTTPS),
    }


def _url(alias: str, name: str) -> str:
    server = connections[alias].settings_dict
    who = ":".join(quote(server[part], safe="") for part in ("USER", "PASSWORD") if server[part])
    options = f"?{urlencode(server['OPTIONS'])}" if server["OPTIONS"] else ""
    return f"postgresql://{who}@{quote(server['HOST'], safe='')}:{server['PORT']}/{name}{options}"


def _refuse_others(name: str) -> None:
    if not name.startswith(PREFIX):
        raise NotScratch(f"{name} is no scratch database")


def _existing(cursor, prefix: str) -> list[str]:
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
    return [name for (name,) in cursor.fetchall()]


def _drop(cursor, name: str) -> None:
    # Not WITH (FORCE): a visiting autovacuum would not let itself be ended by the owner. Without
    # it PostgreSQL sends it away itself, and the processes of whoever was killed leave by
    # themselves.
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
