"""The seller centre's pages about listings: drafted, checked with each place marked, handed in."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from listings import category_picker, reviewing, selling, shop_listings
from listings.forms import ListingForm, NewListingForm
from listings.models import Listing, Revision
from marketplace import forms as refusals
from marketplace.refusals import Refused
from sellers.access import seller_page


@seller_page
@require_GET
def listings(request, marketplace):
    tab = request.GET.get("tab")
    tab = tab if tab in shop_listings.TABS else shop_listings.ALL
    context = {"tab": tab, "page": shop_listings.listings(request.seller, tab, request.GET)}
    return render(request, "listings/listings.html", context)


@seller_page
@require_GET
def listing(request, marketplace, public_id):
    return render(request, "listings/listing.html", {"found": _listing(request, public_id)})


@seller_page
@require_http_methods(["GET", "POST"])
def new(request, marketplace):
    form = NewListingForm(_posted(request), exponent=request.marketplace.currency_exponent)
    if _is_saved(request) and form.is_valid():
        told = {"by": request.user, "at": timezone.now()}
        try:
            revision = reviewing.create(request.seller, **form.cleaned_data, **told)
        except reviewing.CodeTaken as refused:
            form.add_error("code", refused.text(gettext))
        else:
            reviewing.check(revision, **told)
            messages.success(request, gettext("The draft is saved and checked."))
            return redirect("shop_listing", marketplace, revision.listing.public_id)
    return _form_page(request, form)


@seller_page
@require_http_methods(["GET", "POST"])
def edit(request, marketplace, public_id):
    """The draft, or a new one over the live revision, which stays on sale meanwhile."""
    found = _listing(request, public_id)
    exponent = request.marketplace.currency_exponent
    form = ListingForm(_posted(request), initial=_words(found.newest, exponent), exponent=exponent)
    if _is_saved(request) and form.is_valid():
        told = {"by": request.user, "at": timezone.now()}
        try:
            if found.draft:
                revision = reviewing.edit(found.draft, **form.cleaned_data, **told)
            else:
                revision = reviewing.revise(found.listing, **form.cleaned_data, **told)
            reviewing.check(revision, **told)
        except Refused as refused:
            refusals.show(form, refused)
        else:
            messages.success(request, gettext("The draft is saved and checked."))
            return redirect("shop_listing", marketplace, public_id)
    return _form_page(request, form, found)


@seller_page
@require_POST
def check(request, marketplace, public_id):
    found = _draft(request, public_id)
    findings = reviewing.check(found.draft, by=request.user, at=timezone.now())
    if findings:
        messages.warning(request, gettext("Checked. What was found is marked below."))
    else:
        messages.success(request, gettext("Checked. Nothing was found."))
    return redirect("shop_listing", marketplace, public_id)


@seller_page
@require_POST
def hand_in(request, marketplace, public_id):
    found = _draft(request, public_id)
    try:
        revision = reviewing.hand_in(found.draft, by=request.user, at=timezone.now())
    except Refused as refused:
        messages.error(request, refused.text(gettext))
    else:
        if revision.state == Revision.State.APPROVED:
            messages.success(request, gettext("Published. Buyers see it now."))
        else:
            messages.success(request, gettext("Handed in. An operator looks at it next."))
    return redirect("shop_listing", marketplace, public_id)


@seller_page
@require_POST
def sale(request, marketplace):
    """Pause, resume or close: some ticked ones of the list after a look back, or a page's one."""
    deed = request.POST.get("deed")
    if deed not in selling.DEEDS:
        raise Http404
    keys = request.POST.getlist("listing")[: shop_listings.AT_ONCE]
    chosen = Listing.objects.filter(seller=request.seller, public_id__in=keys)
    chosen = chosen.select_related("live_revision").order_by("pk")
    if not chosen:
        messages.warning(request, gettext("No listing was chosen. Tick one first."))
        return redirect("shop_listings", marketplace)
    if "sure" not in request.POST:
        return render(request, "listings/sale.html", {"deed": deed, "chosen": chosen})
    told = selling.each(chosen, deed, by=request.user, at=timezone.now())
    _tell(request, deed, told)
    if "detail" in request.POST:
        return redirect("shop_listing", marketplace, chosen[0].public_id)
    return redirect("shop_listings", marketplace)


@seller_page
@require_GET
def categories(request, marketplace):
    """Those that fit what was typed, as a part of the form."""
    return render(request, "listings/_categories.html", _categories(request.GET))


def _listing(request, public_id: str) -> shop_listings.Page:
    found = shop_listings.listing(request.seller, public_id)
    if found is None:
        raise Http404
    return found


def _draft(request, public_id: str) -> shop_listings.Page:
    found = _listing(request, public_id)
    if found.draft is None:
        raise Http404
    return found


def _tell(request, deed: str, told: selling.Told) -> None:
    count = len(told.done)
    done = {
        "pause": ngettext("%(count)s listing is paused.", "%(count)s listings are paused.", count),
        "resume": ngettext(
            "%(count)s listing is on sale again.", "%(count)s listings are on sale again.", count
        ),
        "close": ngettext("%(count)s listing is closed.", "%(count)s listings are closed.", count),
    }
    if count:
        messages.success(request, done[deed] % {"count": count})
    for listing, refused in told.refused:
        messages.error(request, f"{listing.code}: {refused.text(gettext)}")


def _form_page(request, form, found=None):
    given = request.POST if request.method == "POST" else {"category": form["category"].value()}
    context = {"form": form, "found": found, **_categories(given)}
    status = refusals.status(form)
    if request.method == "POST" and not _is_saved(request):
        form.errors.clear()  # a category was searched for; nothing was handed in yet
        status = 200
    return render(request, "listings/form.html", context, status=status)


def _categories(given) -> dict:
    text, chosen = given.get("search", "")[:100], given.get("category") or ""
    choices, is_more = category_picker.search(text, chosen=chosen[:300])
    return {"choices": choices, "is_more": is_more, "chosen": chosen, "search": text}


def _words(revision: Revision, exponent: int) -> dict:
    price = str(revision.unit_price).rjust(exponent + 1, "0")
    return {
        "title": revision.title,
        "unit_price": f"{price[:-exponent]}.{price[-exponent:]}" if exponent else price,
        "category": revision.category.code if revision.category else "",
        "description": revision.description,
    }


def _is_saved(request) -> bool:
    """Without scripts, searching for a category sends the form as well."""
    return request.method == "POST" and "find" not in request.POST


def _posted(request):
    return request.POST if request.method == "POST" else None
