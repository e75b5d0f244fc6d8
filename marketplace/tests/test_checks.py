import pytest
from celery.utils.dispatch import Signal
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from marketplace import celery, checks

pytestmark = pytest.mark.django_db


@pytest.fixture
def serve_as(monkeypatch):
    """Let `default` be the connection of another role for the check."""

    def serve_as(alias):
        others = {"default": connections[alias]}
        monkeypatch.setattr(checks, "connections", others)

    return serve_as


class TestRequireWeakRole:
    def test_accepts_the_app_role(self):
        checks.require_weak_role()

    def test_refuses_the_owner(self, serve_as):
        serve_as("owner")
        with pytest.raises(ImproperlyConfigured, match="jangteo_owner"):
            checks.require_weak_role()

    def test_refuses_a_role_that_passes_row_level_security(self, serve_as):
        serve_as("platform")
        with pytest.raises(ImproperlyConfigured, match="passes row-level security"):
            checks.require_weak_role()

    def test_stops_a_worker_before_its_first_task(self, serve_as):
        serve_as("owner")
        # A signal of its own: Django's fixup would close the connections of the test.
        starting = Signal(providing_args=set())
        starting.connect(celery.refuse_strong_role, weak=False)
        with pytest.raises(SystemExit, match="jangteo_owner"):
            starting.send(sender=None)


class TestCheckRole:
    def test_is_found_by_the_check_command(self, serve_as):
        serve_as("owner")
        errors = run_checks(tags=[Tags.database], databases=["default"])
        assert [error.id for error in errors] == ["marketplace.E001"]

    def test_asks_no_database_unless_told(self, serve_as):
        serve_as("owner")
        assert run_checks(tags=[Tags.database]) == []


class TestCheckSiteAddress:
    @pytest.mark.parametrize(
        ("address", "found"), [("", ["marketplace.W001"]), ("https://a.b", [])]
    )
    def test_warns_where_links_would_lead_nowhere(self, settings, address, found):
        settings.SITE_ADDRESS = address
        assert [problem.id for problem in run_checks()] == found
