"""Which marketplace the running code acts for.

One transaction serves one marketplace. `use()` opens the transaction, tells PostgreSQL which rows
may be seen (row-level security reads the setting `app.marketplace`), and opens the Python-side
scope, so that a query outside any marketplace fails early. The setting is always local to the
transaction: on a pooled connection a session-wide one would reach the next request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from django.apps import apps
from django.db import connections, transaction
from django_scopes import scope

if TYPE_CHECKING:
    from marketplace.models import Marketplace

_current: ContextVar[int | None] = ContextVar("jangteo_marketplace", default=None)
_row: ContextVar["Marketplace | None"] = ContextVar("jangteo_marketplace_row", default=None)


class TenantRequired(RuntimeError):
    """Tenant-owned work was started without naming a marketplace."""


class TenantSwitch(RuntimeError):
    """A second marketplace was entered while another was being served."""


def current_id() -> int:
    """The id of the marketplace in use; raises TenantRequired where there is none."""
    marketplace_id = _current.get()
    if marketplace_id is None:
        raise TenantRequired("no marketplace is in use; enter one with tenancy.use()")
    return marketplace_id


def current_id_or_none() -> int | None:
    """The id of the marketplace in use, or None."""
    return _current.get()


def current() -> "Marketplace":
    """The marketplace in use, as it was when it was entered; raises TenantRequired without one."""
    marketplace = _row.get()
    if marketplace is None or marketplace.pk != current_id():
        raise TenantRequired("no marketplace is in use; enter one with tenancy.use()")
    return marketplace


@contextmanager
def use(
    marketplace_id: int | None = None,
    *,
    code: str | None = None,
    row: "Marketplace | None" = None,
    durable: bool = False,
    even_archived: bool = False,
) -> "Iterator[Marketplace]":
    """Serve one marketplace, named by id or by code, within one transaction.

    Whoever has just read its row names it by that, and spares a query.

    Nesting in the same marketplace opens a savepoint; entering another one raises TenantSwitch.
    An unknown marketplace raises Marketplace.DoesNotExist before anything is opened. An archived
    marketplace can only be read: PostgreSQL refuses every write, unless it is `even_archived`.
    """
    model = apps.get_model("marketplace", "Marketplace")
    key = {"pk": int(marketplace_id)} if marketplace_id is not None else {"slug": code}
    marketplace = row or model.objects.get(**key)
    is_read_only = marketplace.state == model.State.ARCHIVED and not even_archived
    with _enter(marketplace.pk, durable=durable):
        if is_read_only:
            with connections["default"].cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
        token = _row.set(marketplace)
        try:
            yield marketplace
        finally:
            _row.reset(token)


@contextmanager
def use_new(marketplace_id: int) -> Iterator[None]:
    """Serve a marketplace whose row is only now being written (opening a marketplace)."""
    with _enter(marketplace_id, durable=True):
        yield


@contextmanager
def _enter(marketplace_id: int, *, durable: bool) -> Iterator[None]:
    connection = connections["default"]
    active = _current.get()
    if active not in (None, marketplace_id):
        raise TenantSwitch(f"marketplace {marketplace_id} entered while serving {active}")
    token = _current.set(marketplace_id)
    try:
        with transaction.atomic(durable=durable):
            nested = active == marketplace_id and bool(connection.savepoint_ids)
            if not nested:
                _set_local(connection, str(marketplace_id))
            with scope(marketplace=marketplace_id):
                yield
            # RELEASE SAVEPOINT keeps the value, so an inner block clears what it set; the end
            # of the outermost transaction clears it by itself.
            if not nested and connection.savepoint_ids and not connection.needs_rollback:
                _set_local(connection, "")
    finally:
        _current.reset(token)


def _set_local(connection, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.marketplace', %s, true)", [value])
