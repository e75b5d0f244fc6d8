"""That marketplaces are kept apart, trap by trap, and that nothing switches it off."""

import ast
import re
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection, connections, transaction
from django.template import Context, Template
from django_scopes import scopes_disabled
from django_scopes.exceptions import ScopeError

from marketplace import handlers, tenancy
from marketplace.models import AuditEntry, JobRun, JobShard, Marketplace, OutboxMessage
from marketplace.tests import make

ROOT = Path(__file__).resolve().parents[2]
POLICY = "violates row-level security policy"
OWN_KEY = "violates foreign key constraint"


@pytest.fixture
def markets(db):
    ours, theirs = make.marketplace("ours"), make.marketplace("theirs")
    for market in (ours, theirs):
        with tenancy.use(market.pk):
            job = JobRun.objects.create(kind="import", key=market.slug)
            JobShard.objects.create(job=job, number=1, first_key=1, end_key=2)
    return ours, theirs


@pytest.fixture
def ours(markets):
    with tenancy.use(markets[0].pk) as marketplace:
        yield marketplace


def sql(query, params=(), using="default"):
    with connections[using].cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def keys(query="SELECT key FROM marketplace_jobrun ORDER BY key"):
    return [row[0] for row in sql(query)]


@contextmanager
def refused(match, error=DatabaseError):
    """The statement fails, and the transaction of the test goes on."""
    with pytest.raises(error, match=match), transaction.atomic():
        yield


class TestWithoutAMarketplace:
    def test_the_orm_refuses_to_ask(self, markets):
        with pytest.raises(ScopeError):
            JobRun.objects.count()
        with pytest.raises(tenancy.TenantRequired):
            tenancy.current_id()

    def test_the_orm_without_scopes_finds_nothing(self, markets):
        with scopes_disabled():
            assert list(JobRun.objects.all()) == []
            assert not JobRun.objects.exists()
            assert JobRun.objects.update(kind="x") == 0

    def test_raw_sql_finds_nothing(self, markets):
        assert keys() == []
        assert sql("UPDATE marketplace_jobrun SET kind = 'x'") == 0
        assert sql("DELETE FROM marketplace_jobshard") == 0

    def test_an_empty_setting_finds_nothing_either(self, markets):
        """After a SET LOCAL the setting is '', not NULL; casting it would be an error."""
        sql("SELECT set_config('app.marketplace', '', true)")
        assert keys() == []

    def test_nothing_is_inserted(self, markets):
        with refused(POLICY), scopes_disabled():
            JobRun.objects.create(marketplace=markets[0], kind="import", key="x")
        with refused(POLICY), scopes_disabled():
            JobRun.objects.create(kind="import", key="x")


class TestForgottenFilter:
    def test_raw_sql_sees_own_rows_only(self, ours):
        assert keys() == ["ours"]
        assert keys("SELECT r.key FROM marketplace_jobshard s, marketplace_jobrun r") == ["ours"]

    def test_the_orm_without_scopes_sees_own_rows_only(self, ours):
        with scopes_disabled():
            assert [job.key for job in JobRun.objects.all()] == ["ours"]

    def test_updates_and_deletes_touch_own_rows_only(self, markets):
        with tenancy.use(markets[0].pk), scopes_disabled():
            assert JobRun.objects.update(kind="x") == 1
            assert JobShard.objects.all().delete()[0] == 1
        with tenancy.use(markets[1].pk):
            assert JobRun.objects.get().kind == "import"
            assert JobShard.objects.count() == 1

    def test_a_foreign_row_is_not_reached_by_its_key(self, markets):
        with tenancy.use(markets[1].pk):
            theirs = JobRun.objects.get()
        with tenancy.use(markets[0].pk):
            shard = JobShard(job_id=theirs.pk)
            with pytest.raises(ObjectDoesNotExist):
                _ = shard.job


class TestWritingIntoAnother:
    def test_create_is_refused(self, ours, markets):
        with refused(POLICY):
            JobRun.objects.create(marketplace=markets[1], kind="import", key="x")

    def test_bulk_create_is_refused(self, ours, markets):
        jobs = [JobRun(marketplace=markets[1], kind="import", key="x")]
        with refused(POLICY):
            JobRun.objects.bulk_create(jobs)
        with refused(POLICY), scopes_disabled():
            JobRun.objects.bulk_create(jobs, ignore_conflicts=True)

    def test_raw_insert_is_refused(self, ours, markets):
        with refused(POLICY):
            sql(
                "INSERT INTO marketplace_inboxmessage (marketplace_id, consumer, message) "
                "VALUES (%s, 'c', 'm')",
                [markets[1].pk],
            )

    def test_moving_a_row_there_is_refused(self, ours, markets):
        with refused(POLICY):
            JobRun.objects.update(marketplace=markets[1])

    def test_pointing_at_a_row_there_is_refused(self, markets):
        """PostgreSQL's own foreign-key check ignores policies: the marketplace is in the key."""
        with tenancy.use(markets[1].pk):
            theirs = JobRun.objects.get()
        with refused(OWN_KEY), tenancy.use(markets[0].pk):
            JobShard.objects.create(job_id=theirs.pk, number=2, first_key=1, end_key=2)
            sql("SET CONSTRAINTS ALL IMMEDIATE")

    def test_an_upsert_stays_at_home(self, ours):
        JobRun.objects.bulk_create(
            [JobRun(kind="import", key="ours", total=7)],
            update_conflicts=True,
            unique_fields=["marketplace", "kind", "key"],
            update_fields=["total"],
        )
        assert JobRun.objects.get().total == 7

    def test_another_marketplaces_row_is_not_changed(self, ours, markets):
        assert Marketplace.objects.filter(pk=markets[1].pk).update(name="x") == 0


class TestSwitchingItOff:
    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TABLE marketplace_jobrun DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE marketplace_jobrun NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY job_run_isolation ON marketplace_jobrun",
            "ALTER TABLE marketplace_auditentry DISABLE TRIGGER ALL",
            "SET ROLE jangteo_owner",
            "SET ROLE jangteo_platform",
            "SET SESSION AUTHORIZATION jangteo_owner",
            "TRUNCATE marketplace_jobrun CASCADE",
            "ALTER ROLE jangteo_app BYPASSRLS",
            "SET session_replication_role = replica",
            "CREATE TABLE loophole (id int)",
            "UPDATE marketplace_auditentry SET reason = 'x'",
            "DELETE FROM marketplace_auditentry",
            "UPDATE marketplace_outboxmessage SET sent_at = now()",
            "DELETE FROM marketplace_marketplace",
            "DELETE FROM django_migrations",
        ],
    )
    def test_is_refused(self, ours, statement):
        with refused("permission denied|must be owner|must be superuser|cannot set parameter"):
            sql(statement)

    def test_row_security_off_only_refuses_to_answer(self, ours):
        with refused("would be affected by row-level security"):
            sql("SET LOCAL row_security = off")
            keys()

    def test_the_platform_role_writes_nothing_but_delivery(self, markets):
        for statement in (
            "UPDATE marketplace_jobrun SET kind = 'x'",
            "INSERT INTO marketplace_inboxmessage (marketplace_id, consumer, message) "
            "VALUES (1, 'c', 'm')",
            "DELETE FROM marketplace_outboxmessage",
            "UPDATE marketplace_outboxmessage SET topic = 'x'",
        ):
            with pytest.raises(DatabaseError, match="permission denied"):  # noqa: SIM117
                with transaction.atomic(using="platform"):
                    sql(statement, using="platform")


class TestUse:
    def test_nests_in_the_same_marketplace(self, ours):
        with tenancy.use(ours.pk):
            assert keys() == ["ours"]
        assert keys() == ["ours"]

    def test_survives_a_rollback_inside(self, ours):
        with pytest.raises(ZeroDivisionError), tenancy.use(ours.pk):  # noqa: PT012
            JobRun.objects.update(kind="x")
            raise ZeroDivisionError
        assert JobRun.objects.get().kind == "import"

    def test_ends_with_its_block(self, markets):
        with tenancy.use(markets[0].pk):
            pass
        assert keys() == []
        assert tenancy.current_id_or_none() is None

    def test_ends_with_a_block_that_failed(self, markets):
        with pytest.raises(ZeroDivisionError), tenancy.use(markets[0].pk):
            raise ZeroDivisionError
        assert keys() == []
        assert tenancy.current_id_or_none() is None

    def test_refuses_a_second_marketplace(self, ours, markets):
        with pytest.raises(tenancy.TenantSwitch), tenancy.use(markets[1].pk):
            pass
        assert keys() == ["ours"]

    def test_finds_a_marketplace_by_code(self, markets):
        with tenancy.use(code="theirs") as marketplace:
            assert marketplace == markets[1]
            assert keys() == ["theirs"]

    @pytest.mark.django_db(transaction=True)
    def test_lets_an_archived_marketplace_only_be_read(self):
        archived = make.marketplace("old", state="archived")
        with (
            pytest.raises(DatabaseError, match="read-only transaction"),
            tenancy.use(archived.pk),
        ):
            AuditEntry.objects.create(at=make.NOON, action="probe")
        with tenancy.use(archived.pk):
            assert AuditEntry.objects.count() == 0
        with tenancy.use(archived.pk, even_archived=True):
            AuditEntry.objects.create(at=make.NOON, action="probe")

    def test_needs_one_that_exists(self, db):
        with pytest.raises(Marketplace.DoesNotExist), tenancy.use(code="nobody"):
            pass


class TestLaziness:
    def test_a_queryset_kept_beyond_the_block_finds_nothing(self, markets):
        with tenancy.use(markets[0].pk):
            jobs = JobRun.objects.all()
        assert list(jobs) == []

    def test_a_template_rendered_beyond_the_block_finds_nothing(self, markets):
        template = Template("{% for job in jobs %}{{ job.key }}{% endfor %}")
        with tenancy.use(markets[0].pk):
            context = Context({"jobs": JobRun.objects.all()})
            assert template.render(context) == "ours"
            context = Context({"jobs": JobRun.objects.all()})
        assert template.render(context) == ""


class TestCopy:
    def test_into_a_table_is_refused(self, ours):
        # psycopg's own error, not Django's: the cursor's copy() is not wrapped.
        into = "COPY marketplace_inboxmessage (marketplace_id, consumer, message) FROM STDIN"
        with (
            refused("COPY FROM not supported with row-level security", psycopg.Error),
            connection.cursor() as cursor,
            cursor.copy(into) as rows,
        ):
            rows.write_row((ours.pk, "c", "m"))

    def test_out_of_a_table_is_filtered(self, ours):
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY (SELECT key FROM marketplace_jobrun) TO STDOUT") as rows,
        ):
            assert [bytes(row) for row in rows] == [b"ours\n"]

    def test_through_a_temporary_table_is_judged_by_the_policy(self, ours, markets):
        sql("CREATE TEMPORARY TABLE loaded (marketplace_id bigint, message text)")
        with connection.cursor() as cursor, cursor.copy("COPY loaded FROM STDIN") as rows:
            rows.write_row((ours.pk, "1"))
        insert = (
            "INSERT INTO marketplace_inboxmessage (marketplace_id, consumer, message) "
            "SELECT marketplace_id, 'c', message FROM loaded"
        )
        assert sql(insert) == 1
        sql("UPDATE loaded SET marketplace_id = %s", [markets[1].pk])
        with refused(POLICY):
            sql(insert)


class TestPartitions:
    @pytest.fixture
    def line(self, ours):
        sql("SELECT open_settlement_month('settlement_line', '2026-01-15')")
        columns = (
            "marketplace_id, basis_on, rate_on, run_on, sequence, quantity, kind, seller_id, "
            "order_line_id, statement_id, terms_id, list_amount, seller_discount, "
            "platform_discount, partner_discount, fee, vat, net, charges"
        )
        values = f"{ours.pk}, '2026-01-15', '2026-01-15', '2026-01-15', 0, 1, 1, {'1, ' * 11}'{{}}'"
        return f"INSERT INTO %s ({columns}) VALUES ({values})"

    def test_are_reached_through_their_table(self, line):
        assert sql(line % "settlement_line") == 1
        assert sql("SELECT count(*) FROM settlement_line") == [(1,)]

    @pytest.mark.parametrize("statement", ["SELECT * FROM %s", "DELETE FROM %s", "INSERT"])
    def test_are_not_reached_by_themselves(self, line, statement):
        statement = line if statement == "INSERT" else statement
        with refused("permission denied"):
            sql(statement % "settlement_line_y2026m01")

    def test_keep_marketplaces_apart(self, markets, request):
        request.getfixturevalue("line")
        insert = request.getfixturevalue("line")
        sql(insert % "settlement_line")
        sql("SELECT set_config('app.marketplace', %s, true)", [str(markets[1].pk)])
        assert sql("SELECT count(*) FROM settlement_line") == [(0,)]
        with refused(POLICY):
            sql(insert % "settlement_line")

    def test_are_only_made_for_bulk_tables(self, ours):
        with refused("no bulk table"):
            sql("SELECT open_settlement_month('marketplace_jobrun', '2026-01-15')")


class TestOwner:
    """Migrations and backups see every row: for the owner, policies do not apply."""

    def test_data_migrations_reach_every_marketplace(self, markets):
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT current_user, row_security_active('marketplace_jobrun')")
            assert cursor.fetchone() == ("jangteo_owner", False)

    def test_a_view_needs_security_invoker(self, ours):
        """Without it, a view asks as its owner, who passes every policy."""
        statement = "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND %s"
        assert sql(statement % "relnamespace = 'public'::regnamespace") == []


@pytest.mark.django_db(transaction=True)
class TestRealTransactions:
    def test_a_pooled_connection_carries_nothing_on(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            JobRun.objects.create(kind="import", key="ours")
            session = sql("SELECT pg_backend_pid()")
        assert sql("SELECT pg_backend_pid()") == session
        assert keys() == []
        assert sql("SELECT current_setting('app.marketplace', true)") == [("",)]

    def test_the_owner_sees_and_updates_all_rows(self):
        for slug in ("ours", "theirs"):
            with tenancy.use(make.marketplace(slug).pk):
                OutboxMessage.objects.create(topic="x")
                JobRun.objects.create(kind="import", key=slug)
        assert sql("UPDATE marketplace_jobrun SET kind = 'x'", using="owner") == 2
        assert sql("SELECT count(*) FROM marketplace_outboxmessage", using="platform") == [(2,)]

    def test_a_view_of_the_owner_shows_everything_unless_it_asks_as_its_reader(self):
        market, other = make.marketplace(), make.marketplace("theirs")
        with tenancy.use(other.pk):
            JobRun.objects.create(kind="import", key="theirs")
        views = {"careless": "", "careful": "WITH (security_invoker = true)"}
        try:
            for name, option in views.items():
                sql(
                    f"CREATE VIEW {name} {option} AS SELECT key FROM marketplace_jobrun",
                    (),
                    "owner",
                )
            with tenancy.use(market.pk):
                assert keys("SELECT key FROM careless") == ["theirs"]
                assert keys("SELECT key FROM careful") == []
        finally:
            for name in views:
                sql(f"DROP VIEW IF EXISTS {name}", (), "owner")


class TestLint:
    """Ways to lose the marketplace that no test of behaviour would see coming."""

    FORBIDDEN = {
        "a setting that outlives its transaction": r"set_config\([^)]*,\s*false\s*\)",
        "SET of our setting for a session": r"\bSET\s+(SESSION\s+)?app\.",
        "a role taken per session": r"assume_role",
        "bindings on the server": r"server_side_binding",
    }

    @pytest.mark.parametrize("what", FORBIDDEN)
    def test_no_source_holds(self, what):
        pattern = re.compile(self.FORBIDDEN[what], re.IGNORECASE)
        found = [
            str(path.relative_to(ROOT))
            for path in _sources()
            if path != Path(__file__).resolve() and pattern.search(path.read_text("utf-8"))
        ]
        assert found == []

    def test_scopes_are_left_in_known_places_only(self):
        known = {"marketplace/outbox.py", "marketplace/webhooks/sweeping.py"}
        found = {
            str(path.relative_to(ROOT))
            for path in _sources()
            if "tests" not in path.parts and "scopes_disabled" in path.read_text("utf-8")
        }
        assert found <= known

    def test_every_announced_topic_has_its_line(self):
        announced = {
            node.args[0].value
            for path in _sources()
            if "tests" not in path.parts
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "add"
            and getattr(node.func.value, "id", "") == "outbox"
            and isinstance(node.args[0], ast.Constant)
        }
        assert announced <= set(handlers.TOPICS)


def _sources():
    for config in apps.get_app_configs():
        folder = Path(config.path)
        if folder.parent == ROOT:
            yield from folder.rglob("*.py")
