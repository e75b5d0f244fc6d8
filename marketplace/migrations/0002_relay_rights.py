from django.db import migrations

from marketplace import roles

# The relay records delivery for every marketplace; nothing else is written across marketplaces.
# A step of its own: the isolation of a new table, which takes every right away before it grants,
# runs at the end of the migration that makes the table.
RIGHTS = f"""
GRANT UPDATE (sent_at, attempts, last_error) ON marketplace_outboxmessage TO {roles.PLATFORM};
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0001_initial")]

    operations = [migrations.RunSQL(RIGHTS, migrations.RunSQL.noop)]
