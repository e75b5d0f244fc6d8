"""What operators type about claims and goodwill: shape and wording. Rules are for the processes."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.admin import TextInput
from marketplace.amount_fields import AmountField
from marketplace.story_pages import ReasonForm, RemarkForm
from orders import (
    arbitrating,
    carriers,
    folding,
    models,
    remainders,
    story,
    verdicts,
)
from orders.file_fields import Files

FUNDERS = [
    (remainders.PLATFORM, _("the marketplace")),
    (remainders.SELLER, _("the seller")),
]


class GoodwillForm(ReasonForm):
    """How much a buyer is granted for goods that stay, and at whose cost."""

    amount = AmountField(
        label=_("amount"), widget=TextInput, help_text=_("With VAT, as the buyer gets it.")
    )
    funder = forms.ChoiceField(
        label=_("borne by"),
        choices=FUNDERS,
        help_text=_("The seller bears it on the next statement; the marketplace as its expense."),
    )


class OrdersGoodwillForm(GoodwillForm):
    line = forms.TypedChoiceField(label=_("line"), coerce=int)
    field_order = ["line"]

    def __init__(self, *args, order, **kwargs):
        super().__init__(*args, **kwargs)
        kept = order.lines.filter(units_left__gt=0, status=models.OrderLine.Status.CONFIRMED)
        self.fields["line"].choices = _named_lines(kept.exclude(stream__in=folding.NOT_GOODS))


def _named_lines(lines) -> list[tuple[int, str]]:
    return [
        (line.number, f"{line.number}. {line.title or line.sku} × {line.units_left}")
        for line in lines.order_by("number")[: story.MOST]
    ]


class NewClaimForm(forms.Form):
    """What a buyer wishes to undo, as an operator was told it."""

    line = forms.TypedChoiceField(label=_("line"), coerce=int)
    type = forms.ChoiceField(
        label=_("type"),
        choices=models.Claim.Type,
        help_text=_(
            "A cancellation before the goods have left, a return or an exchange afterwards."
        ),
    )
    quantity = forms.IntegerField(
        label=_("units"), min_value=1, max_value=verdicts.LARGEST_QUANTITY, initial=1
    )
    fault = forms.ChoiceField(
        label=_("at fault"),
        choices=models.Claim.Fault,
        help_text=_("As it looks now; whoever decides may find otherwise."),
    )
    reason = forms.CharField(
        label=_("reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("In the buyer's words. The seller reads it."),
    )

    def __init__(self, *args, order, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["line"].choices = _named_lines(order.lines.filter(units_left__gt=0))


class ReturnShippingForm(forms.Form):
    """What the ways of goods cost, and how it is paid."""

    return_cost = AmountField(
        label=_("cost of return shipping"),
        required=False,
        widget=TextInput,
        help_text=_("With VAT. 0: nothing is charged for the way back."),
    )
    outbound_cost = AmountField(
        label=_("cost of shipping to the buyer"),
        required=False,
        widget=TextInput,
        help_text=_("Only where it had been free and the buyer is at fault."),
    )
    paid = forms.ChoiceField(
        label=_("how shipping is paid"),
        choices=[("", _("Nothing to pay")), *models.Claim.ShippingPaid.choices],
        required=False,
        help_text=_("A buyer at fault pays in one of the first three ways."),
    )
    is_advanced = forms.BooleanField(
        label=_("carrier paid by the marketplace"),
        required=False,
        help_text=_("For the way back. The seller gives it back, unless we are at fault."),
    )

    def clean(self):
        given = super().clean()
        return given | {name: given.get(name) or 0 for name in ("return_cost", "outbound_cost")}


class FoundForm(ReturnShippingForm):
    """What whoever decides has found: who is at fault, how many units, and who pays shipping."""

    fault = forms.ChoiceField(
        label=_("at fault"),
        choices=models.Claim.Fault,
        help_text=_("Whoever is at fault bears the cost; it counts in the seller's grade."),
    )
    quantity = forms.IntegerField(
        label=_("units"),
        min_value=1,
        max_value=verdicts.LARGEST_QUANTITY,
        help_text=_("Fewer than were asked for, where only some are due."),
    )


class ApprovalForm(FoundForm, RemarkForm):
    """That a claim is agreed to, and what was found."""

    outbound_cost = AmountField(
        label=_("cost of shipping to the buyer"),
        required=False,
        widget=TextInput,
        help_text=_(
            "Only where the buyer is at fault: if it had been free; in an exchange, what sending"
            " the replacement costs."
        ),
    )
    field_order = ["reason", "fault", "quantity"]


class ArbitrationForm(ReasonForm):
    """For whom a claim is taken to arbitration, and why."""

    side = forms.ChoiceField(label=_("asked for by"), choices=models.Arbitration.Side)
    field_order = ["side"]


class StatementForm(forms.Form):
    """What a side says, with its evidence, as an operator was told it."""

    side = forms.ChoiceField(label=_("said by"), choices=models.Arbitration.Side)
    text = forms.CharField(
        label=_("what is said"),
        max_length=arbitrating.LONGEST_STATEMENT,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("Both sides read it."),
    )
    files = Files(
        label=_("evidence"), required=False, help_text=_("JPEG, PNG or PDF, up to 5 MB each.")
    )


class ArbitrationDecisionForm(FoundForm, ReasonForm):
    """What comes of an arbitration, and what was found where the buyer gets money."""

    outcome = forms.ChoiceField(label=_("outcome"), choices=models.Arbitration.Outcome)
    amount = AmountField(
        label=_("goodwill"),
        required=False,
        widget=TextInput,
        help_text=_("Only where the goods stay for goodwill: with VAT, as the buyer gets it."),
    )
    funder = forms.ChoiceField(
        label=_("goodwill borne by"),
        choices=[("", "–"), *FUNDERS],
        required=False,
    )
    field_order = ["outcome", "reason", "fault", "quantity"]


class ConversionForm(ReturnShippingForm, ReasonForm):
    """Why the buyer gets money instead of a replacement, and how the way back is paid then."""

    field_order = ["reason"]


class ParcelForm(forms.Form):
    """The parcel of a replacement."""

    carrier = forms.ChoiceField(label=_("carrier"))
    tracking_number = forms.CharField(
        label=_("tracking number"), required=False, max_length=60, widget=TextInput
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["carrier"].choices = [
            (carrier.code, gettext(carrier.name)) for carrier in carriers.CARRIERS
        ]
