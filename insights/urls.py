"""Seller pages of this app, under /s/<marketplace>/."""

urlpatterns = []
