from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # orders are taken in while the index is built

    dependencies = [
        ('orders', '0012_referrals'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='orderline',
            index=models.Index(condition=models.Q(('status__in', ['paid', 'preparing', 'shipped'])), fields=['marketplace', 'paid_on'], name='order_line_undelivered'),
        ),
    ]
