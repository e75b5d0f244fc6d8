from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # reports come in and statements change while the indexes are built

    dependencies = [
        ('settlements', '0041_clearing_items_and_proofs'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='revenuereport',
            index=models.Index(condition=models.Q(('state', 'provisional')), fields=['marketplace', 'on'], name='revenue_report_provisional'),
        ),
        AddIndexConcurrently(
            model_name='statement',
            index=models.Index(condition=models.Q(('state', 'in_payout')), fields=['marketplace', 'due_on'], name='statement_in_payout'),
        ),
    ]
