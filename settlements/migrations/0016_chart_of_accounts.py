"""Accounts get their kind, normal side, English name and order; those there are take the chart's."""

import django.core.validators
from django.db import migrations, models

# code: kind, normal side, English name, order
KNOWN = {
    "clearing": ("clearing", "debit", "Receivable from payment providers", 20),
    "partner_funding": ("asset", "debit", "Discounts that partners owe", 30),
    "seller_payable": ("liability", "credit", "Owed to sellers", 60),
    "seller_reserve": ("liability", "credit", "Reserves of sellers", 80),
    "payout_payable": ("liability", "credit", "Payouts due", 90),
    "vat_payable": ("liability", "credit", "VAT payable", 140),
    "withholding_income": ("liability", "credit", "Income tax withheld", 150),
    "withholding_local": ("liability", "credit", "Local tax withheld", 160),
    "platform_funding": ("expense", "debit", "Discounts borne by the platform", 180),
}


def describe(apps, schema_editor):
    rows = apps.get_model("settlements", "Account")._base_manager.using(
        schema_editor.connection.alias
    )
    for code, (kind, side, english, place) in KNOWN.items():
        rows.filter(code=code).update(
            kind=kind, normal_side=side, name_english=english, place=place
        )
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
