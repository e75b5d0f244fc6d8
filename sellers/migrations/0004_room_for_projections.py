from django.db import migrations


class Migration(migrations.Migration):
    """Every night writes every row anew: with room on its page, a row takes no index with it."""

    dependencies = [
        ('sellers', '0003_find_applicants'),
    ]

    operations = [
        migrations.RunSQL(
            'ALTER TABLE sellers_projectedgrade SET (fillfactor = 45)',
            'ALTER TABLE sellers_projectedgrade RESET (fillfactor)',
        ),
    ]
