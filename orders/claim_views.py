"""The seller centre's pages about claims: what buyers want undone, and the seller's answer."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from marketplace import forms as refusals
from marketplace.refusals import Refused
from orders import claims, goodwill, worklists
from orders.forms import RefuseForm
from sellers.access import seller_page

AGREE, REFUSE, COMPLETE = "agree", "refuse", "complete"


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
    form = RefuseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            said = _answer(request, found.row, form.cleaned_data["reason"])
        except claims.AlreadyAnswered as refused:
            messages.warning(request, refused.text(gettext))
            return redirect("shop_claim", marketplace, public_id)
        except Refused as refused:
            refusals.show(form, refused)
        else:
            messages.success(request, said)
            return redirect("shop_claim", marketplace, public_id)
    context = {"claim": found, "form": form, "goodwill": goodwill.of_line(found.row.line)}
    return render(request, "orders/claim.html", context, status=refusals.status(form))


def _answer(request, row, reason: str) -> str:
    answer, told = request.POST.get("answer"), {"by": request.user, "at": timezone.now()}
    if answer == AGREE:
        agreed = claims.agree(row, **told)
        if agreed.state == agreed.State.COMPLETED:
            return gettext("Cancelled. The buyer gets the money back.")
        return gettext("Agreed. Complete it here when the goods are back.")
    if answer == COMPLETE:
        claims.take_back(row, **told)
        return gettext("Completed. The buyer gets the money back.")
    if answer == REFUSE:
        claims.refuse(row, reason=reason, **told)
        return gettext("Turned down. The buyer is told your reason.")
    raise Http404
