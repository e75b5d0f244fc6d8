"""Addresses of the floor itself in the API, under /api/v1/."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from marketplace.api import docs

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", docs.page, name="api_docs"),
]
