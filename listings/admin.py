from listings import models
from marketplace.admin import ProcessAdmin, ReadOnlyAdmin, RowsInline, VersionedRuleAdmin, register


@register(models.Category)
class CategoryAdmin(ProcessAdmin):
    list_display = ["code", "name", "parent"]
    list_select_related = ["parent"]
    ordering = ["code"]
    readonly_fields = ["code", "parent", "path"]
    search_fields = ["code__exact", "name"]


class RevisionInline(RowsInline):
    model = models.Revision
    fields = ["number", "title", "category", "unit_price", "state"]
    ordering = ["-number"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("category")


@register(models.Listing)
class ListingAdmin(ReadOnlyAdmin):
    list_display = ["code", "seller", "kind", "state"]
    list_filter = ["state"]
    list_select_related = ["seller"]
    ordering = ["-id"]
    search_fields = ["code__exact", "public_id__exact"]
    inlines = [RevisionInline]


class FindingInline(RowsInline):
    model = models.Finding
    fields = ["rule", "severity", "field", "start", "end", "evidence"]


@register(models.Revision)
class RevisionAdmin(ReadOnlyAdmin):
    list_display = ["title", "number", "listing", "unit_price", "state"]
    list_filter = ["state"]
    list_select_related = ["listing"]
    ordering = ["-id"]
    inlines = [FindingInline]


@register(models.PolicyPack)
class PolicyPackAdmin(VersionedRuleAdmin):
    pass


@register(models.Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ["rule", "severity", "field", "evidence", "revision"]
    list_filter = ["severity"]
    list_select_related = ["revision"]
    ordering = ["-id"]
