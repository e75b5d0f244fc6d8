"""What the catalogue of the database must say about every table that a marketplace owns.

It reads PostgreSQL, not models: a table, index or view made by hand is judged as well. What is
allowed to differ is listed here by name, with its reason.
"""

import pytest
from django.apps import apps
from django.db import connections, transaction

from marketplace.constraints import TenantIsolation

pytestmark = pytest.mark.django_db

# They tell which marketplace a user or a key may enter, so they are read before one is entered.
GLOBAL_WITH_OWNER = {
    "marketplace_membership",
    "sellers_sellermember",
    "marketplace_apikey",
}
# A foreign key on the bulk tables would more than double a night; each run looks for orphans.
WITHOUT_FOREIGN_KEYS = {"settlement_line", "ledger_entry"}
# Runs with its owner's rights, because the app role may not create tables.
SECURITY_DEFINERS = {"open_settlement_month"}
RULE = (
    "({key} = ( SELECT (NULLIF(current_setting('app.marketplace'::text, true), ''::text))::bigint"
    ' AS "nullif"))'
)

TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
       pg_get_userbyid(c.relowner),
       has_table_privilege('jangteo_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE'),
       has_table_privilege('jangteo_app', c.oid, 'TRUNCATE, REFERENCES, TRIGGER'),
       has_table_privilege('jangteo_platform', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'marketplace_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f') AND c.relnamespace = 'public'::regnamespace
"""
POLICIES = """
SELECT tablename, policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies
WHERE schemaname = 'public'
"""
FOREIGN_KEYS = """
SELECT c.conname, s.relname, t.relname,
       ARRAY(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY k(n, i)
             JOIN pg_attribute ON attrelid = c.conrelid AND attnum = k.n ORDER BY i)::text[],
       ARRAY(SELECT attname FROM unnest(c.confkey) WITH ORDINALITY k(n, i)
             JOIN pg_attribute ON attrelid = c.confrelid AND attnum = k.n ORDER BY i)::text[]
FROM pg_constraint c JOIN pg_class s ON s.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND NOT s.relispartition
"""
REFERENCES = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relnamespace = 'public'::regnamespace
  AND a.attname LIKE '%\\_id' AND a.atttypid IN ('int'::regtype, 'bigint'::regtype)
"""
INDEXES = """
SELECT t.relname, x.relname, i.indisprimary,
       COALESCE((SELECT attname FROM pg_attribute
                 WHERE attrelid = i.indrelid AND attnum = i.indkey[0]), 'an expression')
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relnamespace = 'public'::regnamespace
"""
VIEWS = """
SELECT relname, relkind = 'm',
       COALESCE('security_invoker=true' = ANY (reloptions)
                OR 'security_invoker=on' = ANY (reloptions), false)
FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace
"""
DEFINERS = """
SELECT p.proname FROM pg_proc p
WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
"""


def problems() -> list[str]:
    """What in the database does not keep marketplaces apart, one sentence each."""
    owned = {row[0]: row[1:] for row in _all(TABLES)} | {"marketplace_marketplace": None}
    tenant = set(owned) - GLOBAL_WITH_OWNER
    partitions = {name for name, facts in owned.items() if facts and facts[2]}
    return [
        *_tables(owned),
        *_policies(tenant - partitions),
        *_foreign_keys(set(owned)),
        *_references(tenant - partitions - {"marketplace_marketplace"}),
        *_indexes(tenant - {"marketplace_marketplace"}),
        *_views(),
        *_definers(),
    ]


def _tables(owned):
    for name, facts in owned.items():
        if facts is None:
            continue
        enabled, forced, is_partition, owner, app, app_much, platform = facts
        if name not in GLOBAL_WITH_OWNER and not (enabled and forced):
            yield f"{name}: row-level security is not enabled and forced"
        if owner != "jangteo_owner":
            yield f"{name}: belongs to {owner}"
        if is_partition and app:
            yield f"{name}: the app role reaches the partition itself"
        if app_much:
            yield f"{name}: the app role may truncate, refer to it or hang triggers on it"
        if platform:
            yield f"{name}: the platform role may write"


def _policies(tables):
    """One policy each, for the app role, reading and writing by the same rule.

    Partitions need none: nobody has rights on them, and through their table its policy holds.
    """
    found = {name: [] for name in tables}
    for table, *policy in _all(POLICIES):
        if table not in found:
            yield f"{table}: has a policy that no rule asks for"
            continue
        found[table].append(policy)
    for table, policies in found.items():
        key = "id" if table == "marketplace_marketplace" else "marketplace_id"
        rule = RULE.format(key=key)
        expected = [["PERMISSIVE", ["jangteo_app"], "ALL", rule, rule]]
        if table == "marketplace_marketplace":  # everyone may look one up
            expected.append(["PERMISSIVE", ["jangteo_app"], "SELECT", "true", None])
        if sorted(p[1:] for p in policies) != sorted(expected):
            yield f"{table}: its policies are not the usual ones"


def _foreign_keys(owned):
    for name, source, target, columns, targets in _all(FOREIGN_KEYS):
        if target not in owned or target == "marketplace_marketplace":
            continue
        if ("marketplace_id", "marketplace_id") not in zip(columns, targets, strict=True):
            yield f"{source}: {name} may point into another marketplace"


def _references(tables):
    """A column that names a row of another table has a foreign key."""
    held = {
        (source, column) for _, source, _, columns, _ in _all(FOREIGN_KEYS) for column in columns
    }
    for table, column in _all(REFERENCES):
        if table in tables - WITHOUT_FOREIGN_KEYS and (table, column) not in held:
            yield f"{table}: {column} has no foreign key"


def _indexes(tables):
    for table, index, is_primary, first in _all(INDEXES):
        if table in tables and first != "marketplace_id" and not (is_primary and first == "id"):
            yield f"{table}: {index} begins with {first}"


def _views():
    for name, is_materialized, asks_as_reader in _all(VIEWS):
        if is_materialized:
            yield f"{name}: a materialized view holds rows of every marketplace"
        elif not asks_as_reader:
            yield f"{name}: a view that is not security_invoker passes every policy"


def _definers():
    for (name,) in _all(DEFINERS):
        if name not in SECURITY_DEFINERS:
            yield f"{name}(): runs with its owner's rights"


def _all(query):
    with connections["owner"].cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_marketplaces_are_kept_apart():
    assert problems() == []


VERBS = ["SELECT", "INSERT", "UPDATE", "DELETE"]


def test_the_app_role_has_the_rights_that_models_declare():
    declared, actual = {}, {}
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if isinstance(constraint, TenantIsolation):
                table = model._meta.db_table
                declared[table] = set(constraint.grants.split(", "))
                held = ", ".join(
                    f"has_table_privilege('jangteo_app', '{table}', '{v}')" for v in VERBS
                )
                [row] = _all(f"SELECT {held}")
                actual[table] = {verb for verb, is_held in zip(VERBS, row, strict=True) if is_held}
    assert len(declared) > 30
    assert actual == declared


def test_the_platform_role_may_write_the_state_of_delivery_alone():
    columns = _all("""
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
          AND NOT a.attisdropped
          AND has_column_privilege('jangteo_platform', c.oid, a.attnum, 'INSERT, UPDATE')
        """)
    assert set(columns) == {
        ("marketplace_outboxmessage", column) for column in ("sent_at", "attempts", "last_error")
    }


def test_so_are_the_partitions_of_bulk_tables(made):
    made(
        "SELECT open_settlement_month('settlement_line', '2026-01-15')",
        "SELECT open_settlement_month('ledger_entry', '2026-01-15')",
    )
    assert problems() == []


GOOD = """
CREATE TABLE bad (id bigint PRIMARY KEY,
                  marketplace_id bigint NOT NULL REFERENCES marketplace_marketplace);
ALTER TABLE bad ENABLE ROW LEVEL SECURITY; ALTER TABLE bad FORCE ROW LEVEL SECURITY;
CREATE POLICY bad_isolation ON bad TO jangteo_app
    USING (marketplace_id = (SELECT NULLIF(current_setting('app.marketplace', true), '')::bigint))
    WITH CHECK
    (marketplace_id = (SELECT NULLIF(current_setting('app.marketplace', true), '')::bigint));
"""


class TestProblems:
    """That the judge sees: each of these would reach production unnoticed otherwise."""

    def test_finds_nothing_wrong_with_a_good_table(self, made):
        made(GOOD)
        assert problems() == []

    @pytest.mark.parametrize(
        ("statement", "problem"),
        [
            ("CREATE TABLE bad (marketplace_id bigint)", "not enabled and forced"),
            (GOOD + "ALTER TABLE bad NO FORCE ROW LEVEL SECURITY", "not enabled and forced"),
            (GOOD + "ALTER TABLE bad DISABLE ROW LEVEL SECURITY", "not enabled and forced"),
            (GOOD + "DROP POLICY bad_isolation ON bad", "not the usual ones"),
            (GOOD + "CREATE POLICY more ON bad USING (true)", "not the usual ones"),
            (GOOD + "ALTER POLICY bad_isolation ON bad WITH CHECK (true)", "not the usual ones"),
            (GOOD + "ALTER POLICY bad_isolation ON bad TO PUBLIC", "not the usual ones"),
            (
                GOOD + "ALTER TABLE bad ADD job_id bigint REFERENCES marketplace_jobrun (id)",
                "may point into another marketplace",
            ),
            (
                "CREATE TABLE worse (job_id bigint REFERENCES marketplace_jobrun (id))",
                "may point into another marketplace",
            ),
            (GOOD + "ALTER TABLE bad ADD job_id bigint", "job_id has no foreign key"),
            (GOOD + "CREATE INDEX late ON bad (id, marketplace_id)", "late begins with id"),
            (GOOD + "CREATE UNIQUE INDEX oracle ON bad ((id + 1))", "begins with an expression"),
            (GOOD + "GRANT TRUNCATE ON bad TO jangteo_app", "may truncate"),
            (GOOD + "GRANT INSERT ON bad TO jangteo_platform", "the platform role may write"),
            ("CREATE VIEW bad AS SELECT * FROM marketplace_jobrun", "not security_invoker"),
            (
                "CREATE MATERIALIZED VIEW bad AS SELECT * FROM marketplace_jobrun",
                "a materialized view",
            ),
            (
                "CREATE FUNCTION bad() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
                "runs with its owner's rights",
            ),
            (
                "SELECT open_settlement_month('ledger_entry', '2026-01-15');"
                "GRANT SELECT ON ledger_entry_y2026m01 TO jangteo_app",
                "reaches the partition itself",
            ),
            (
                "CREATE TABLE ledger_entry_old PARTITION OF ledger_entry "
                "FOR VALUES FROM ('1980-01-01') TO ('1980-02-01')",
                "not enabled and forced",
            ),
        ],
    )
    def test_finds(self, made, statement, problem):
        made(statement)
        found = problems()
        assert found
        assert any(problem in sentence for sentence in found)


@pytest.fixture
def made():
    """Run statements as the owner, in a transaction that is rolled back."""

    def made(*statements):
        with connections["owner"].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    with transaction.atomic(using="owner"):
        yield made
        transaction.set_rollback(True, using="owner")
