"""Addresses of this app in the API, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from orders.api import viewsets

router = SimpleRouter()
router.register("orders", viewsets.OrderViewSet, "api_order")
router.register("order-events", viewsets.OrderEventViewSet, "api_order_event")
router.register("claims", viewsets.ClaimViewSet, "api_claim")
urlpatterns = router.urls
