"""The operators' site: which library draws it, and what every one of its pages shows.

The library is django-unfold; only this module and marketplace.admin know so. What belongs to the
apps above is named by string.
"""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.templatetags.static import static
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite


class AdminConfig(DjangoAdminConfig):
    default_site = "marketplace.admin_site.AdminSite"


class AdminSite(UnfoldAdminSite):
    """Colours come from our stylesheet: the policy for content allows no style in a page."""

    def each_context(self, request):
        return {**super().each_context(request), "colors": None}


def stylesheet(request) -> str:
    return static("jangteo/admin.css")


def environment(request) -> list[str] | None:
    """The badge at the top: that this is no real money, or no longer to be changed."""
    market = request.marketplace
    if market is None or market.state == market.State.LIVE:
        return None
    if market.state == market.State.TEST:
        return [_("Test marketplace"), "warning"]
    return [_("Archived: read only"), "info"]
