"""Seller pages about revenue that is reported by day."""

from django.http import Http404
from django.shortcuts import render

from marketplace import identifiers, paging
from sellers.access import seller_page
from settlements import shop_revenue


@seller_page
def reports(request, marketplace):
    page = paging.page(request.GET, shop_revenue.of_seller(request.seller))
    context = {"page": page, "uninvoiced": shop_revenue.uninvoiced(request.seller)}
    return render(request, "settlements/revenue.html", context)


@seller_page
def report(request, marketplace, public_id):
    rows = shop_revenue.of_seller(request.seller).filter(public_id=public_id)
    if not identifiers.is_public_id(public_id, "rev") or not (row := rows.first()):
        raise Http404
    context = {"told": shop_revenue.told(row, request.marketplace, request.GET)}
    return render(request, "settlements/revenue_report.html", context)
