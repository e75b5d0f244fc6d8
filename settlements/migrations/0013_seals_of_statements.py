"""What makes closed statements provable: their seals, the terms as documents, signing keys."""

import django.db.models.deletion
import marketplace.constraints
import marketplace.models.base
import marketplace.sealing
import marketplace.tenancy
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0008_end_of_the_feed'),
        ('sellers', '0002_profiles_invitations_bank_accounts'),
        ('settlements', '0012_deadline_guard'),
    ]

    operations = [
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(editable=False, max_length=16, verbose_name='key id')),
                ('public_half', models.CharField(editable=False, max_length=64, verbose_name='public half')),
                ('private_half', marketplace.sealing.SealedField(bound_to='code', verbose_name='private half')),
                ('made_at', models.DateTimeField(editable=False, verbose_name='made at')),
                ('retired_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='retired at')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
            ],
            options={
                'verbose_name': 'signing key',
                'verbose_name_plural': 'signing keys',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='StatementSeal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='number in the chain')),
                ('document', models.TextField(verbose_name='document')),
                ('head', models.CharField(max_length=64, verbose_name='head')),
                ('signature', models.CharField(max_length=128, verbose_name='signature')),
                ('key', marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.signingkey', verbose_name='signing key')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
                ('seller', marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='sellers.seller', verbose_name='seller')),
                ('statement', marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.statement', verbose_name='statement')),
            ],
            options={
                'verbose_name': 'seal of a statement',
                'verbose_name_plural': 'seals of statements',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='TermsDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('text', models.TextField(verbose_name='document')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
                ('terms', marketplace.models.base.TenantKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.lineterms', verbose_name='terms')),
            ],
            options={
                'verbose_name': 'terms document',
                'verbose_name_plural': 'terms documents',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, UPDATE', key='marketplace_id', name='signing_key_isolation'),
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='signing_key_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=models.UniqueConstraint(fields=('marketplace', 'code'), name='signing_key_code_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=models.UniqueConstraint(condition=models.Q(('retired_at__isnull', True)), fields=('marketplace',), name='signing_key_in_use_is_one'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT', key='marketplace_id', name='statement_seal_isolation'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='statement_seal_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=marketplace.constraints.TenantForeignKey(field='statement', name='statement_seal_statement_is_own'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=marketplace.constraints.TenantForeignKey(field='seller', name='statement_seal_seller_is_own'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=marketplace.constraints.TenantForeignKey(field='key', name='statement_seal_key_is_own'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=models.UniqueConstraint(fields=('marketplace', 'statement'), name='statement_seal_is_one'),
        ),
        migrations.AddConstraint(
            model_name='statementseal',
            constraint=models.UniqueConstraint(fields=('marketplace', 'seller', 'number'), name='statement_seal_is_in_one_chain'),
        ),
        migrations.AddConstraint(
            model_name='termsdocument',
            constraint=marketplace.constraints.TenantIsolation(grants='SELECT, INSERT', key='marketplace_id', name='terms_document_isolation'),
        ),
        migrations.AddConstraint(
            model_name='termsdocument',
            constraint=models.UniqueConstraint(fields=('marketplace', 'id'), name='terms_document_tenant_key'),
        ),
        migrations.AddConstraint(
            model_name='termsdocument',
            constraint=marketplace.constraints.TenantForeignKey(field='terms', name='terms_document_terms_is_own'),
        ),
        migrations.AddConstraint(
            model_name='termsdocument',
            constraint=models.UniqueConstraint(fields=('marketplace', 'terms'), name='terms_document_is_one_per_terms'),
        ),
    ]
