"""The operators' site: which library draws it, and what every one of its pages shows.

The library is django-unfold; only this module and marketplace.admin know so. What belongs to the
apps above is named by string.
"""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from marketplace import entering, paging, permissions

# What people do, in the order of the sidebar. A page says which of them it belongs to.
SECTIONS = {
    "sellers": _("Sellers"),
    "listings": _("Listings"),
    "orders": _("Orders"),
    "settlement": _("Settlement"),
    "rules": _("Rules"),
    "system": _("System"),
}
_USUAL = {
    "sellers": "sellers",
    "listings": "listings",
    "orders": "orders",
    "settlements": "settlement",
}
HIDDEN = "hidden"  # the section of lists that are reached from other pages
_FOUND = 100  # lists that a search shows
_OFFERED = 12  # marketplaces in the list at the top; a superuser finds the others on a page


class AdminSite(UnfoldAdminSite):
    index_title = _("Work and money")

    def index(self, request, extra_context=None):
        """What waits. Whoever works for a single marketplace need not choose it first."""
        if entering.enter_only(request, at=timezone.now()):
            return redirect("admin:index")
        return super().index(request, extra_context)

    def each_context(self, request):
        offered = list(permissions.may_enter(request.user)[: _OFFERED + 1])
        return {
            **super().each_context(request),
            # Colours come from our stylesheet: no style may stand in a page.
            "colors": None,
            "own_marketplaces": offered[:_OFFERED],
            "more_marketplaces": len(offered) > _OFFERED,
            "kind_of_marketplace": _kind(getattr(request, "marketplace", None)),
        }

    def get_app_list(self, request, app_label=None):
        """Put together where it is looked at: our pages show the sidebar instead."""
        usual = super().get_app_list
        return SimpleLazyObject(lambda: usual(request, app_label))

    def get_sidebar_list(self, request):
        """What waits, then every list that the user may see, by what people do."""
        groups = [{"title": _("Work"), "items": [_front_page(), *_queues(request)]}]
        for section, title in SECTIONS.items():
            items = [_item(page) for page in self._pages(request, section)]
            rarely = section in ("rules", "system")
            groups.append({"title": title, "items": items, "collapsible": rarely})
        for group in groups:
            group["items"] = self._get_navigation_items(request, group["items"])
        return groups

    def search(self, request, extra_context=None):
        """Lists by their name. The library would keep answers under the user and the word alone;
        what may be found depends on the marketplace and the language, too.
        """
        word = request.GET.get("s", "").strip().lower()
        if not word:
            return HttpResponse()
        results = self._search_apps(self.get_app_list(request), word)
        found = Paginator(results, _FOUND)
        template = "unfold/helpers/search_results.html"
        if "extended" in request.GET:
            template = "unfold/helpers/command_results.html"
        context = {"page_obj": found, "results": found.page(1), "page_counter": 0}
        return TemplateResponse(request, template, context, headers={"HX-Trigger": "search"})

    def _pages(self, request, section: str) -> list:
        pages = [
            page
            for page in self._registry.values()
            if _section(page) == section and page.has_view_or_change_permission(request)
        ]
        return sorted(pages, key=lambda page: (page.place, str(page.opts.verbose_name_plural)))


def stylesheet(request) -> str:
    return static("jangteo/admin.css")


def waiting(request) -> list:
    """What waits for the user in the marketplace in use, counted once a request."""
    if getattr(request, "marketplace", None) is None:
        return []
    if not hasattr(request, "waiting"):
        request.waiting = import_string(settings.DESK)(request)
    return request.waiting


def _kind(market) -> tuple[str, str] | None:
    """That this is no real money, or no longer to be changed."""
    if market is None or market.state == market.State.LIVE:
        return None
    if market.state == market.State.TEST:
        return _("Test"), "care"
    return _("Archived: read only"), "rest"


def _front_page() -> dict:
    return {"title": _("Work and money"), "link": reverse("admin:index"), "permission": None}


def _queues(request) -> list[dict]:
    return [
        {
            "title": queue.name,
            "link": queue.address,
            "active": request.get_full_path() == queue.address,
            "badge": paging.counted(queue.count),
            "badge_variant": "primary",
            "permission": None,
        }
        for queue in waiting(request)
    ]


def _section(page) -> str:
    return page.section or _USUAL.get(page.opts.app_label, "system")


def _item(page) -> dict:
    options = page.opts
    return {
        "title": capfirst(options.verbose_name_plural),
        "link": reverse(f"admin:{options.app_label}_{options.model_name}_changelist"),
        "permission": None,
    }
