"""Seller pages about payouts: what was paid, what is to come, and what each contains."""

from django.http import Http404
from django.shortcuts import render
from django.utils import timezone

from marketplace import identifiers, paging
from sellers.access import seller_page
from settlements import payout_words, shop_payouts


@seller_page
def payouts(request, marketplace):
    at = timezone.now()
    context = {
        "assignments": shop_payouts.assignments(request.seller, at=at),
        "page": paging.page(request.GET, shop_payouts.of_seller(request.seller)),
        "coming": shop_payouts.coming(request.seller, at=at),
    }
    return render(request, "settlements/payouts.html", context)


@seller_page
def payout(request, marketplace, public_id):
    is_id = identifiers.is_public_id(public_id, "pay")
    found = is_id and shop_payouts.of_seller(request.seller).filter(public_id=public_id).first()
    if not found:
        raise Http404
    context = {
        "payout": found,
        "why": payout_words.of(found.reason) if found.reason else None,
        "items": found.items.select_related("statement").order_by("pk"),
    }
    return render(request, "settlements/payout.html", context)
