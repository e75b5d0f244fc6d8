"""The lines of one statement are leafed through in order, so the index has to hold that order."""

from django.db import migrations

ORDERED = """
CREATE INDEX settlement_line_of_statement ON settlement_line (marketplace_id, statement_id, id);
DROP INDEX settlement_line_by_statement
"""
UNORDERED = """
CREATE INDEX settlement_line_by_statement ON settlement_line (marketplace_id, statement_id);
DROP INDEX settlement_line_of_statement
"""


class Migration(migrations.Migration):
    dependencies = [("settlements", "0003_export_right")]

    operations = [migrations.RunSQL(ORDERED, UNORDERED)]
