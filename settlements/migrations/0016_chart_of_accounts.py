"""Accounts get their kind, normal side, English name and order; those there are take the chart's."""

import django.core.validators
from django.db import migrations, models

# code: kind, normal side, name, English name, order
KNOWN = {
    "bank": ("asset", "debit", "보통예금", "Bank", 10),
    "clearing": ("clearing", "debit", "결제대금 미정산", "Receivable from payment providers", 20),
    "partner_funding": ("asset", "debit", "제휴사 부담 할인", "Discounts that partners owe", 30),
    "seller_receivable": ("asset", "debit", "판매자 미수금", "Receivable from sellers", 40),
    "seller_payable": ("liability", "credit", "판매자 정산예정금", "Owed to sellers", 60),
    "seller_held": ("liability", "credit", "판매자 지급보류금", "Held of sellers", 70),
    "seller_reserve": ("liability", "credit", "판매자 유보금", "Reserves of sellers", 80),
    "payout_payable": ("liability", "credit", "판매자 지급예정금", "Payouts due", 90),
    "payout_in_transit": ("clearing", "credit", "판매자 지급 중", "Payouts in transit", 100),
    "vat_payable": ("liability", "credit", "부가세 예수금", "VAT payable", 140),
    "withholding_income": ("liability", "credit", "소득세 예수금", "Income tax withheld", 150),
    "withholding_local": ("liability", "credit", "지방소득세 예수금", "Local tax withheld", 160),
    "suspense": ("clearing", "credit", "가수금·가지급금", "Suspense", 170),
    "platform_funding": (
        "expense", "debit", "플랫폼 부담 할인", "Discounts borne by the platform", 180
    ),
    "bad_debt": ("expense", "debit", "대손상각비", "Bad debts", 200),
}


def describe(apps, schema_editor):
    rows = apps.get_model("settlements", "Account")._base_manager.using(
        schema_editor.connection.alias
    )
    for code, (kind, side, name, english, place) in KNOWN.items():
        known = rows.filter(code=code)
        known.update(kind=kind, normal_side=side, name_english=english, place=place)
        # One that came with its first posting was called by its code.
        known.filter(name=code).update(name=name)
    rows.filter(code__startswith="fee_revenue:").update(
        kind="revenue", normal_side="credit", place=175
    )


class Migration(migrations.Migration):

    dependencies = [
        ('settlements', '0015_first_payout_policy'),
    ]

    operations = [
        migrations.AddField(
            model_name='account',
            name='kind',
            field=models.CharField(choices=[('asset', 'Asset'), ('liability', 'Liability'), ('revenue', 'Revenue'), ('expense', 'Expense'), ('clearing', 'Clearing')], default='clearing', max_length=10, verbose_name='type'),
        ),
        migrations.AddField(
            model_name='account',
            name='name_english',
            field=models.CharField(blank=True, help_text='For readers in English. Without it they see the other name.', max_length=100, verbose_name='name in English'),
        ),
        migrations.AddField(
            model_name='account',
            name='normal_side',
            field=models.CharField(choices=[('debit', 'Debit'), ('credit', 'Credit')], default='debit', help_text='The side on which its balance usually stands.', max_length=6, verbose_name='normal side'),
        ),
        migrations.AddField(
            model_name='account',
            name='place',
            field=models.PositiveSmallIntegerField(default=500, help_text='Lists begin with the smallest number.', verbose_name='order'),
        ),
        migrations.AlterField(
            model_name='account',
            name='code',
            field=models.CharField(help_text='Small letters, digits and _. It is never changed.', max_length=60, validators=[django.core.validators.RegexValidator('^[a-z][a-z0-9_]*(:[a-z0-9_.-]+)?$')], verbose_name='code'),
        ),
        migrations.RunPython(describe, migrations.RunPython.noop),
    ]
