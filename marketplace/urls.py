"""The root of every address. Apps above are named by string: this floor imports none of them."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from marketplace import health
from marketplace.admin import choose_marketplace

# The admin asks for the same log-in as everything else, second factor included.
admin.site.login = secure_admin_login(admin.site.login)

SELLER_PAGES = ["insights", "sellers", "listings", "orders", "settlements"]
API = ["sellers", "listings", "orders", "settlements"]

urlpatterns = [
    path("", include("sellers.root_urls")),
    path(
        "admin/choose-marketplace/",
        admin.site.admin_view(choose_marketplace),
        name="choose_marketplace",
    ),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path(
        "s/<slug:marketplace>/", include([path("", include(f"{app}.urls")) for app in SELLER_PAGES])
    ),
    path(
        "api/v1/",
        include(
            [path("", include(f"{app}.api.urls")) for app in ["marketplace", *API]],
        ),
    ),
    path("healthz/live/", health.live, name="live"),
    path("healthz/ready/", health.ready, name="ready"),
]
