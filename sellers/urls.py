"""Seller pages of this app, under /s/<marketplace>/."""

from django.urls import path

from sellers import views

urlpatterns = [
    path("choose/", views.choose, name="shop_choose"),
]
