"""The seller page where an owner chooses letters: which ones, for whom, in which language."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from marketplace import forms as refusals
from marketplace import paging, tenancy
from marketplace.models import Marketplace
from sellers import access
from sellers.access import seller_page
from sellers.models import SellerMember
from settlements import letter_choices, letter_gathering, letter_kinds, letter_lists
from settlements.letter_choices import Choice
from settlements.models import LetterChoice, SellerLetter
from settlements.models.letters import KINDS

SHOWN = 20  # letters of a page, the newest first


class ChoiceForm(forms.Form):
    wanted = forms.MultipleChoiceField(
        label=_("Letters that you want"),
        required=False,
        choices=[(code, name) for code, name in KINDS if code in letter_kinds.OPTIONAL],
        widget=forms.CheckboxSelectMultiple,
    )
    readers = forms.TypedMultipleChoiceField(
        label=_("Who gets them"),
        required=False,
        coerce=int,
        help_text=_("Without anybody, the owners of the shop get them."),
        widget=forms.CheckboxSelectMultiple,
    )
    to_contact = forms.BooleanField(
        label=_("Also to the contact e-mail of the shop"), required=False
    )
    language = forms.ChoiceField(label=_("Language of the letters"), required=False)

    def __init__(self, *given, members, row: LetterChoice, **named):
        initial = {
            "wanted": [code for code in letter_kinds.OPTIONAL if code not in row.off],
            "readers": row.readers,
            "to_contact": row.to_contact,
            "language": row.language,
        }
        super().__init__(*given, initial=initial, **named)
        self.fields["readers"].choices = [(row.user_id, str(row.user)) for row in members]
        own = ("", gettext("As the marketplace writes"))
        self.fields["language"].choices = [own, *settings.LANGUAGES]

    def choice(self) -> Choice:
        given = self.cleaned_data
        return Choice(
            off=frozenset(letter_kinds.OPTIONAL) - set(given["wanted"]),
            readers=frozenset(given["readers"]),
            to_contact=given["to_contact"],
            language=given["language"],
        )


@seller_page
@require_http_methods(["GET", "POST"])
def letters(request, marketplace):
    """Which letters the shop gets, and what became of the last ones. Owners choose."""
    row = letter_choices.of(request.seller)
    members = list(request.seller.members.select_related("user").order_by("role", "pk"))
    is_owner = request.seller_role == SellerMember.Role.OWNER
    form = ChoiceForm(request.POST or None, members=members, row=row) if is_owner else None
    if request.method == "POST":
        access.refuse_staff(request)
        if form.is_valid():
            letter_choices.change(request.seller, form.choice(), by=request.user, at=timezone.now())
            messages.success(request, gettext("Your choice of letters was saved."))
            return redirect("shop_letters", marketplace)
    sent = SellerLetter.objects.filter(seller=request.seller).exclude(
        state=SellerLetter.State.UNSAID
    )
    silent = letter_gathering.desk().off
    page = paging.page(request.GET, sent, size=SHOWN)
    told = letter_lists.by_kind(page.rows)
    context = {
        "form": form,
        "required": [
            name for code, name in KINDS if code in letter_kinds.REQUIRED and code not in silent
        ],
        "silent": [name for code, name in KINDS if code in silent],
        "is_test": tenancy.current().state == Marketplace.State.TEST,
        "page": page,
        "told": [(letter, told[letter.pk]) for letter in page],
        "readers": letter_choices.Readers([request.seller.pk]).addresses(request.seller.pk),
    }
    return render(request, "settlements/letters.html", context, status=refusals.status(form))
