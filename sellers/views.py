"""The seller centre's own pages: which shop, its people, its data. Money and work are above."""

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from sellers import access, shops


@login_required
@require_http_methods(["GET", "POST"])
def choose(request, marketplace):
    """Among several shops of one marketplace."""
    memberships = access.memberships_of(request.user, request.marketplace)
    if request.method == "POST":
        member = get_object_or_404(memberships, seller__public_id=request.POST.get("shop", ""))
        access.choose(request, member.seller)
        return redirect("shop_home", marketplace)
    if not memberships:
        raise Http404
    return render(request, "sellers/choose.html", {"memberships": memberships})


def welcome(request):
    """The root of the site: everybody is sent to where they belong."""
    if not request.user.is_authenticated:
        return render(request, "sellers/welcome.html")
    places = shops.places_of(request.user)
    if len(places) == 1:
        return redirect(places[0].address)
    return render(request, "sellers/places.html", {"places": places})
