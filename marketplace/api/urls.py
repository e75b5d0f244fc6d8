"""Addresses of the floor itself in the API, under /api/v1/."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from marketplace.api import docs
from marketplace.api.feed import FeedView
from marketplace.api.webhooks import WebhookEndpointViewSet

router = SimpleRouter()
router.register("webhook-endpoints", WebhookEndpointViewSet, "api_webhook_endpoint")
urlpatterns = [
    *router.urls,
    path("events/", FeedView.as_view(), name="api_events"),
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", docs.page, name="api_docs"),
]
