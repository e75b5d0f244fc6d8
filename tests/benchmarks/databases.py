"""Databases of the benchmark's own, beside whatever the settings name: made, copied, dropped."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.management import call_command
from django.db import connections


def enter(name: str) -> None:
    """From now on the three aliases mean the database `name`, each under its own role."""
    for alias in connections:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name


@contextmanager
def migrated(name: str, template: str | None = None, *, is_kept: bool = False) -> Iterator[None]:
    """An empty database with all tables, as `made` makes it; quicker from a migrated template."""
    with made(name, template, is_kept=is_kept):
        enter(name)
        if template is None:
            call_command("migrate", database="owner", interactive=False, verbosity=0)
        connections.close_all()
        yield


@contextmanager
def made(name: str, template: str | None = None, *, is_kept: bool = False) -> Iterator[None]:
    """A new database, dropped at the end whatever happens, unless it is to be kept; a copy of
    `template` where one is named.

    Copied by files, which puts nothing of the copy into the write-ahead log, and lets every copy
    start from a fresh checkpoint.
    """
    connections.close_all()  # a template with a visitor cannot be copied
    copied = f"TEMPLATE {template} STRATEGY file_copy" if template else ""
    _on_server(f"CREATE DATABASE {name} {copied}")
    try:
        yield
    finally:
        connections.close_all()
        if not is_kept:
            _on_server(f"DROP DATABASE IF EXISTS {name}")


def as_owner(name: str) -> psycopg.Connection:
    """A connection of its own that row-level security does not bind: for loading and comparing."""
    owner = connections["owner"]
    connection = psycopg.connect(**(owner.get_connection_params() | {"dbname": name}))
    connection.autocommit = True
    return connection


def _on_server(statement: str) -> None:
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute(statement)
