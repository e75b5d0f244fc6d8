"""Seller pages of this app, under /s/<marketplace>/."""

from django.urls import path

from insights import views

urlpatterns = [
    path("", views.home, name="shop_home"),
    path("grade/", views.grade, name="shop_grade"),
]
