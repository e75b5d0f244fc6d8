from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0007_webhooks'),
    ]

    operations = [
        migrations.AddField(
            model_name='marketplace',
            name='forgotten_change',
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='marketplace',
            name='forgotten_transaction',
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
