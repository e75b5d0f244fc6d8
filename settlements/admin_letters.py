"""Letters to sellers in the admin: what became of each, and what the marketplace wants told."""

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.admin import (
    HIDDEN,
    ChoicesDropdownFilter,
    ProcessAdmin,
    ReadOnlyAdmin,
    display,
    register,
    state_column,
)
from marketplace.story_pages import SHOWN, Decision, StoryAdmin
from settlements import letter_composing, letter_sending, models

_WRONG = {
    letter_sending.NO_READER: _("nobody of the shop has an address"),
    letter_sending.REFUSED: _("the mail server refused it"),
    letter_sending.GONE: _("the mail server could not be reached"),
    letter_composing.UNWRITABLE: _("it could not be written; the log of the workers says why"),
}


class NoQuestions(forms.Form):
    """A decision that needs no more than being made."""


@register(models.SellerLetter)
class SellerLetterAdmin(StoryAdmin):
    """Letters to sellers, the newest first; those that did not go out are sent again here."""

    comes_from = _("Letters are made when something is to be told to a seller about money.")
    place = 60
    story_template = "settlements/admin/seller_letter.html"
    list_display = ["made_at", "seller", state_column(), "sent_at", "readers", "what_went_wrong"]
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
        )
    }

    @display(description=_("what went wrong"))
    def what_went_wrong(self, letter):
        return _wrong(letter)

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller")

    def tell(self, request, row):
        notices = row.notices.order_by("happened_at", "pk")
        return {"notices": list(notices[:SHOWN]), "wrong": _wrong(row)}


@register(models.SellerNotice)
class SellerNoticeAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["happened_at", "seller", "kind", "about", "letter", "skipped"]
    list_select_related = ["seller", "letter"]
    ordering = ["-id"]


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
    list_display = ["named", "tells_empty_statements"]
    ordering = ["id"]

    @display(description=_("settings"))
    def named(self, desk):
        return _("Letters to sellers")


def _wrong(letter):
    return _WRONG.get(letter.error, "–")
