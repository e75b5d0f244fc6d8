"""Pages of the keys that programs call the API with."""

from functools import partial

from django.contrib.admin import register
from django.core.exceptions import PermissionDenied
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from marketplace import api_keys, models, tenancy
from marketplace.admin.pages import ReadOnlyAdmin, has_chosen
from marketplace.key_forms import KeyForm, RotationForm
from marketplace.refusals import Refused


@register(models.ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """The keys of the marketplace's own systems and, to be revoked, those of its sellers."""

    list_display = ["name", "last_four", "seller", "expires_at", "last_used_at", "revoked_at"]
    ordering = ["-id"]
    actions = ["revoke"]
    fields = readonly_fields = [
        "name",
        "code",
        "last_four",
        "seller",
        "is_live",
        "scopes",
        "networks",
        "created_at",
        "created_by",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "successor",
    ]

    def get_queryset(self, request):
        # A global table: no policy of the database narrows it.
        keys = super().get_queryset(request)
        return keys.filter(marketplace=tenancy.current_id_or_none())

    def has_add_permission(self, request):
        return has_chosen() and request.user.has_perm("marketplace.add_apikey")

    def has_revoke_permission(self, request):
        return has_chosen() and request.user.has_perm("marketplace.change_apikey")

    def get_urls(self):
        rotate = path(
            "<path:object_id>/rotate/",
            self.admin_site.admin_view(self.rotate_view),
            name="marketplace_apikey_rotate",
        )
        return [rotate, *super().get_urls()]

    def add_view(self, request, form_url="", extra_context=None):
        """Make a key; the answer to the form is the one time that its secret is shown."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._made(
            request,
            KeyForm(request.POST or None),
            partial(api_keys.create, tenancy.current()),
            title=gettext("Make an API key"),
            explanation=gettext("A system of the marketplace calls the API with it."),
        )

    def rotate_view(self, request, object_id):
        """Replace a key by a new one; both work until the old one ends."""
        key = self.found(request, object_id)
        if not self.has_add_permission(request) or key.seller:
            raise PermissionDenied
        return self._made(
            request,
            RotationForm(request.POST or None),
            partial(api_keys.rotate, key),
            title=gettext("Replace the key"),
            explanation=gettext("The new key has the same rights."),
        )

    @action(description=_("Revoke selected keys at once"), permissions=["revoke"])
    def revoke(self, request, queryset):
        self.ask_for_each(
            request, queryset, partial(api_keys.revoke, by=request.user, at=timezone.now())
        )

    def change_view(self, request, object_id, form_url="", extra_context=None):
        address = reverse("admin:marketplace_apikey_rotate", args=[object_id])
        context = {"rotate_address": address, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _made(self, request, form, process, **context):
        made, at = None, timezone.now()
        if request.method == "POST" and form.is_valid():
            try:
                made = process(**form.words(at), by=request.user, at=at)
            except Refused as refused:
                form.add_error(None, refused.text(gettext))
        context |= {"form": form, "made": made, "address": self.list_url()}
        response = self.page(request, "marketplace/api_key.html", **context)
        response["Cache-Control"] = "no-store"
        return response
