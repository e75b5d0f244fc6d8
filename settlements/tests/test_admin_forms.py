"""What operators type about fees, in a currency with cents."""

import pytest
from django.core.exceptions import ValidationError

from marketplace import tenancy
from marketplace.tests import make
from settlements import admin_forms, rule_words
from settlements.models import FeeRule

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def dollars(db):
    market = make.marketplace(currency="USD", exponent=2)
    with tenancy.use(market.pk):
        yield market


class TestAmount:
    @pytest.mark.parametrize(("typed", "kept"), [("12.9", 1_290), ("1,000", 100_000), ("0", 0)])
    def test_is_typed_in_major_units(self, typed, kept):
        assert admin_forms.AmountField().clean(typed) == kept

    def test_is_shown_as_it_is_read(self):
        field = admin_forms.AmountField()
        assert field.prepare_value(123_450) == "1,234.50"
        assert not field.has_changed(123_450, "1,234.50")

    def test_may_be_left_out_where_it_is_not_needed(self):
        assert admin_forms.AmountField(required=False).clean("") is None

    @pytest.mark.parametrize("typed", ["x", "1.234", "0.001"])
    def test_refuses_what_the_currency_does_not_have(self, typed):
        with pytest.raises(ValidationError):
            admin_forms.AmountField().clean(typed)


class TestTiers:
    def test_begin_at_amounts_in_major_units(self):
        field, text = admin_forms.TiersField(), "0.00: 12 %\n1,000.50: 10 %"
        tiers = [[0, 100_050, 120_000], [100_050, None, 100_000]]
        assert field.clean(text) == tiers
        assert field.prepare_value(tiers) == text


class TestWords:
    def test_name_amounts_in_major_units(self):
        rule = FeeRule(fixed_amount=50, min_amount=1_000, price_to=100_000)
        assert rule_words.charge(rule) == "0.50 a line, at least 10.00 a line"
        assert rule_words.conditions(rule) == ["unit price: 0.00 – 1,000.00"]
