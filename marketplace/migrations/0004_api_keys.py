"""Keys of the API, and the requests that were answered already."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import marketplace.constraints
import marketplace.models.base
import marketplace.tenancy
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0003_approvals'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(editable=False, max_length=8, unique=True, verbose_name='key')),
                ('name', models.CharField(help_text='Which system uses it, such as “checkout”.', max_length=100, verbose_name='name')),
                ('seller', models.CharField(blank=True, editable=False, max_length=40, verbose_name='limited to seller')),
                ('is_live', models.BooleanField(editable=False, verbose_name='for the live marketplace')),
                ('digest', models.CharField(editable=False, max_length=64)),
                ('last_four', models.CharField(editable=False, max_length=4, verbose_name='last four characters')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None, verbose_name='scopes')),
                ('networks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list, help_text='Addresses or networks it may be used from; empty for any.', size=None, verbose_name='addresses')),
                ('created_at', models.DateTimeField(editable=False, verbose_name='made at')),
                ('expires_at', models.DateTimeField(verbose_name='expires at')),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='revoked at')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used at')),
                ('created_by', models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
                ('marketplace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
                ('successor', marketplace.models.base.TenantKey(blank=True, db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.apikey', verbose_name='replaced by')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'indexes': [models.Index(fields=['marketplace', 'seller', '-id'], name='api_key_newest_first')],
                'constraints': [models.UniqueConstraint(fields=('marketplace', 'id'), name='api_key_tenant_key'), marketplace.constraints.TenantForeignKey(field='successor', name='api_key_successor_is_own'), models.CheckConstraint(condition=models.Q(('expires_at__lte', django.db.models.expressions.CombinedExpression(models.F('created_at'), '+', models.Value('366 days', output_field=models.DurationField())))), name='api_key_lives_a_year_at_most')],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('holder', models.CharField(blank=True, max_length=40, verbose_name='seller')),
                ('key', models.CharField(max_length=200, verbose_name='key')),
                ('fingerprint', models.CharField(max_length=64, verbose_name='fingerprint of the request')),
                ('status', models.PositiveSmallIntegerField(null=True, verbose_name='status of the answer')),
                ('headers', models.JSONField(default=dict, verbose_name='headers of the answer')),
                ('body', models.TextField(blank=True, verbose_name='answer')),
                ('created_at', models.DateTimeField(verbose_name='at')),
                ('marketplace', models.ForeignKey(db_index=False, default=marketplace.tenancy.current_id_or_none, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.marketplace', verbose_name='marketplace')),
            ],
            options={
                'verbose_name': 'answered request',
                'verbose_name_plural': 'answered requests',
                'abstract': False,
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['marketplace', 'created_at'], name='idempotency_key_oldest')],
                'constraints': [marketplace.constraints.TenantIsolation(grants='SELECT, INSERT, UPDATE, DELETE', key='marketplace_id', name='idempotency_key_isolation'), models.UniqueConstraint(fields=('marketplace', 'id'), name='idempotency_key_tenant_key'), models.UniqueConstraint(fields=('marketplace', 'holder', 'key'), name='idempotency_key_acts_once')],
            },
        ),
    ]
