"""Who may open a page of the seller centre, and for which shop.

A page serves one shop: the user's only one in the marketplace, or the one chosen in the session,
which is checked against the memberships at every request. To everybody else the page does not
exist. What a state of the seller forbids is for the processes; a page only sends a business that
waits for the operator, or was turned down, to where it sees that.
"""

from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from marketplace.refusals import Refused
from sellers import applying
from sellers.models import Seller, SellerMember

SESSION_KEY = "shops"  # {marketplace id: seller id}


def seller_page(view=None, *, owner_only=False, even_waiting=False):
    """Give `view(request, marketplace, …)` the shop as `request.seller`, `request.seller_role`.

    Log-in is asked for; a user without a shop here gets 404, staff on an owner's page 403. A
    refusal that leaves the view is shown on the page it came from, and nothing is changed.
    """

    def decorate(page):
        @wraps(page)
        @login_required
        def opened(request, marketplace, *args, **kwargs):
            memberships = list(memberships_of(request.user, request.marketplace))
            if not memberships:
                raise Http404
            member = _chosen(request, memberships)
            if member is None:
                return redirect("shop_choose", marketplace)
            request.seller, request.seller_role = member.seller, member.role
            request.has_other_shops = len(memberships) > 1
            if owner_only:
                refuse_staff(request)
            if not even_waiting and _was_never_open(member.seller):
                return redirect("shop_apply", marketplace)
            try:
                with transaction.atomic():
                    return page(request, marketplace, *args, **kwargs)
            except Refused as refused:
                return _refusal(request, refused)

        return opened

    return decorate(view) if view else decorate


def refuse_staff(request) -> None:
    """For what only an owner of the shop may do. Answers 403."""
    if request.seller_role != SellerMember.Role.OWNER:
        raise PermissionDenied


def memberships_of(user, marketplace):
    """The user's places in shops of this marketplace, with the shops."""
    return (
        SellerMember.objects.filter(user=user, marketplace=marketplace)
        .select_related("seller")
        .order_by("pk")
    )


def choose(request, seller: Seller) -> None:
    """Serve this shop from now on. That the user belongs to it is checked at each request."""
    chosen = request.session.get(SESSION_KEY, {})
    request.session[SESSION_KEY] = chosen | {str(seller.marketplace_id): seller.pk}


def _chosen(request, memberships) -> SellerMember | None:
    if len(memberships) == 1:
        return memberships[0]
    key = request.session.get(SESSION_KEY, {}).get(str(request.marketplace.pk))
    return next((member for member in memberships if member.seller_id == key), None)


def _was_never_open(seller: Seller) -> bool:
    return seller.state == Seller.State.ONBOARDING or applying.rejection(seller) is not None


def _refusal(request, refused: Refused):
    messages.error(request, refused.text(gettext))
    if request.method == "GET":
        return render(request, "sellers/refused.html", status=409)
    if request.htmx:
        response = render(request, "components/_messages.html", status=409)
        response["HX-Retarget"], response["HX-Reswap"] = "#messages", "innerHTML"
        return response
    return redirect(_came_from(request))


def _came_from(request) -> str:
    page = request.headers.get("referer", "")
    if url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure()):
        return page
    return reverse("shop_home", args=[request.marketplace.slug])
