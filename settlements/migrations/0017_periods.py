"""Months of the ledger that close; journals by hand; what is posted stays as it is, by trigger."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import marketplace.constraints
import marketplace.models.base
import marketplace.tenancy
import settlements.models.ledger

# Whoever posts holds the lock of the month in common with others, whoever closes it alone: a
# journal on its way is waited for, and one that comes after the closing sees it.
LOCK = """
CREATE FUNCTION lock_ledger_month(marketplace bigint, on_day date, in_common boolean) RETURNS void
LANGUAGE plpgsql AS $body$
DECLARE key bigint := hashtextextended(
    'ledger.month:' || marketplace || ':' || to_char(on_day, 'YYYY-MM'), 0);
BEGIN
    IF in_common THEN
        PERFORM pg_advisory_xact_lock_shared(key);
    ELSE
        PERFORM pg_advisory_xact_lock(key);
    END IF;
END $body$;
"""
UNLOCK = "DROP FUNCTION lock_ledger_month(bigint, date, boolean)"

# Two statements: the second one sees what was committed while the first one waited.
OPEN_DAYS = """
CREATE FUNCTION ledger_day_is_open() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE locked date;
BEGIN
    PERFORM lock_ledger_month(d.marketplace_id, d.month, true) FROM (
        SELECT DISTINCT marketplace_id, date_trunc('month', basis_on)::date AS month FROM added
        ORDER BY 1, 2
    ) d;
    SELECT d.basis_on INTO locked
    FROM (SELECT DISTINCT marketplace_id, basis_on FROM added) d
    JOIN settlements_period p ON p.marketplace_id = d.marketplace_id
         AND p.month = date_trunc('month', d.basis_on)::date
    WHERE p.state = 'closed' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the month of % is closed', locked USING ERRCODE = 'check_violation',
            CONSTRAINT = 'ledger_day_is_open', DETAIL = locked::text;
    END IF;
    RETURN NULL;
END $body$;
CREATE TRIGGER ledger_entry_on_open_day AFTER INSERT ON ledger_entry
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_day_is_open();
CREATE TRIGGER journal_on_open_day AFTER INSERT ON settlements_journal
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_day_is_open();
"""
ANY_DAYS = """
DROP TRIGGER journal_on_open_day ON settlements_journal;
DROP TRIGGER ledger_entry_on_open_day ON ledger_entry;
DROP FUNCTION ledger_day_is_open()
"""


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0008_end_of_the_feed'),
        ('sellers', '0002_profiles_invitations_bank_accounts'),
        ('settlements', '0016_chart_of_accounts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ManualJournal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(default=settlements.models.ledger._manual_id, editable=False, max_length=40, verbose_name='public id')),
                ('state', models.CharField(choices=[('entered', 'Waiting to be posted'), ('posted', 'Posted'), ('discarded', 'Discarded')], default='entered', max_length=10, verbose_name='state')),
                ('on', models.DateField(verbose_name='effective on')),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('document', models.CharField(help_text='The number or place of what it follows from.', max_length=200, verbose_name='document')),
                ('legs', models.JSONField(default=list, verbose_name='legs')),
                ('entered_at', models.DateTimeField(verbose_name='entered at')),
            ],
            options={
                'verbose_name': 'manual journal',
                'verbose_name_plural': 'manual journals',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='MonthBalance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(verbose_name='month')),
                ('debit', models.BigIntegerField(verbose_name='debits')),
                ('credit', models.BigIntegerField(verbose_name='credits')),
            ],
            options={
                'verbose_name': 'month balance',
                'verbose_name_plural': 'month balances',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Period',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(help_text='Its first day.', verbose_name='month')),
                ('state', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=10, verbose_name='state')),
                ('version', models.PositiveIntegerField(default=0, help_text='Every closing is a version of its own.', verbose_name='closed so many times')),
            ],
            options={
                'verbose_name': 'accounting period',
                'verbose_name_plural': 'accounting periods',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='PeriodClosing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(verbose_name='version')),
                ('closed_at', models.DateTimeField(verbose_name='closed at')),
                ('entries', models.PositiveBigIntegerField(verbose_name='entries')),
                ('trial_balance', models.JSONField(help_text='Account, debits and credits up to the end of the month.', verbose_name='trial balance')),
                ('previous_hash', models.CharField(max_length=64, verbose_name='hash of the closing before')),
                ('hash', models.CharField(max_length=64, verbose_name='hash')),
            ],
            options={
                'verbose_name': 'closing of a period',
                'verbose_name_plural': 'closings of periods',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='journal',
            name='reverses',
            field=marketplace.models.base.TenantKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='settlements.journal', verbose_name='counter-entry of'),
        ),
        migrations.AddField(
            model_name='journal',
            name='occurred_on',
            field=models.DateField(help_text='Where its day took no journal any more.', null=True, verbose_name='happened on'),
        ),
        migrations.AddConstraint(
            model_name='journal',
            constraint=marketplace.constraints.TenantForeignKey(field='reverses', name='journal_reverses_is_own'),
        ),
        migrations.AddConstraint(
            model_name='journal',
            constraint=marketplace.constraints.AppendOnly(name='journal_only_grows'),
        ),
        migrations.AddConstraint(
            model_name='journal',
            constraint=models.UniqueConstraint(condition=models.Q(('reverses__isnull', False)), fields=('marketplace', 'reverses'), name='journal_is_reversed_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=marketplace.constraints.AppendOnly(name='ledger_entry_only_grows'),
        ),
        migrations.AddField(
            model_name='manualjournal',
            name='entered_by',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='entered by'),
        ),
        migrations.AddField(
            model_name='manualjournal',
            name='marketplace',
            field=models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace'),
        ),
        migrations.AddField(
            model_name='manualjournal',
            name='reverses',
            field=marketplace.models.base.TenantKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.journal', verbose_name='counter-entry of'),
        ),
        migrations.AddField(
            model_name='monthbalance',
            name='account',
            field=marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.account', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='monthbalance',
            name='marketplace',
            field=models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace'),
        ),
        migrations.AddField(
            model_name='monthbalance',
            name='seller',
            field=marketplace.models.base.TenantKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='sellers.seller', verbose_name='seller'),
        ),
        migrations.AddField(
            model_name='period',
            name='marketplace',
            field=models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace'),
        ),
        migrations.AddField(
            model_name='periodclosing',
            name='closed_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='closed by'),
        ),
        migrations.AddField(
            model_name='periodclosing',
            name='marketplace',
            field=models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace'),
        ),
        migrations.AddField(
            model_name='periodclosing',
            name='period',
            field=marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='closings', to='settlements.period', verbose_name='accounting period'),
        ),
        migrations.AddIndex(
            model_name='manualjournal',
            index=models.Index(fields=['marketplace', '-entered_at'], name='manual_journal_newest_first'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, UPDATE', key='marketplace_id', name='manual_journal_isolation'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='manual_journal_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=marketplace.constraints.TenantForeignKey(field='reverses', name='manual_journal_reverses_is_own'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=models.UniqueConstraint(fields=('marketplace', 'public_id'), name='manual_journal_public_id_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='manualjournal',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'discarded'), _negated=True), fields=('marketplace', 'reverses'), name='manual_journal_reverses_once'),
        ),
        migrations.AddConstraint(
            model_name='monthbalance',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, DELETE', key='marketplace_id', name='month_balance_isolation'),
        ),
        migrations.AddConstraint(
            model_name='monthbalance',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='month_balance_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='monthbalance',
            constraint=marketplace.constraints.TenantForeignKey(field='account', name='month_balance_account_is_own'),
        ),
        migrations.AddConstraint(
            model_name='monthbalance',
            constraint=marketplace.constraints.TenantForeignKey(field='seller', name='month_balance_seller_is_own'),
        ),
        migrations.AddConstraint(
            model_name='monthbalance',
            constraint=models.UniqueConstraint(fields=('marketplace', 'account', 'seller', 'month'), name='month_balance_is_one_per_month', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='period',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, UPDATE', key='marketplace_id', name='period_isolation'),
        ),
        migrations.AddConstraint(
            model_name='period',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='period_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='period',
            constraint=models.UniqueConstraint(fields=('marketplace', 'month'), name='period_is_one_per_month'),
        ),
        migrations.AddConstraint(
            model_name='period',
            constraint=models.CheckConstraint(condition=models.Q(('month__day', 1)), name='period_is_named_by_its_first_day'),
        ),
        migrations.AddConstraint(
            model_name='periodclosing',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT', key='marketplace_id', name='period_closing_isolation'),
        ),
        migrations.AddConstraint(
            model_name='periodclosing',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='period_closing_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='periodclosing',
            constraint=marketplace.constraints.TenantForeignKey(field='period', name='period_closing_period_is_own'),
        ),
        migrations.AddConstraint(
            model_name='periodclosing',
            constraint=models.UniqueConstraint(fields=('marketplace', 'period', 'version'), name='period_closing_is_one_a_version'),
        ),
        migrations.AddConstraint(
            model_name='periodclosing',
            constraint=marketplace.constraints.AppendOnly(name='period_closing_only_grows'),
        ),
        migrations.RunSQL(LOCK, UNLOCK),
        migrations.RunSQL(OPEN_DAYS, ANY_DAYS),
    ]
