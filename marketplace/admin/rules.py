"""Pages of versioned rules and their parts: drafts are edited, published ones only read."""

from datetime import date, timedelta
from functools import partial

from django.contrib.admin import register
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from marketplace import approval_pages, imprints, models, tenancy, versions
from marketplace.admin.cells import state_column
from marketplace.admin.pages import ProcessAdmin, RowsInline, TenantAdmin
from marketplace.approval_pages import Problem

NOTICE = timedelta(days=30)  # from the last closed day to the start of a new draft; editable


class VersionedRuleAdmin(ProcessAdmin):
    """Versions of a rule: a draft is edited, a published one only read.

    It is published by whom somebody else has asked to (marketplace.approvals).
    """

    section = "rules"
    comes_from = _("Start with a draft; it comes into force once a second person has agreed.")
    list_display = ["number", "valid_from", state_column(), "published_at", "note"]
    readonly_fields = ["number", "state", "published_at", "published_by"]
    ordering = ["-valid_from", "-number"]
    actions = ["revise", "ask"]
    actions_detail = ["ask_for_one"]
    asking_form = approval_pages.ReasonForm  # what it asks beside the reason, its process is told

    def has_change_permission(self, request, obj=None):
        is_published = obj is not None and obj.state == obj.State.PUBLISHED
        return not is_published and super().has_change_permission(request, obj)

    def has_ask_permission(self, request, object_id=None):
        return super().has_change_permission(request)

    def problems(self, version) -> list[Problem]:
        """What somebody should know before the version is published; some may forbid it."""
        return []

    @action(description=_("Draft a next version of each"), permissions=["change"])
    def revise(self, request, queryset):
        new = {"valid_from": usual_start(), "by": request.user, "at": timezone.now()}
        self.ask_for_each(request, queryset, partial(versions.revise, **new))

    @action(description=_("Ask for the publication of selected drafts"), permissions=["ask"])
    def ask(self, request, queryset):
        return approval_pages.ask_for_publication(self, request, queryset)

    @action(description=_("Ask for publication"), url_path="ask", permissions=["ask"])
    def ask_for_one(self, request, object_id):
        version = self.found(request, object_id)
        return approval_pages.ask_for_publication(
            self, request, self.model.objects.filter(pk=version.pk)
        )


def usual_start() -> date:
    """The day on which a draft begins unless somebody says otherwise."""
    marketplace = models.Marketplace.objects.get(pk=tenancy.current_id())
    return (marketplace.last_closed_on or marketplace.first_open_on) + NOTICE


class DraftPartAdmin(TenantAdmin):
    """The parts of a version, edited while it is a draft, then only read.

    `part_of` names the references to it; of several one is filled in.
    """

    section = "rules"
    part_of = ("version",)

    def has_change_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_delete_permission(request, obj)

    def _is_open(self, obj) -> bool:
        if obj is None:
            return True
        [whole] = filter(None, (getattr(obj, name) for name in self.part_of))
        return whole.state == models.VersionedRule.State.DRAFT

    def get_actions(self, request):
        return {}  # many at once would end at the first that is published

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name in self.part_of:
            kwargs["queryset"] = db_field.related_model.objects.filter(
                state=models.VersionedRule.State.DRAFT
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@register(models.LegalIdentity)
class LegalIdentityAdmin(VersionedRuleAdmin):
    list_display = ["company", *VersionedRuleAdmin.list_display]

    def problems(self, version) -> list[Problem]:
        return [
            Problem(
                gettext("%(field)s is missing. It is wanted for: %(uses)s.")
                % {"field": missing.label, "uses": missing.used_for},
                forbids=False,
            )
            for missing in imprints.missing(version)
        ]


class ClosedDayInline(RowsInline):
    model = models.ClosedDay
    ordering = ["on"]


@register(models.CalendarVersion)
class CalendarVersionAdmin(VersionedRuleAdmin):
    list_display = ["country", "first_on", "last_on", *VersionedRuleAdmin.list_display]
    # The days were proposed for these.
    readonly_fields = ["country", "first_on", "last_on", *VersionedRuleAdmin.readonly_fields]
    inlines = [ClosedDayInline]
