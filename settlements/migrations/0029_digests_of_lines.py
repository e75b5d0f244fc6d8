"""Lines are stored with the digest that statements are sealed over; those before have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("settlements", "0028_fast_settlement")]

    operations = [
        migrations.AddField(
            model_name="settlementline",
            name="digest",
            field=models.BinaryField(null=True, verbose_name="digest"),
        ),
    ]
