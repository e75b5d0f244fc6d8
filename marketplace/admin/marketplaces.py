"""The marketplace in use: choosing it, and its own page."""

from django.contrib import admin
from django.contrib.admin import register
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.decorators import display

from marketplace import entering, imprints, models, permissions, tenancy
from marketplace.admin.pages import ProcessAdmin


@require_http_methods(["GET", "POST"])
def choose_marketplace(request):
    """Choose which marketplace the admin shows from now on. Served under admin_view()."""
    choices = permissions.may_enter(request.user)
    if request.method == "POST":
        marketplace = get_object_or_404(choices, slug=request.POST.get("marketplace", ""))
        entering.enter(request, marketplace, at=timezone.now())
        with tenancy.use(marketplace.pk, even_archived=True):
            return redirect(_section_address(request))
    context = {
        **admin.site.each_context(request),
        "title": _("Choose a marketplace"),
        "marketplaces": choices,
        "chosen": request.session.get(entering.SESSION_KEY),
    }
    return render(request, "marketplace/choose_marketplace.html", context)


def _section_address(request) -> str:
    """The list that was left, if the user may see it in the marketplace entered; else the front."""
    for model, page in admin.site._registry.items():
        options = model._meta
        if options.label_lower == request.POST.get("section"):
            if page.has_view_or_change_permission(request):
                return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            break
    return reverse("admin:index")


@register(models.Marketplace)
class MarketplaceAdmin(ProcessAdmin):
    """The chosen marketplace itself; opened by the command open_marketplace."""

    comes_from = _("Marketplaces are opened with the command open_marketplace.")
    list_display = ["name", "slug", "state", "currency", "zone", "last_closed_on"]
    readonly_fields = [
        "slug",
        "currency",
        "currency_exponent",
        "zone",
        "state",
        "preset",
        "first_open_on",
        "last_closed_on",
        "legal_identity",
    ]

    @display(description=_("legal identity"))
    def legal_identity(self, marketplace):
        """Who runs the marketplace today, and what of it is missing on papers and pages."""
        today = timezone.localdate(timezone=marketplace.tz)
        identity = imprints.identity_of(today)
        context = {"imprint": imprints.of(identity), "missing": imprints.missing(identity)}
        return render_to_string("marketplace/_identity.html", context)

    def get_queryset(self, request):
        return super().get_queryset(request).filter(pk=tenancy.current_id())

    def get_readonly_fields(self, request, obj=None):
        is_test = obj is None or obj.state == obj.State.TEST
        return [*self.readonly_fields, *([] if is_test else ["needs_second_person"])]
