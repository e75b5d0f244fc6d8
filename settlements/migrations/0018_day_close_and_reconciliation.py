"""The sheets of business dates, settlement files of payment providers, and what differs from them.

A signed day takes no journal any more, like a closed month.
"""

import django.db.models.deletion
import django.db.models.expressions
import marketplace.constraints
import marketplace.models.base
import marketplace.tenancy
import settlements.models.reconciliation
from django.conf import settings
from django.db import migrations, models


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
           AND p.month = date_trunc('month', d.basis_on)::date AND p.state = 'closed'
    )%s LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%% is signed or its month is closed', locked
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_day_is_open',
            DETAIL = locked::text;
    END IF;
    RETURN NULL;
END $body$
"""
SIGNED = """ OR EXISTS (
        SELECT 1 FROM settlements_dayclose s WHERE s.marketplace_id = d.marketplace_id
           AND s.day = d.basis_on AND s.state = 'signed'
    )"""


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0008_end_of_the_feed'),
        ('settlements', '0017_periods'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DayClose',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='business date')),
                ('state', models.CharField(choices=[('open', 'To be signed'), ('asked', 'Signed once'), ('signed', 'Signed by two')], default='open', max_length=10, verbose_name='state')),
                ('version', models.PositiveIntegerField(default=0, verbose_name='signed so many times')),
                ('seen_hash', models.CharField(blank=True, max_length=64, verbose_name='hash of what was signed first')),
                ('signed_first_at', models.DateTimeField(null=True, verbose_name='signed first at')),
                ('remark', models.CharField(blank=True, max_length=500, verbose_name='remark')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
                ('signed_first_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='signed first by')),
            ],
            options={
                'verbose_name': 'day close',
                'verbose_name_plural': 'day closes',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Discrepancy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(default=settlements.models.reconciliation._discrepancy_id, editable=False, max_length=40, verbose_name='public id')),
                ('kind', models.CharField(choices=[('amount', 'Amounts differ'), ('missing_here', 'No payment here'), ('missing_there', 'Not with the provider')], max_length=15, verbose_name='kind')),
                ('side', models.CharField(choices=[('payment', 'Payment'), ('refund', 'Refund')], max_length=10, verbose_name='payment or refund')),
                ('provider_id', models.CharField(max_length=100, verbose_name="provider's id")),
                ('expected', models.BigIntegerField(verbose_name='of orders')),
                ('found', models.BigIntegerField(verbose_name='of the provider')),
                ('difference', models.BigIntegerField(verbose_name='difference')),
                ('suspended', models.BigIntegerField(default=0, verbose_name='on suspense')),
                ('moves', models.PositiveIntegerField(default=0, verbose_name='journals')),
                ('found_on', models.DateField(verbose_name='found on')),
                ('state', models.CharField(choices=[('open', 'To be explained'), ('resolved', 'Explained'), ('booked', 'Booked by two people')], default='open', max_length=10, verbose_name='state')),
                ('account', models.CharField(blank=True, max_length=60, verbose_name='booked on')),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='reason')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='closed at')),
                ('closed_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='closed by')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
            ],
            options={
                'verbose_name': 'reconciliation discrepancy',
                'verbose_name_plural': 'reconciliation discrepancies',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ProviderFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(default=settlements.models.reconciliation._file_id, editable=False, max_length=40, verbose_name='public id')),
                ('provider', models.CharField(max_length=40, verbose_name='provider')),
                ('name', models.CharField(max_length=200, verbose_name='file')),
                ('digest', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('rows', models.PositiveIntegerField(verbose_name='rows')),
                ('known_rows', models.PositiveIntegerField(help_text='Rows that an earlier file had brought.', verbose_name='of these known already')),
                ('first_sold_on', models.DateField(verbose_name='first day of sales')),
                ('last_sold_on', models.DateField(verbose_name='last day of sales')),
                ('imported_at', models.DateTimeField(verbose_name='imported at')),
                ('imported_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='imported by')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
            ],
            options={
                'verbose_name': "provider's settlement file",
                'verbose_name_plural': "providers' settlement files",
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ProviderRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='row')),
                ('provider', models.CharField(max_length=40, verbose_name='provider')),
                ('provider_id', models.CharField(max_length=100, verbose_name="provider's id")),
                ('kind', models.CharField(choices=[('payment', 'Payment'), ('refund', 'Refund')], max_length=10, verbose_name='kind')),
                ('sold_on', models.DateField(verbose_name='sold on')),
                ('paid_out_on', models.DateField(verbose_name='paid out on')),
                ('gross', models.BigIntegerField(verbose_name='gross')),
                ('fee', models.BigIntegerField(verbose_name="provider's fee")),
                ('fee_vat', models.BigIntegerField(verbose_name="VAT on the provider's fee")),
                ('deposit', models.BigIntegerField(verbose_name='deposit')),
                ('occurrence', models.PositiveSmallIntegerField(default=1, verbose_name='occurrence')),
                ('file', marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.providerfile', verbose_name='file')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
            ],
            options={
                'verbose_name': 'row of a provider',
                'verbose_name_plural': 'rows of providers',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='SignedSheet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(verbose_name='version')),
                ('sheet', models.JSONField(verbose_name='sheet')),
                ('remark', models.CharField(blank=True, max_length=500, verbose_name='remark')),
                ('signed_first_at', models.DateTimeField(verbose_name='signed first at')),
                ('signed_at', models.DateTimeField(verbose_name='signed at')),
                ('previous_hash', models.CharField(max_length=64, verbose_name='hash of the sheet before')),
                ('hash', models.CharField(max_length=64, verbose_name='hash')),
                ('day_close', marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='sheets', to='settlements.dayclose', verbose_name='day close')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
                ('signed_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='signed by')),
                ('signed_first_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='signed first by')),
            ],
            options={
                'verbose_name': 'signed sheet',
                'verbose_name_plural': 'signed sheets',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='dayclose',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, UPDATE', key='marketplace_id', name='day_close_isolation'),
        ),
        migrations.AddConstraint(
            model_name='dayclose',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='day_close_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='dayclose',
            constraint=models.UniqueConstraint(fields=('marketplace', 'day'), name='day_close_is_one_per_day'),
        ),
        migrations.AddIndex(
            model_name='discrepancy',
            index=models.Index(fields=['marketplace', '-found_on'], name='discrepancy_newest_first'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, UPDATE', key='marketplace_id', name='discrepancy_isolation'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='discrepancy_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(fields=('marketplace', 'public_id'), name='discrepancy_public_id_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('marketplace', 'provider_id', 'side'), name='discrepancy_is_open_once'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(('difference', django.db.models.expressions.CombinedExpression(models.F('found'), '-', models.F('expected')))), name='discrepancy_is_the_difference'),
        ),
        migrations.AddConstraint(
            model_name='providerfile',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT', key='marketplace_id', name='provider_file_isolation'),
        ),
        migrations.AddConstraint(
            model_name='providerfile',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='provider_file_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='providerfile',
            constraint=models.UniqueConstraint(fields=('marketplace', 'digest'), name='provider_file_is_taken_once'),
        ),
        migrations.AddConstraint(
            model_name='providerfile',
            constraint=models.UniqueConstraint(fields=('marketplace', 'public_id'), name='provider_file_public_id_is_unique'),
        ),
        migrations.AddIndex(
            model_name='providerrow',
            index=models.Index(fields=['marketplace', 'paid_out_on'], name='provider_row_by_day'),
        ),
        migrations.AddConstraint(
            model_name='providerrow',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT', key='marketplace_id', name='provider_row_isolation'),
        ),
        migrations.AddConstraint(
            model_name='providerrow',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='provider_row_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='providerrow',
            constraint=marketplace.constraints.TenantForeignKey(field='file', name='provider_row_file_is_own'),
        ),
        migrations.AddConstraint(
            model_name='providerrow',
            constraint=models.UniqueConstraint(fields=('marketplace', 'provider_id', 'kind', 'paid_out_on', 'gross', 'fee', 'occurrence', 'provider'), name='provider_row_counts_once'),
        ),
        migrations.AddConstraint(
            model_name='providerrow',
            constraint=models.CheckConstraint(condition=models.Q(('deposit', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('gross'), '-', models.F('fee')), '-', models.F('fee_vat')))), name='provider_row_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='providerrow',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('gross__gte', 0), ('kind', 'payment')), models.Q(('gross__lte', 0), ('kind', 'refund')), _connector='OR'), name='provider_row_has_its_sign'),
        ),
        migrations.AddConstraint(
            model_name='signedsheet',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT', key='marketplace_id', name='signed_sheet_isolation'),
        ),
        migrations.AddConstraint(
            model_name='signedsheet',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='signed_sheet_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='signedsheet',
            constraint=marketplace.constraints.TenantForeignKey(field='day_close', name='signed_sheet_day_close_is_own'),
        ),
        migrations.AddConstraint(
            model_name='signedsheet',
            constraint=models.UniqueConstraint(fields=('marketplace', 'day_close', 'version'), name='signed_sheet_is_one_a_version'),
        ),
        migrations.AddConstraint(
            model_name='signedsheet',
            constraint=marketplace.constraints.AppendOnly(name='signed_sheet_only_grows'),
        ),
        migrations.RunSQL(OPEN_DAYS % SIGNED, OPEN_DAYS % ""),
    ]
