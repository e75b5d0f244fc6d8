"""What a seller types about orders and claims: shape and wording. Rules are for the processes."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders import arbitrating, carriers, worklists
from orders.file_fields import Files
from orders.verdicts import LARGEST_QUANTITY

LONGEST_REASON = 500


class ArbitrateForm(forms.Form):
    reason = forms.CharField(
        label=_("Why you do not agree"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The marketplace decides then. Until it has, nobody can take another step."),
    )


class StatementForm(forms.Form):
    text = forms.CharField(
        label=_("What you say"),
        max_length=arbitrating.LONGEST_STATEMENT,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("The buyer may read it."),
    )
    files = Files(
        label=_("Evidence"), required=False, help_text=_("JPEG, PNG or PDF, up to 5 MB each.")
    )


class FilterForm(forms.Form):
    tab = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            (worklists.ALL, _("All orders")),
            ("new", _("New orders")),
            ("to_ship", _("To ship")),
            ("shipped", _("Shipped")),
            ("delivered", _("Delivered")),
            ("confirmed", _("Purchase confirmed")),
            ("cancelled", _("Cancelled")),
            ("returned", _("Returned")),
        ],
        widget=forms.HiddenInput,
    )
    number = forms.CharField(
        label=_("Order number"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    paid_from = forms.DateField(
        label=_("Paid from"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    paid_to = forms.DateField(
        label=_("Paid to"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean(self):
        given = super().clean()
        first, last = given.get("paid_from"), given.get("paid_to")
        if first and last and first > last:
            self.add_error("paid_to", gettext("This day lies before the first one. Swap them."))
        return given

    def filters(self) -> worklists.Filters:
        """What to look for; an unusable field filters nothing, and says so beside itself."""
        self.is_valid()
        given = self.cleaned_data
        return worklists.Filters(
            tab=given.get("tab") or worklists.ALL,
            paid_from=given.get("paid_from"),
            paid_to=given.get("paid_to"),
            number=given.get("number", "").strip(),
        )


def _carriers():
    return [("", _("Choose a carrier"))] + [
        (carrier.code, gettext(carrier.name)) for carrier in carriers.CARRIERS
    ]


class ParcelForm(forms.Form):
    carrier = forms.ChoiceField(label=_("Carrier"), choices=_carriers)
    tracking_number = forms.CharField(
        label=_("Tracking number"),
        required=False,
        max_length=60,
        help_text=_("As printed on the label; spaces and dashes do no harm."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )


class ShipForm(ParcelForm):
    """A parcel and how many units of each line are in it."""

    def __init__(self, *args, lines=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.numbers = {}
        for line in lines:
            if line.to_ship:
                name = f"units_{line.row.number}"
                self.numbers[name] = line.row.number
                self.fields[name] = forms.IntegerField(
                    label=gettext("Units of “%(title)s”")
                    % {"title": line.row.title or line.row.sku or line.row.number},
                    initial=line.to_ship,
                    min_value=0,
                    max_value=LARGEST_QUANTITY,
                    help_text=gettext("%(count)s to ship") % {"count": line.to_ship},
                    widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
                )

    def clean(self):
        given = super().clean()
        if self.numbers and not self.errors and not self.units():
            self.add_error(
                next(iter(self.numbers)), gettext("Enter how many units are in the parcel.")
            )
        return given

    def units(self) -> dict[int, int]:
        return {
            number: self.cleaned_data[name]
            for name, number in self.numbers.items()
            if self.cleaned_data[name]
        }


class SheetForm(forms.Form):
    file = forms.FileField(
        label=_("CSV file"),
        required=False,
        help_text=_("The list downloaded from here, with carrier and tracking number filled in."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )
    text = forms.CharField(
        label=_("Or paste rows"),
        required=False,
        help_text=_("Order number, carrier, tracking number; one parcel a row."),
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean(self):
        given = super().clean()
        if not self.errors and not given.get("file") and not given.get("text", "").strip():
            self.add_error("text", gettext("Choose a file or paste at least one row."))
        return given


class CancelForm(forms.Form):
    line = forms.ChoiceField(label=_("Line"))
    quantity = forms.IntegerField(
        label=_("Units to cancel"),
        min_value=1,
        max_value=LARGEST_QUANTITY,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("The buyer is told it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args, lines=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["line"].choices = [
            (line.row.number, f"{line.row.title or line.row.sku or line.row.number} × {count}")
            for line in lines
            if (count := line.may_cancel)
        ]


class RefuseForm(forms.Form):
    reason = forms.CharField(
        label=_("Why not?"),
        required=False,
        max_length=LONGEST_REASON,
        help_text=_("Say it so that the buyer understands: they are told it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ConvertForm(forms.Form):
    why = forms.CharField(
        label=_("Why no replacement?"),
        max_length=LONGEST_REASON,
        help_text=_("For the marketplace, which keeps it in its records."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
