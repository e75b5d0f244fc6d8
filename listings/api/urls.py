"""Addresses of this app in the API, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from listings.api.viewsets import ListingViewSet

router = SimpleRouter()
router.register("listings", ListingViewSet, "api_listing")
urlpatterns = router.urls
