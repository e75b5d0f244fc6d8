"""Addresses of this app in the API, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from sellers.api.viewsets import SellerViewSet

router = SimpleRouter()
router.register("sellers", SellerViewSet, "api_seller")
urlpatterns = router.urls
