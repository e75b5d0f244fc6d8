"""The two bulk tables: partitioned by month, balanced by trigger, months opened on demand."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import marketplace.constraints
import marketplace.tenancy

TABLES = """
CREATE TABLE settlement_line (
    id bigserial NOT NULL,
    marketplace_id bigint NOT NULL,
    basis_on date NOT NULL,
    rate_on date NOT NULL,
    run_on date NOT NULL,
    sequence integer NOT NULL CHECK (sequence >= 0),
    quantity integer NOT NULL,
    kind smallint NOT NULL CHECK (kind IN (1, 2)),
    seller_id bigint NOT NULL,
    order_line_id bigint NOT NULL,
    statement_id bigint NOT NULL,
    terms_id bigint NOT NULL,
    list_amount bigint NOT NULL,
    seller_discount bigint NOT NULL,
    platform_discount bigint NOT NULL,
    partner_discount bigint NOT NULL,
    fee bigint NOT NULL,
    vat bigint NOT NULL,
    net bigint NOT NULL,
    charges bigint[] NOT NULL,
    CONSTRAINT settlement_line_key PRIMARY KEY (marketplace_id, basis_on, id),
    CONSTRAINT settlement_line_is_made_once
        UNIQUE (marketplace_id, order_line_id, sequence, basis_on)
) PARTITION BY RANGE (basis_on);
CREATE INDEX settlement_line_by_statement ON settlement_line (marketplace_id, statement_id);

CREATE TABLE ledger_entry (
    id bigserial NOT NULL,
    marketplace_id bigint NOT NULL,
    basis_on date NOT NULL,
    journal_id bigint NOT NULL,
    account_id bigint NOT NULL,
    seller_id bigint,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    CONSTRAINT ledger_entry_key PRIMARY KEY (marketplace_id, basis_on, id),
    CONSTRAINT ledger_entry_is_debit_or_credit
        CHECK (debit >= 0 AND credit >= 0 AND (debit = 0) <> (credit = 0))
) PARTITION BY RANGE (basis_on);
CREATE INDEX ledger_entry_by_account
    ON ledger_entry (marketplace_id, account_id, seller_id, basis_on);
CREATE INDEX ledger_entry_by_journal ON ledger_entry (marketplace_id, journal_id);
"""

DROP_TABLES = "DROP TABLE ledger_entry; DROP TABLE settlement_line"

# All legs of a journal are inserted by one statement, so the statement can judge the balance.
BALANCE = """
CREATE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE journal bigint;
BEGIN
    SELECT journal_id INTO journal FROM added
    GROUP BY marketplace_id, journal_id HAVING sum(debit) <> sum(credit) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % does not balance', journal USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $body$;
CREATE TRIGGER ledger_entry_balances AFTER INSERT ON ledger_entry
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_balances();
"""

DROP_BALANCE = """
DROP TRIGGER ledger_entry_balances ON ledger_entry; DROP FUNCTION ledger_entry_balances()
"""

# The app role may not create tables; it may ask for a month. A partition is attached rather
# than created in place, so that readers and writers of other months are not locked out.
MONTHS = """
CREATE FUNCTION open_settlement_month(bulk_table text, on_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    first_day date := date_trunc('month', on_day)::date;
    next_month date := (date_trunc('month', on_day) + interval '1 month')::date;
    partition text := bulk_table || to_char(on_day, '"_y"YYYY"m"MM');
BEGIN
    IF bulk_table NOT IN ('settlement_line', 'ledger_entry') THEN
        RAISE EXCEPTION 'no bulk table %', bulk_table;
    END IF;
    IF first_day < date '1990-01-01' OR first_day > date '2200-01-01' THEN
        RAISE EXCEPTION 'no settlement month %', first_day;
    END IF;
    IF to_regclass('public.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('open_settlement_month'));
    IF to_regclass('public.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS '
                   'INCLUDING CONSTRAINTS)', partition, bulk_table);
    EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, jangteo_app, jangteo_platform', partition);
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I '
                   'FOR VALUES FROM (%L) TO (%L)', bulk_table, partition, first_day, next_month);
END $body$;
REVOKE ALL ON FUNCTION open_settlement_month(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_settlement_month(text, date) TO jangteo_app;
"""

DROP_MONTHS = "DROP FUNCTION open_settlement_month(text, date)"


def _marketplace():
    return (
        "marketplace",
        models.ForeignKey(
            db_index=False,
            default=marketplace.tenancy.current_id_or_none,
            editable=False,
            on_delete=django.db.models.deletion.PROTECT,
            related_name="+",
            to="marketplace.marketplace",
            verbose_name="marketplace",
        ),
    )


def _id():
    return (
        "id",
        models.BigAutoField(
            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("settlements", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLES, DROP_TABLES)],
            state_operations=[
                migrations.CreateModel(
                    name="SettlementLine",
                    fields=[
                        _id(),
                        ("basis_on", models.DateField(verbose_name="basis date")),
                        ("seller_id", models.BigIntegerField(verbose_name="seller")),
                        ("order_line_id", models.BigIntegerField(verbose_name="order line")),
                        ("sequence", models.PositiveIntegerField(verbose_name="sequence")),
                        (
                            "kind",
                            models.SmallIntegerField(
                                choices=[(1, "Sale"), (2, "Reversal")], verbose_name="kind"
                            ),
                        ),
                        ("statement_id", models.BigIntegerField(verbose_name="statement")),
                        ("terms_id", models.BigIntegerField(verbose_name="terms")),
                        ("rate_on", models.DateField(verbose_name="rate date")),
                        ("run_on", models.DateField(verbose_name="settled in the night of")),
                        ("quantity", models.IntegerField(verbose_name="units")),
                        ("list_amount", models.BigIntegerField(verbose_name="list amount")),
                        (
                            "seller_discount",
                            models.BigIntegerField(verbose_name="seller's discount"),
                        ),
                        (
                            "platform_discount",
                            models.BigIntegerField(verbose_name="platform's discount"),
                        ),
                        (
                            "partner_discount",
                            models.BigIntegerField(verbose_name="partner's discount"),
                        ),
                        (
                            "charges",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(),
                                size=None,
                                verbose_name="base, fee, VAT by component",
                            ),
                        ),
                        ("fee", models.BigIntegerField(verbose_name="fees")),
                        ("vat", models.BigIntegerField(verbose_name="VAT on fees")),
                        ("net", models.BigIntegerField(verbose_name="net")),
                        _marketplace(),
                    ],
                    options={
                        "verbose_name": "settlement line",
                        "verbose_name_plural": "settlement lines",
                        "db_table": "settlement_line",
                        "abstract": False,
                        "base_manager_name": "objects",
                    },
                ),
                migrations.CreateModel(
                    name="LedgerEntry",
                    fields=[
                        _id(),
                        ("basis_on", models.DateField(verbose_name="effective on")),
                        ("journal_id", models.BigIntegerField(verbose_name="journal")),
                        ("account_id", models.BigIntegerField(verbose_name="account")),
                        ("seller_id", models.BigIntegerField(null=True, verbose_name="seller")),
                        ("debit", models.BigIntegerField(verbose_name="debit")),
                        ("credit", models.BigIntegerField(verbose_name="credit")),
                        _marketplace(),
                    ],
                    options={
                        "verbose_name": "ledger entry",
                        "verbose_name_plural": "ledger entries",
                        "db_table": "ledger_entry",
                        "abstract": False,
                        "base_manager_name": "objects",
                    },
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="settlementline",
            constraint=marketplace.constraints.TenantIsolation(
                grants="SELECT, INSERT", key="marketplace_id", name="settlement_line_isolation"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=marketplace.constraints.TenantIsolation(
                grants="SELECT, INSERT", key="marketplace_id", name="ledger_entry_isolation"
            ),
        ),
        migrations.RunSQL(BALANCE, DROP_BALANCE),
        migrations.RunSQL(MONTHS, DROP_MONTHS),
    ]
