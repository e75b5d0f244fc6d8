"""What people fill in for an API key, on the operators' pages and on a seller's."""

import re
from datetime import datetime, timedelta

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import api_keys


class KeyForm(forms.Form):
    """A new key."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Which system uses it, such as “checkout”.")
    )
    scopes = forms.MultipleChoiceField(label=_("It may"), widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        choices=[
            (90, _("90 days")),
            (180, _("180 days")),
            (365, _("one year")),
        ],
    )
    networks = forms.CharField(
        label=_("Only from these addresses"),
        required=False,
        max_length=1_000,
        help_text=_("Addresses or networks, separated by commas. Empty for any."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = [
            (scope, gettext(text)) for scope, text in api_keys.SCOPES.items()
        ]

    def words(self, at: datetime) -> dict:
        """What api_keys.create() takes."""
        asked = self.cleaned_data
        return {
            "name": asked["name"],
            "scopes": asked["scopes"],
            "networks": [text for text in re.split(r"[\s,]+", asked["networks"]) if text],
            "expires_at": at + timedelta(days=asked["days"]),
        }


class RotationForm(forms.Form):
    """The successor of a key: how long the old one goes on."""

    days = forms.TypedChoiceField(
        label=_("The old key goes on for"),
        coerce=int,
        choices=[(0, _("not at all")), (1, _("one day")), (7, _("a week")), (30, _("30 days"))],
        initial=7,
    )

    def words(self, at: datetime) -> dict:
        """What api_keys.rotate() takes. The new key lives as long as a key may."""
        overlap = timedelta(days=self.cleaned_data["days"])
        return {"overlap": overlap, "expires_at": at + api_keys.LONGEST}
