"""Amounts as people type them, in major units of the marketplace in use; kept in minor ones."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from marketplace import money, tenancy
from marketplace.refusals import Refused


class AmountField(forms.CharField):
    """An amount in major units of the marketplace in use, kept in minor ones."""

    def prepare_value(self, value):
        return shown(value) if isinstance(value, int) else value

    def to_python(self, value):
        if isinstance(value, int):
            return value
        text = super().to_python(value)
        return None if text in self.empty_values else read(text)

    def has_changed(self, initial, data):
        try:
            return initial != self.to_python(data)
        except ValidationError:
            return True


def shown(amount: int) -> str:
    return money.plain(amount, tenancy.current().currency_exponent)


def read(text: str) -> int:
    """Raises ValidationError where it is no amount of the currency."""
    try:
        return money.parse(text, tenancy.current().currency_exponent)
    except Refused as refused:
        raise ValidationError(refused.text(gettext), code=refused.code) from refused
