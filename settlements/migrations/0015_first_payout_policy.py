"""Marketplaces that were opened before there were payouts get the policy that new ones open with."""

from django.db import migrations

POLICIES = """
INSERT INTO settlements_payoutpolicy
    (marketplace_id, number, valid_from, state, published_at, note, gateway, result_days, memo)
SELECT id, 1, first_open_on - 366, 'published', now(), '', 'sandbox', 1, ''
FROM marketplace_marketplace m
WHERE NOT EXISTS (SELECT 1 FROM settlements_payoutpolicy p WHERE p.marketplace_id = m.id)
"""
ACCOUNTS = """
INSERT INTO settlements_account (marketplace_id, code, name, is_per_seller)
SELECT m.id, a.code, a.name, a.is_per_seller
FROM marketplace_marketplace m
CROSS JOIN (VALUES ('payout_in_transit', '판매자 지급 중', true), ('bank', '보통예금', false),
                   ('suspense', '가수금·가지급금', false)) AS a (code, name, is_per_seller)
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("settlements", "0014_payouts")]

    operations = [
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
        migrations.RunSQL(ACCOUNTS, migrations.RunSQL.noop),
    ]
