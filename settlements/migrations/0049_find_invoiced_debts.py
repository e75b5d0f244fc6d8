from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # statements close while the index is built

    dependencies = [
        ("settlements", "0048_letters_and_arbitrations"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="statement",
            index=models.Index(
                condition=models.Q(("debt_invoiced__gt", 0)),
                fields=["marketplace", "seller", "closed_on"],
                name="statement_with_debt_invoiced",
            ),
        ),
    ]
