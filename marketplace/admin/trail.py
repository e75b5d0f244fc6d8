"""Pages of the audit trail."""

from django.contrib import admin
from django.contrib.admin import SimpleListFilter, register
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from marketplace import audit_words, models, tenancy
from marketplace.admin.cells import named
from marketplace.admin.pages import ReadOnlyAdmin
from marketplace.admin_site import HIDDEN


class ColleagueFilter(SimpleListFilter):
    """By people of this marketplace: the table of users holds those of others, too."""

    title = _("actor")
    parameter_name = "actor"

    def lookups(self, request, model_admin):
        members = models.User.objects.filter(memberships__marketplace=tenancy.current_id())
        return [(user.pk, str(user)) for user in members.distinct().order_by("email")]

    def queryset(self, request, queryset):
        known = {str(key) for key, _name in self.lookup_choices}
        return queryset.filter(actor=self.value()) if self.value() in known else queryset


@register(models.AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what, when and why."""

    comes_from = _("Every decision and every change of state is recorded here.")
    place = 20
    list_display = ["at", "actor", "deed", "about", "why"]
    list_filter = [("at", RangeDateTimeFilter), ColleagueFilter]
    list_filter_submit = True
    list_select_related = ["actor"]
    ordering = ["-at", "-id"]
    search_fields = ["action__exact", "object_key__exact"]
    search_help_text = _("An action such as claim.approved, or an object's number, in full.")
    fields = readonly_fields = ["at", "actor", "deed", "about", "why", "data"]

    @display(description=_("action"))
    def deed(self, entry):
        return named(audit_words.words(entry.action), entry.action)

    @display(description=_("reason"))
    def why(self, entry):
        return audit_words.reason(entry.reason)

    @display(description=_("object"))
    def about(self, entry):
        page = _pages_by_label().get(entry.object_type)
        if page is None:
            return f"{entry.object_type} {entry.object_key}".strip() or "-"
        name = f"{capfirst(page.opts.verbose_name)} {entry.object_key}"
        if not entry.object_key:
            return name
        view = f"admin:{page.opts.app_label}_{page.opts.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(view, args=[entry.object_key]), name)


def _pages_by_label() -> dict:
    return {model._meta.label_lower: page for model, page in admin.site._registry.items()}


@register(models.AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    comes_from = _("The trail is sealed a little after its entries are written.")
    section = HIDDEN
    list_display = ["number", "sealed_at", "entries", "hash"]
    ordering = ["-number"]
