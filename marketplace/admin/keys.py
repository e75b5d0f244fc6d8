"""Pages of the keys that programs call the API with."""

from functools import partial

from django.contrib.admin import register
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from marketplace import api_keys, models, tenancy
from marketplace.admin.cells import chip
from marketplace.admin.pages import ReadOnlyAdmin, has_chosen
from marketplace.key_forms import KeyForm, RotationForm
from marketplace.refusals import Refused

_WORKS = models.ApiKey.Standing.WORKS
_COLOURS = {
    _WORKS: "good",
    models.ApiKey.Standing.REPLACED: "care",
    models.ApiKey.Standing.EXPIRED: "rest",
    models.ApiKey.Standing.REVOKED: "bad",
}


@register(models.ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """The keys of the marketplace's own systems and, to be revoked, those of its sellers."""

    comes_from = _(
        "A key lets a program use the API: the shop's checkout, or a seller's own system."
    )
    list_display = ["name", "last_four", "standing", "seller", "expires_at", "last_used_at"]
    ordering = ["-id"]
    actions = ["revoke"]
    actions_detail = ["rotate"]
    fields = readonly_fields = [
        "name",
        "standing",
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

    def has_rotate_permission(self, request, object_id=None):
        """A seller replaces his keys himself, and what has ended is replaced by nobody."""
        if not self.has_add_permission(request):
            return False
        key = self.get_queryset(request).filter(pk=object_id).first()
        return key is None or (not key.seller and key.standing(timezone.now()) == _WORKS)

    @display(description=_("state"))
    def standing(self, key):
        standing = key.standing(timezone.now())
        return chip(standing.label, _COLOURS[standing])

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

    @action(description=_("Replace the key"), url_path="rotate", permissions=["rotate"])
    def rotate(self, request, object_id):
        """Replace a key by a new one; both work until the old one ends."""
        key = self.found(request, object_id)
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
