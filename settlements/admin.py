"""The admin of money: fees here, what came of them in the modules beside it."""

from marketplace.admin import (
    DraftPartAdmin,
    ProcessAdmin,
    RowsInline,
    VersionedRuleAdmin,
    register,
)
from settlements import admin_ledger, admin_statements, models  # noqa: F401 (they register)


@register(models.FeeSchedule)
class FeeScheduleAdmin(ProcessAdmin):
    list_display = ["code", "name"]
    ordering = ["code"]
    readonly_fields = ["code"]


class FeeRuleInline(RowsInline):
    model = models.FeeRule
    fields = ["component", "rank", "category", "seller", "grade", "rate_ppm", "fixed_amount"]
    ordering = ["component", "rank"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("category", "seller")


@register(models.FeeScheduleVersion)
class FeeScheduleVersionAdmin(VersionedRuleAdmin):
    list_display = ["schedule", *VersionedRuleAdmin.list_display]
    list_select_related = ["schedule"]
    readonly_fields = ["schedule", *VersionedRuleAdmin.readonly_fields]
    inlines = [FeeRuleInline]


@register(models.FeeRule)
class FeeRuleAdmin(DraftPartAdmin):
    autocomplete_fields = ["category", "seller"]
    list_filter = ["component"]
    list_display = ["version", "component", "rank", "category", "seller", "grade", "rate_ppm"]
    list_select_related = ["version", "category", "seller"]
    ordering = ["-version", "component", "rank"]


@register(models.SettlementTerms)
class SettlementTermsAdmin(VersionedRuleAdmin):
    pass
