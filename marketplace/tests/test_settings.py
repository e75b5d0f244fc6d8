"""Settings are read once per process, so each case here is a process."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

PRODUCTION = {
    "DATABASE_URL": "postgresql://jangteo_app:x@db.example:5432/jangteo",
    "DATABASE_PLATFORM_URL": "postgresql://jangteo_platform:x@db.example:5432/jangteo",
    "SECRET_KEY": "k" * 40,
    "FIELD_KEYS": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtb24=",
    "ALLOWED_HOSTS": "back.example.com,api.example.com",
}


def value(name, environment):
    """Print a setting from a process that has nothing but this environment."""
    program = f"from marketplace import settings; print(settings.{name})"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=settings.BASE_DIR,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
    )


class TestProduction:
    def test_starts_with_what_it_needs(self):
        assert value("ALLOWED_HOSTS", PRODUCTION).stdout == (
            "['back.example.com', 'api.example.com']\n"
        )

    @pytest.mark.parametrize(
        "missing", ["DATABASE_PLATFORM_URL", "SECRET_KEY", "FIELD_KEYS", "ALLOWED_HOSTS"]
    )
    def test_refuses_to_start_without(self, missing):
        given = {name: text for name, text in PRODUCTION.items() if name != missing}
        assert f"Set {missing}" in value("DEBUG", given).stderr

    @pytest.mark.parametrize(
        ("name", "text", "complaint"),
        [
            ("SECRET_KEY", "short", "SECRET_KEY is shorter"),
            ("FIELD_KEYS", "c2hvcnQ=", "FIELD_KEYS are 32 bytes each"),
            ("FIELD_KEYS", "no Base64!", "FIELD_KEYS are 32 bytes each"),
            ("DATABASE_URL", "sqlite:///x.db", "does not name a PostgreSQL database"),
            ("JANGTEO_PROCESS", "webb", "JANGTEO_PROCESS is web, worker or command"),
            ("LINES_A_SHARD", "0", "are 1 or more"),
        ],
    )
    def test_refuses_what_is_wrong(self, name, text, complaint):
        assert complaint in value("DEBUG", PRODUCTION | {name: text}).stderr

    @pytest.mark.parametrize(
        ("given", "address"),
        [
            ({}, "https://back.example.com"),
            ({"ALLOWED_HOSTS": "*"}, ""),
            ({"ALLOWED_HOSTS": "*", "SITE_ADDRESS": "https://a.example/"}, "https://a.example"),
        ],
    )
    def test_finds_its_pages_from_outside_where_a_host_is_named(self, given, address):
        assert value("SITE_ADDRESS", PRODUCTION | given).stdout == f"{address}\n"

    def test_has_no_password_of_the_owner_unless_given(self):
        shown = value("DATABASES['owner']['PASSWORD']", PRODUCTION)
        assert (shown.stdout, shown.returncode) == ("\n", 0)

    def test_limits_how_long_a_page_may_ask(self):
        options = "DATABASES['default']['OPTIONS']['options']"
        web = value(options, PRODUCTION | {"JANGTEO_PROCESS": "web"}).stdout
        assert "statement_timeout=10s" in web

    def test_is_served_over_https(self):
        assert value("SESSION_COOKIE_SECURE", PRODUCTION).stdout == "True\n"


class TestTrial:
    def test_needs_no_environment(self):
        shown = value("DEBUG, settings.TRIAL", {})
        assert shown.stdout == "False True\n"

    @pytest.mark.parametrize("name", ["secret_key", "field_keys"])
    def test_keeps_its_secrets_to_itself(self, name):
        secret = settings.VAR / name
        value("DEBUG", {})
        assert secret.stat().st_mode & 0o777 == 0o600

    def test_keeps_mail_in_files_of_its_own_folder(self):
        assert value("EMAIL_FILE_PATH", {}).stdout == f"{settings.VAR / 'mail'}\n"
