"""What people fill in for an API key, on the operators' pages and on a seller's."""

import re
from datetime import datetime, timedelta

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import api_keys
from marketplace.refusals import gettext_noop

_EXPLAINED = {  # scope: what a key of the marketplace does with it
    "sellers:read": _("Codes, names, states and official grades of all sellers."),
    "listings:read": _("What is on sale, drafts, and what policy found in them."),
    "listings:write": _("For any seller. What an operator reviews is still reviewed."),
    "orders:read": _("Orders with lines, payments, parcels, and the events that were sent."),
    "orders:write": _("What a checkout needs: new orders, payments, deliveries, refunds."),
    "claims:read": _("Cancellations, returns and exchanges, and how far they are."),
    "claims:write": _("Claims in the name of buyers, and the marketplace's decisions."),
    "settlements:read": _("All money of all sellers. It moves none."),
    "ledger:read": _("The books of the marketplace. A seller's key never reads them."),
    "revenue:read": _("Reports of all sellers, and what was settled of them."),
    "revenue:write": _("What advertising and other streams brought each seller on a day."),
    "events:read": _("What happened, in order, for whoever polls instead of being called."),
    "webhooks:read": _("Which addresses are called, and how each attempt ended."),
    "webhooks:write": _("New addresses, their secrets, tests, and sending again."),
    "jobs:read": _("How far exports are, and their files."),
    "jobs:write": _("Exports of orders, lines, statements and the journal."),
}
_EXPLAINED_TO_SELLERS = {  # where a key of a seller does something else
    "sellers:read": _("Your own shop, and its grade."),
    "listings:write": _("Your own; also to pause, resume and close them."),
    "orders:read": _("Orders with your goods. Buyers' details stay with the marketplace."),
    "orders:write": _("Acknowledge orders and record parcels."),
    "claims:write": _("Agree to claims on your goods, or turn them down."),
    "settlements:read": _("Your own statements, lines and balance."),
    "revenue:read": _("Your own daily revenue, and your share of it."),
    "revenue:write": _("Nothing: the marketplace alone reports revenue."),
    "jobs:write": _("Exports of your own lines and statements."),
}


_NAMED_FOR_SELLERS = {  # where the marketplace's own words would promise more
    "orders:write": gettext_noop("Acknowledge and ship orders"),
    "claims:write": gettext_noop("Answer claims"),
}


class ScopeTicks(forms.CheckboxSelectMultiple):
    """Tick boxes that say below each scope what a key does with it."""

    def __init__(self, explained, **kwargs):
        super().__init__(**kwargs)
        self.explained = explained

    def create_option(self, name, value, *args, **kwargs):
        explanation = self.explained.get(value, "")
        return {**super().create_option(name, value, *args, **kwargs), "explanation": explanation}


class KeyForm(forms.Form):
    """A new key of the marketplace itself."""

    explained = _EXPLAINED
    named = api_keys.SCOPES
    withheld: frozenset[str] = frozenset()

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Which system uses it, such as “checkout”.")
    )
    scopes = forms.MultipleChoiceField(label=_("It may"))
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
        self.fields["scopes"].widget = ScopeTicks(self.explained)
        self.fields["scopes"].choices = [
            (scope, gettext(text))
            for scope, text in self.named.items()
            if scope not in self.withheld
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


class SellerKeyForm(KeyForm):
    """A new key of a seller, which reaches what is the seller's own."""

    explained = _EXPLAINED | _EXPLAINED_TO_SELLERS
    named = api_keys.SCOPES | _NAMED_FOR_SELLERS
    withheld = api_keys.OF_MARKETPLACE


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
