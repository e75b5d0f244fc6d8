import pytest
from django.db import ProgrammingError, connections, transaction

from marketplace import roles

pytestmark = pytest.mark.django_db


def run(alias, statement, *arguments):
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else None


class TestRoles:
    @pytest.mark.parametrize(
        ("alias", "role", "passes_row_security", "makes_databases"),
        [
            ("default", "jangteo_app", False, False),
            ("owner", "jangteo_owner", True, True),
            ("platform", "jangteo_platform", True, False),
        ],
    )
    def test_have_the_attributes_they_need(self, alias, role, passes_row_security, makes_databases):
        [attributes] = run(
            alias,
            "SELECT rolname, rolsuper, rolcreaterole, rolbypassrls, rolcreatedb"
            " FROM pg_roles WHERE rolname = current_user",
        )
        assert attributes == (role, False, False, passes_row_security, makes_databases)

    @pytest.mark.parametrize("alias", ["default", "platform"])
    @pytest.mark.parametrize(
        "statement",
        [
            "TRUNCATE django_session",
            "CREATE TABLE public.mine (id int)",
            "DROP TABLE django_session",
            "ALTER TABLE django_session DISABLE ROW LEVEL SECURITY",
            "SET ROLE jangteo_owner",
            "CREATE ROLE another",
        ],
    )
    def test_may_not_change_tables_or_roles(self, alias, statement):
        with pytest.raises(ProgrammingError):
            run(alias, statement)

    @pytest.mark.parametrize(
        "statement",
        ["DELETE FROM django_session", "UPDATE django_session SET session_data = ''"],
    )
    def test_platform_may_not_write(self, statement):
        with pytest.raises(ProgrammingError):
            run("platform", statement)
        assert run("platform", "SELECT count(*) FROM django_session") == [(0,)]

    def test_app_may_make_temporary_tables(self):
        run("default", "CREATE TEMPORARY TABLE bulk (id int) ON COMMIT DROP")

    def test_owner_may_create_the_extensions_and_trigrams_know_hangul(self):
        run("owner", roles.EXTENSIONS_SQL)
        [(trigrams,)] = run("owner", "SELECT show_trgm('망고')")
        assert len(trigrams) == 3
