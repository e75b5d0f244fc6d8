"""Addresses of this app in the API, under /api/v1/."""

urlpatterns = []
