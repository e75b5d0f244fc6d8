"""The home page of the seller centre, which reads across all floors."""

from django.shortcuts import render

from sellers.access import seller_page


@seller_page
def home(request, marketplace):
    return render(request, "insights/home.html")
