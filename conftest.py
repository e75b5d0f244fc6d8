"""How every test reaches the database, and where the real data is.

Tests run under the three real roles, on a test database that the owner makes. Every database test
gets all three aliases, because a test that asked for `default` alone would be connected to the
real database under it: before the first test runs, each alias is checked to be a test database.
"""

import contextlib
import gc
import hashlib
import os
import uuid
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections, transaction
from django.test import TestCase, TransactionTestCase
from django.utils import translation

PREFIX = "test_jangteo_run_"
ALIASES = ["default", "owner", "platform"]
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
SHARE_A_WORLD = ("tests/faces/", "tests/test_list_costs.py")  # each, of a quarter of a minute
# Minutes each; one that began last would keep a single worker busy long after the others.
LONGEST = (
    "tests/test_olist.py",
    *SHARE_A_WORLD,
    "tests/test_online_retail.py",
    "tests/test_benchmark.py",
    "tests/faults/test_crashes.py::TestCommand",
    "settlements/tests/test_histories.py",
)


# Not emptied after a test: no test changes them, and every process remembers their ids.
KEPT_TABLES = ["django_migrations", "django_content_type", "auth_permission"]
# With more than that in them, tables are emptied faster by making their files anew.
FEW_BYTES = 4 * 1024 * 1024


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            arguments = dict(marker.kwargs) if marker else {}
            positional = marker.args if marker else ()
            arguments["databases"] = ALIASES
            item.add_marker(pytest.mark.django_db(*positional, **arguments), append=False)
        elif issubclass(getattr(item, "cls", None) or object, TransactionTestCase):
            item.cls.databases = set(ALIASES)
    answer = yield  # others sort as well: by what a test does to the database
    items.sort(key=_place)
    return answer


def _place(item) -> int:
    starts = (item.nodeid.startswith(start) for start in LONGEST)
    return next((place for place, is_it in enumerate(starts) if is_it), len(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What thousands of tests are made of stays: no collection of garbage looks through it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000)  # every page leaves thousands of objects, all free at its end
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out module by module: what the tests of one share is made once, by one worker.

    The longest modules are handed out test by test, except those that share a world. The marks
    that xdist has for this are lost on the way to it.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            for world in SHARE_A_WORLD:
                if nodeid.startswith(world):
                    return world
            return nodeid if nodeid.startswith(LONGEST) else nodeid.partition("::")[0]

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings, django_db_blocker):
    """Name a database that no other run uses, copied from one that is migrated already.

    Each process holds a lock on its name as long as it lives, so that runs at the same time keep
    out of each other's way and what a killed run has left is recognised and dropped.
    """
    owner = connections["owner"]
    name = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    with contextlib.ExitStack() as stack:
        with django_db_blocker.unblock():
            cursor = stack.enter_context(owner._nodb_cursor())
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [PREFIX])
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            _drop_orphans(cursor)
            test = {"NAME": name, "TEMPLATE": _template(cursor), "DEPENDENCIES": []}
            owner.settings_dict["TEST"] |= test
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [PREFIX])
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_modify_db_settings, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        for alias in ALIASES:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT current_database()")
                [name] = cursor.fetchone()
            if not name.startswith("test_"):
                pytest.exit(f"{alias} is connected to {name}, no test database", returncode=3)
        with connections["owner"].cursor() as cursor:
            # Only a crash of the whole machine could tell the difference.
            cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connections.close_all()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: empty_tables())
            yield
        connections.close_all()  # a database with a visitor cannot be dropped


def empty_tables() -> None:
    """Delete every row that is committed in the test database.

    As `flush` does, which makes the files of several hundred tables and indexes anew, however
    few rows there are. One statement deletes them all, so that no foreign key is in the way.
    """
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute(
            """SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND pg_relation_size(oid) > 0 AND relname <> ALL (%s)""",
            [KEPT_TABLES],
        )
        sizes = dict(cursor.fetchall())
        if not sizes:
            return
        cursor.execute(" UNION ALL ".join(f"(SELECT '{t}' FROM {t} LIMIT 1)" for t in sizes))
        filled = [table for (table,) in cursor]
        if sum(map(sizes.get, filled)) <= FEW_BYTES:
            _delete_rows(cursor, filled)
            return
    call_command("flush", database="owner", interactive=False, verbosity=0, reset_sequences=False)


def _delete_rows(cursor, tables: list[str]) -> None:
    if not tables:
        return
    cursor.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgrelid = ANY (%s::regclass[])",
        [tables],
    )
    guarded = [table for (table,) in cursor]  # their rows are only added, or freeze
    for table in guarded:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    deletes = ", ".join(f"d{n} AS (DELETE FROM {table})" for n, table in enumerate(tables))
    cursor.execute(f"WITH {deletes} SELECT 1")
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in guarded:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _drop_orphans(cursor) -> None:
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
    for (name,) in cursor.fetchall():
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name])
        if cursor.fetchone()[0]:
            # Not WITH (FORCE): a visiting autovacuum would not let itself be ended by the owner;
            # without it PostgreSQL sends it away itself. Another visitor leaves it to a later run.
            with contextlib.suppress(OperationalError):
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


def _template(cursor) -> str:
    """The name of a migrated database, made now unless an earlier run has left it."""
    prefix = f"template_{PREFIX}"
    name = prefix + _digest_of_tables()
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
    existing = {row[0] for row in cursor}
    if name in existing:
        return name
    for outdated in existing:
        cursor.execute(f"DROP DATABASE {outdated}")
    unfinished = f"{prefix}unfinished"
    cursor.execute(f"CREATE DATABASE {unfinished}")
    owner = connections["owner"]
    real_name = owner.settings_dict["NAME"]
    owner.settings_dict["NAME"] = unfinished
    try:
        call_command("migrate", database="owner", interactive=False, verbosity=0)
    finally:
        owner.close()
        owner.settings_dict["NAME"] = real_name
    cursor.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


def _digest_of_tables() -> str:
    """Of everything that a migration may read: when one file changes, tables are made anew."""
    root = Path(__file__).parent
    sources = [root / "requirements.txt"]
    for pattern in ("*/migrations/*.py", "*/models.py", "*/models/*.py"):
        sources += root.glob(pattern)
    for name in ("constraints.py", "roles.py", "settings.py", "tenancy.py"):
        sources.append(root / "marketplace" / name)
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="module")
def rows_of_module(django_db_setup, django_db_blocker):
    """A transaction around all tests of a module, for rows that a fixture of it writes once.

    A test undoes its own writes, and the module's are undone after its last test. Not for a
    module with tests that commit: they would wait for this transaction.
    """

    class Module(TestCase):
        databases = set(ALIASES)

    with django_db_blocker.unblock(), translation.override("en"):
        atomics = Module._enter_atomics()
        try:
            yield
        finally:
            Module._rollback_atomics(atomics)


@pytest.fixture(autouse=True)
def _in_english():
    """Refusals and commands speak the source language; pages follow their request as ever."""
    with translation.override("en"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own():
    """Limits count in the cache: nothing is left over from another run."""
    from django.test.utils import override_settings

    backend = "django.core.cache.backends.locmem.LocMemCache"
    with override_settings(CACHES={"default": {"BACKEND": backend}}):
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_hashed_fast():
    """A real hash takes a third of a second on purpose, at every log-in."""
    from django.test.utils import override_settings

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _tasks_run_in_place():
    """A test calls tasks as functions or by delay(); neither needs a broker or a worker."""
    from marketplace.celery import app

    app.conf.update(task_always_eager=True, task_eager_propagates=True)


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data: JANGTEO_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("JANGTEO_DATA") or Path(__file__).parent.parent / "shared/data")
    if folder.is_dir():
        return folder
    statement = f"There is no real data at {folder}. Name its folder in JANGTEO_DATA."
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(statement)
    pytest.skip(statement)
