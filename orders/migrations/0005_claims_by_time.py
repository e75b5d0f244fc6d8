from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # claims are made while their index is built

    dependencies = [
        ("listings", "0005_find_a_sellers_listings"),
        ("marketplace", "0008_end_of_the_feed"),
        ("orders", "0004_days_of_payment_in_the_index"),
        ("sellers", "0002_profiles_invitations_bank_accounts"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="claim",
            index=models.Index(fields=["marketplace", "-requested_at"], name="claim_newest_first"),
        ),
    ]
