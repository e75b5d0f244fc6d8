"""Addresses of this app in the API, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from sellers.api.viewsets import GradeViewSet, SellerViewSet

router = SimpleRouter()
router.register("sellers", SellerViewSet, "api_seller")
router.register("grades", GradeViewSet, "api_grade")
urlpatterns = router.urls
