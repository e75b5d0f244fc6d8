"""The seller centre's pages about claims: what buyers want undone, and the seller's answer."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from marketplace import forms as refusals
from marketplace import states
from marketplace.refusals import Refused
from orders import arbitrating, claims, evidence_pages, exchanging, goodwill, worklists
from orders.forms import ArbitrateForm, ConvertForm, ParcelForm, RefuseForm, StatementForm
from orders.models import Arbitration
from sellers.access import seller_page

SELLER = Arbitration.Side.SELLER
AGREE, REFUSE, COMPLETE = "agree", "refuse", "complete"
COLLECT, RESEND, CONVERT = "collect", "resend", "convert"
ARBITRATE, STATE = "arbitrate", "state"
FORMS = {
    REFUSE: RefuseForm,
    RESEND: ParcelForm,
    CONVERT: ConvertForm,
    ARBITRATE: ArbitrateForm,
    STATE: StatementForm,
}


@seller_page
@require_GET
def claims_list(request, marketplace):
    at = timezone.now()
    shows_all = request.GET.get("tab") == worklists.ALL
    context = {"shows_all": shows_all}
    if shows_all:
        context["page"] = worklists.claims(request.seller, request.GET, at=at)
    else:
        context["waiting"] = worklists.claims_waiting(request.seller, at=at)
    return render(request, "orders/claims.html", context)


@seller_page
@require_http_methods(["GET", "POST"])
def claim(request, marketplace, public_id):
    """A claim and the seller's answer to it, named by the button that was pressed."""
    found = worklists.claim(request.seller, public_id, at=timezone.now())
    if found is None:
        raise Http404
    answer = request.POST.get("answer", "")
    named = answer if answer in FORMS else REFUSE  # what else is refused stands there, too
    forms = {name: _form(request, found.row, name, named) for name in FORMS}
    form = forms[named]
    if request.method == "POST" and form.is_valid():
        try:
            said = _answer(request, found.row, answer, form.cleaned_data)
        except (claims.AlreadyAnswered, states.IllegalMove):
            messages.warning(request, claims.AlreadyAnswered().text(gettext))
            return redirect("shop_claim", marketplace, public_id)
        except Refused as refused:
            refusals.show(form, refused)
        else:
            messages.success(request, said)
            return redirect("shop_claim", marketplace, public_id)
    context = {
        "claim": found,
        "forms": forms,
        "goodwill": goodwill.of_line(found.row.line),
        "arbitrations": arbitrating.of_claim(found.row),
        "may_arbitrate": found.row.may_become(found.row.State.ARBITRATION),
    }
    return render(request, "orders/claim.html", context, status=refusals.status(form))


@seller_page
@require_GET
def evidence(request, marketplace, public_id, file_id):
    """A file that was sent in about a claim of the shop."""
    found = worklists.claim(request.seller, public_id, at=timezone.now())
    if found is None:
        raise Http404
    return evidence_pages.answer(found.row, file_id)


def _form(request, row, name: str, named: str):
    is_sent = request.method == "POST" and name == named
    sent = (request.POST, request.FILES) if is_sent else (None, None)
    parcel = {"carrier": row.resent_carrier, "tracking_number": row.resent_number}
    return FORMS[name](*sent, initial=parcel if name == RESEND else None)


def _answer(request, row, answer: str, given: dict) -> str:
    told = {"by": request.user, "at": timezone.now()}
    if answer == AGREE:
        agreed = claims.agree(row, **told)
        if agreed.state == agreed.State.COMPLETED:
            return gettext("Cancelled. The buyer gets the money back.")
        if agreed.is_exchange:
            return gettext("Agreed. Say here when the goods are back.")
        return gettext("Agreed. Complete it here when the goods are back.")
    if answer == COMPLETE:
        done = claims.take_back(row, **told)
        if done.is_exchange:
            return gettext("Completed. The sale stays as it was.")
        return gettext("Completed. The buyer gets the money back.")
    if answer == COLLECT:
        exchanging.collect(row, **told)
        return gettext("The goods are back. Now send the replacement.")
    if answer == RESEND:
        exchanging.resend(row, **given, **told)
        return gettext("Saved. Complete the exchange when the replacement has arrived.")
    if answer == CONVERT:
        exchanging.convert(row, reason=given["why"], **told)
        return gettext("It is a return now. The buyer gets the money back once it is completed.")
    if answer == ARBITRATE:
        arbitrating.begin(row, side=SELLER, reason=given["reason"], **told)
        return gettext("In arbitration. Say what you know, and send in what shows it.")
    if answer == STATE:
        arbitrating.say(row, side=SELLER, **given, **told)
        return gettext("Added. The marketplace takes it into account.")
    if answer == REFUSE:
        claims.refuse(row, reason=given["reason"], **told)
        return gettext("Turned down. The buyer is told your reason.")
    raise Http404
