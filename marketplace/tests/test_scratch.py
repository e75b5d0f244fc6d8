"""Databases of a rehearsal: never the real one, and none left behind."""

import pytest
from django.db import connections

from marketplace import scratch
from marketplace.models import Marketplace


@pytest.fixture
def name(transactional_db):
    with scratch.reserved() as name:
        yield name


@pytest.fixture
def made(name):
    scratch.create(name, template=connections["owner"].settings_dict["TEST"]["TEMPLATE"])
    return name


def _databases(prefix):
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        return {name for (name,) in cursor.fetchall()}


def _is_at(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_database()")
        return cursor.fetchone()[0]


class TestEntered:
    def test_brings_all_aliases_there_and_back(self, made):
        before = {alias: _is_at(alias) for alias in connections}
        with scratch.entered(made):
            assert {_is_at(alias) for alias in connections} == {made}
            assert not Marketplace.objects.exists()
        assert {alias: _is_at(alias) for alias in connections} == before

    @pytest.mark.parametrize("other", ["jangteo", "postgres", "test_jangteo_run_1"])
    def test_refuses_any_other_database(self, other):
        with pytest.raises(scratch.NotScratch), scratch.entered(other):
            pass

    def test_comes_back_when_there_is_none(self, name):
        before = _is_at("default")
        with pytest.raises(Exception, match="does not exist"), scratch.entered(name):
            pass
        assert _is_at("default") == before


class TestCreate:
    def test_refuses_any_other_name(self):
        with pytest.raises(scratch.NotScratch):
            scratch.create("jangteo_real")


class TestDrop:
    def test_refuses_any_other_name(self):
        with pytest.raises(scratch.NotScratch):
            scratch.drop("jangteo")


class TestReserved:
    def test_leaves_nothing_behind(self, transactional_db):
        template = connections["owner"].settings_dict["TEST"]["TEMPLATE"]
        with scratch.reserved() as name:
            scratch.create(name, template=template)
            scratch.create(f"{name}_run", template=name)
            assert _databases(name) == {name, f"{name}_run"}
        assert not _databases(name)

    def test_drops_what_a_killed_process_has_left_and_nothing_else(self, made):
        orphan = f"{scratch.PREFIX}{'0' * 12}_run"
        scratch.create(orphan, template=made)
        with scratch.reserved():
            assert not _databases(orphan)
            assert _databases(made) == {made}


class TestEnvironment:
    def test_names_the_database_under_the_weak_roles_alone(self):
        environment = scratch.environment("jangteo_scratch_x")
        assert environment["DATABASE_URL"].startswith("postgresql://jangteo_app")
        assert environment["DATABASE_PLATFORM_URL"].startswith("postgresql://jangteo_platform")
        assert environment["DATABASE_URL"].endswith("/jangteo_scratch_x")
        assert "DATABASE_OWNER_URL" not in environment
