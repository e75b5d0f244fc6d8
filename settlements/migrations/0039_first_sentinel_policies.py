"""Marketplaces that were opened before get the sentinel policy that new ones open with."""

from django.db import migrations

POLICIES = """
INSERT INTO settlements_sentinelpolicy
    (marketplace_id, number, valid_from, state, published_at, note, delivery_days, claim_days,
     approval_days, batch_days, payable_days, hold_days, report_days, sign_days, close_days,
     explain_days)
SELECT id, 1, first_open_on - 366, 'published', now(), '', 60, 30, 7, 3, 30, 90, 45, 7, 15, 14
FROM marketplace_marketplace m
WHERE NOT EXISTS (SELECT 1 FROM settlements_sentinelpolicy p WHERE p.marketplace_id = m.id)
"""


class Migration(migrations.Migration):
    dependencies = [("settlements", "0038_sentinel_policies")]

    operations = [migrations.RunSQL(POLICIES, migrations.RunSQL.noop)]
