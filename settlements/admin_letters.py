"""Letters to sellers in the admin: what became of each, and what the marketplace wants told."""

from functools import partial

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from marketplace.admin import (
    HIDDEN,
    ChoicesDropdownFilter,
    ProcessAdmin,
    ReadOnlyAdmin,
    display,
    register,
    state_column,
)
from marketplace.story_pages import Decision, StoryAdmin
from settlements import letter_composing, letter_lists, letter_sending, models
from settlements.models.letters import KINDS

_WRONG = {
    letter_sending.NO_READER: _("nobody of the shop has an address"),
    letter_sending.REFUSED: _("the mail server refused it"),
    letter_sending.GONE: _("the mail server could not be reached"),
    letter_composing.UNWRITABLE: _("it could not be written; the log of the workers says why"),
}


class NoQuestions(forms.Form):
    """A decision that needs no more than being made."""


class DeskForm(forms.ModelForm):
    off = forms.MultipleChoiceField(
        label=_("letters that are not sent"),
        choices=KINDS,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=models.LetterDesk._meta.get_field("off").help_text,
    )

    class Meta:
        model = models.LetterDesk
        fields = ("tells_empty_statements", "off")


@register(models.SellerLetter)
class SellerLetterAdmin(StoryAdmin):
    """Letters to sellers, the newest first; those that did not go out are sent again here."""

    comes_from = _("Letters are made when something is to be told to a seller about money.")
    place = 60
    story_template = "settlements/admin/seller_letter.html"
    list_display = [
        "made_at",
        "seller",
        state_column(),
        "attempts",
        "handed_at",
        "sent_at",
        "readers",
        "what_went_wrong",
    ]
    actions = ["send_again", "take_as_sent"]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["seller"]
    ordering = ["-id"]
    decisions = {
        "send": Decision(
            name=_("Send again"),
            explanation=_(
                "The letter goes out within a minute or two. Where it is unknown whether it was "
                "sent before, the seller may get it twice."
            ),
            process=letter_sending.send_again,
            form=NoQuestions,
            offered=lambda row: row.state in models.SellerLetter.TROUBLED,
            done=_("The letter is sent again."),
        ),
        "sent": Decision(
            name=_("Mark as sent"),
            explanation=_(
                "The letter was handed to the mail server, and the worker ended before its answer. "
                "Where the mail server's log shows it, leave it as sent; the log names it by its "
                "Message-ID."
            ),
            process=letter_sending.take_as_sent,
            form=NoQuestions,
            offered=lambda row: row.state == models.SellerLetter.State.UNKNOWN,
            done=_("The letter is marked as sent."),
        ),
    }

    @action(description=_("Send selected letters again"), permissions=["decide"])
    def send_again(self, request, queryset):
        told = {"by": request.user, "at": timezone.now()}
        self.ask_for_each(request, queryset, partial(letter_sending.send_again, **told))

    @action(description=_("Mark selected letters as sent"), permissions=["decide"])
    def take_as_sent(self, request, queryset):
        told = {"by": request.user, "at": timezone.now()}
        self.ask_for_each(request, queryset, partial(letter_sending.take_as_sent, **told))

    @display(description=_("what went wrong"))
    def what_went_wrong(self, letter):
        return _wrong(letter)

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller")

    def tell(self, request, row):
        return {
            "told": letter_lists.of_letter(row),
            "wrong": _wrong(row),
            "message_id": letter_sending.message_id(row),
        }


@register(models.SellerNotice)
class SellerNoticeAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["happened_at", "seller", "kind", "about", "letter", "skipped"]
    list_select_related = ["seller", "letter"]
    ordering = ["-id"]

    def lookup_allowed(self, lookup, value, request):
        own = ("letter__id__exact", "kind__exact")
        return lookup in own or super().lookup_allowed(lookup, value, request)


@register(models.LetterChoice)
class LetterChoiceAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["seller", "off", "to_contact", "language"]
    list_select_related = ["seller"]
    ordering = ["-id"]


@register(models.LetterDesk)
class LetterDeskAdmin(ProcessAdmin):
    comes_from = _("The settings appear within a minute of the first letters.")
    place = 96
    section = "rules"
    form = DeskForm
    list_display = ["named", "tells_empty_statements", "not_sent"]
    ordering = ["id"]

    @display(description=_("settings"))
    def named(self, desk):
        return _("Letters to sellers")

    @display(description=_("letters that are not sent"))
    def not_sent(self, desk):
        return ", ".join(str(name) for code, name in KINDS if code in desk.off) or "–"


def _wrong(letter):
    return _WRONG.get(letter.error, "–")
