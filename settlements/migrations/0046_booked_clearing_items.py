"""Journals by hand that book one order's item of clearing; no journal before closed months."""

import django.db.models.deletion
from django.db import migrations, models

import marketplace.constraints
import marketplace.models.base

# A month that was never closed lies open before the first closed one: what is posted there would
# change the balances that every closed month begins with.
OPEN_DAYS = """
CREATE OR REPLACE FUNCTION ledger_day_is_open() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE locked date;
BEGIN
    PERFORM lock_ledger_month(d.marketplace_id, d.month, true) FROM (
        SELECT DISTINCT marketplace_id, date_trunc('month', basis_on)::date AS month FROM added
        ORDER BY 1, 2
    ) d;
    SELECT d.basis_on INTO locked
    FROM (SELECT DISTINCT marketplace_id, basis_on FROM added) d
    WHERE EXISTS (
        SELECT 1 FROM settlements_period p WHERE p.marketplace_id = d.marketplace_id
           AND p.month %s date_trunc('month', d.basis_on)::date AND p.state = 'closed'
    ) OR EXISTS (
        SELECT 1 FROM settlements_dayclose s WHERE s.marketplace_id = d.marketplace_id
           AND s.day = d.basis_on AND s.state = 'signed'
    ) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%% is signed or its month is closed', locked
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_day_is_open',
            DETAIL = locked::text;
    END IF;
    RETURN NULL;
END $body$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0013_undelivered_lines"),
        ("settlements", "0045_bank_windows_interest_and_monthly_fees"),
    ]

    operations = [
        migrations.AddField(
            model_name="manualjournal",
            name="order",
            field=marketplace.models.base.TenantKey(
                db_constraint=False,
                db_index=False,
                help_text="Whose item of the clearing account it books.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="orders.order",
                verbose_name="order",
            ),
        ),
        migrations.AddConstraint(
            model_name="manualjournal",
            constraint=marketplace.constraints.TenantForeignKey(
                field="order", name="manual_journal_order_is_own"
            ),
        ),
        migrations.AddConstraint(
            model_name="manualjournal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "entered")),
                fields=("marketplace", "order"),
                name="manual_journal_waits_once_an_order",
            ),
        ),
        migrations.RunSQL(OPEN_DAYS % ">=", OPEN_DAYS % "="),
    ]
