"""What sellers type on the money pages: shape and wording only."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from listings import kind_words
from listings.models import Category
from marketplace import money
from marketplace.refusals import Refused
from orders import verdicts
from orders.models import OrderLine


class MoneyField(forms.CharField):
    """An amount in the currency's major units, as people write it: 12,900."""

    def __init__(self, *, exponent: int, **given):
        super().__init__(max_length=40, **given)
        self.exponent = exponent
        self.widget.attrs["inputmode"] = "decimal" if exponent else "numeric"

    def clean(self, value):
        text = super().clean(value)
        if not text:
            return 0
        try:
            amount = money.parse(text, self.exponent)
        except Refused as refused:
            raise ValidationError(refused.text(gettext), code=refused.code) from refused
        if amount < 0:
            raise ValidationError(_("Write an amount of 0 or more."), code="below_zero")
        if amount > verdicts.LARGEST_AMOUNT:
            raise ValidationError(_("This amount is too large."), code="too_large")
        return amount


class _Unrepeated(forms.TextInput):
    """A form that came back wrong does not say again what was typed."""

    def format_value(self, value):
        return None


class ResidentNumberForm(forms.Form):
    number = forms.CharField(
        label=_("Resident or foreigner registration number"),
        max_length=20,
        help_text=_("13 digits, such as 900101-1234567."),
        widget=_Unrepeated(
            attrs={"autocomplete": "off", "inputmode": "numeric", "data-private": True}
        ),
    )


class CalculatorForm(forms.Form):
    """An item that might be sold, for the estimate of its fees."""

    def __init__(self, *arguments, marketplace, channels, asks_for_tax, **given):
        super().__init__(*arguments, **given)
        exponent = marketplace.currency_exponent
        self.fields["category"] = forms.TypedChoiceField(
            label=_("Category"), required=False, empty_value=None, coerce=int, choices=_categories()
        )
        self.fields["unit_price"] = MoneyField(label=_("Price"), exponent=exponent)
        self.fields["quantity"] = forms.IntegerField(
            label=_("Units"), min_value=1, max_value=1_000_000, initial=1
        )
        self.fields["seller_discount"] = MoneyField(
            label=_("Your own discount"), exponent=exponent, required=False
        )
        self.fields["other_discount"] = MoneyField(
            label=_("Discount that others pay for"),
            exponent=exponent,
            required=False,
            help_text=_("Coupons of the marketplace or of a partner; they are not taken from you."),
        )
        if asks_for_tax:
            self.fields["tax_kind"] = forms.ChoiceField(
                label=_("VAT of the item"),
                required=False,
                choices=OrderLine.TaxKind.choices,
                help_text=_("What is taxed has VAT that the marketplace takes off and pays."),
            )
        if channels:
            self.fields["channel"] = forms.ChoiceField(
                label=_("Sold through"),
                required=False,
                choices=[
                    ("", _("Usual sale")),
                    *((code, kind_words.name(code)) for code in channels),
                ],
            )

    def clean(self):
        given = super().clean()
        if self._is_checked(given):
            price, quantity, *discounts = (given[name] for name in self._AMOUNTS)
            if sum(discounts) > price * quantity:
                self.add_error("seller_discount", _("Discounts are more than the price."))
        return given

    _AMOUNTS = ("unit_price", "quantity", "seller_discount", "other_discount")

    def _is_checked(self, given) -> bool:
        return all(name in given for name in self._AMOUNTS)


class SimulatorForm(CalculatorForm):
    """An item at a price, or at the price that leaves what is wanted; and a supposed grade."""

    def __init__(self, *arguments, marketplace, grades, **given):
        super().__init__(*arguments, marketplace=marketplace, **given)
        exponent = marketplace.currency_exponent
        self.fields["unit_price"].required = False
        self.fields["wanted"] = MoneyField(
            label=_("Or: what you want to keep"),
            exponent=exponent,
            required=False,
            help_text=_("Of all units. Leave the price empty: it is worked out."),
        )
        self.fields["grade"] = forms.ChoiceField(
            label=_("Grade"),
            required=False,
            choices=[("", _("My own grade")), *((each.code, each.name) for each in grades)],
        )
        self.order_fields(["category", "unit_price", "wanted"])

    def clean(self):
        given = super().clean()
        if bool(given.get("unit_price")) == bool(given.get("wanted")) and not self.errors:
            self.add_error("unit_price", _("Give a price, or what you want to keep."))
        return given

    def _is_checked(self, given) -> bool:
        return super()._is_checked(given) and not given.get("wanted")


def _categories() -> list[tuple]:
    rows = sorted(Category.objects.all(), key=lambda category: category.path)
    indented = [(row.pk, "\u2003" * (len(row.path) - 1) + row.name) for row in rows]
    return [("", _("Any other category")), *indented]
