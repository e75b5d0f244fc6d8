"""Forms of the decisions on payouts and their batches."""

from datetime import timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.story_pages import ReasonForm, RemarkForm
from settlements.gateways.interface import Outcome
from settlements.models import Payout
from settlements.transfer_files import MOST_BYTES


class ScheduleForm(RemarkForm):
    scheduled_at = forms.DateTimeField(
        label=_("moment"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("In the time zone of this page. Workers begin within a minute of it."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("It stays in the audit trail.")


class InnerReasonForm(ReasonForm):
    """A reason that sellers do not read."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("It stays in the audit trail.")


class InnerRemarkForm(RemarkForm):
    """The same, where nothing need be said."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("It stays in the audit trail.")


class ResultFileForm(forms.Form):
    file = forms.FileField(
        label=_("file of results"), help_text=_("As the bank gave it, unchanged; CSV or fixed.")
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 20 MB."))
        return file


class ResultForm(InnerReasonForm):
    """What the bank says when it is asked by people."""

    outcome = forms.ChoiceField(label=_("result"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.order_fields(["outcome", "reason"])
        self.fields["outcome"].choices = [
            (Outcome.PAID.value, _("Paid: the money has arrived")),
            (Outcome.FAILED.value, _("Failed: the bank has not moved it, and never will")),
        ]


class ReturnForm(InnerReasonForm):
    """The bank sent the money back; nothing else is to be said."""


def tomorrow_morning(row) -> dict:
    """Nine o'clock of the next day, as a suggestion."""
    local = timezone.localtime() + timedelta(days=1)
    return {"scheduled_at": local.replace(hour=9, minute=0, second=0, microsecond=0)}


def is_unanswered(payout: Payout) -> bool:
    return payout.state in Payout.UNANSWERED
