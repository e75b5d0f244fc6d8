"""What a seller types about a listing: shape and wording. Rules are for the processes."""

import unicodedata

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from listings.models import Category
from marketplace import money
from marketplace.refusals import Refused

LONGEST_DESCRIPTION = 20_000
LARGEST_PRICE = 10**12  # minor units: a slip of the finger, long before orders refuse it


def plain_price(text: str) -> str:
    """An amount as a Korean keyboard may write it, in full width or with the won beside it."""
    return unicodedata.normalize("NFKC", text).strip().removeprefix("₩").removesuffix("원")


class ListingForm(forms.Form):
    """The words of a revision. `exponent` is that of the marketplace's currency."""

    title = forms.CharField(
        label=_("Title"), max_length=300, help_text=_("What buyers read first.")
    )
    unit_price = forms.CharField(
        label=_("Price"),
        max_length=64,
        help_text=_("What the buyer pays for one, VAT included."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    category = forms.CharField(label=_("Category"), max_length=300, required=False)
    description = forms.CharField(
        label=_("Description"),
        max_length=LONGEST_DESCRIPTION,
        required=False,
        widget=forms.Textarea(attrs={"rows": 10}),
    )

    def __init__(self, *args, exponent: int, **kwargs):
        super().__init__(*args, **kwargs)
        self.exponent = exponent

    def clean_unit_price(self) -> int:
        text = plain_price(self.cleaned_data["unit_price"])
        try:
            amount = money.parse(text, self.exponent)
        except money.UnreadableAmount:
            raise forms.ValidationError(
                gettext("Enter the price in digits, such as 12,900.")
            ) from None
        except Refused as refused:
            raise forms.ValidationError(refused.text(gettext)) from None
        if amount < 0:
            raise forms.ValidationError(gettext("A price is not negative."))
        if amount > LARGEST_PRICE:
            raise forms.ValidationError(gettext("No price is that high. Please check the digits."))
        return amount

    def clean_category(self) -> Category:
        code = self.cleaned_data["category"]
        category = Category.objects.filter(code=code).first() if code else None
        if category is None:
            raise forms.ValidationError(gettext("Choose a category. Type a word to find it."))
        return category


class NewListingForm(ListingForm):
    code = forms.CharField(
        label=_("Stock code"),
        max_length=100,
        help_text=_("Your own code for it; it stays as it is."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("code", "title", "unit_price", "category", "description")
