"""The card of an account is leafed through in order, so an index has to hold that order."""

from django.db import migrations

ORDERED = """
CREATE INDEX ledger_entry_of_account ON ledger_entry (marketplace_id, account_id, id)
"""


class Migration(migrations.Migration):
    dependencies = [("settlements", "0021_tax_invoices")]

    operations = [migrations.RunSQL(ORDERED, "DROP INDEX ledger_entry_of_account")]
