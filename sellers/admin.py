from django.contrib import admin

from marketplace import tenancy
from marketplace.admin import ProcessAdmin, ReadOnlyAdmin, VersionedRuleAdmin
from sellers import grades, models


@admin.register(models.Seller)
class SellerAdmin(ProcessAdmin):
    list_display = ["name", "code", "seller_type", "state", "joined_on"]
    list_filter = ["state", "seller_type"]
    ordering = ["-id"]
    readonly_fields = ["public_id", "code", "seller_type", "state", "joined_on"]
    search_fields = ["code__exact", "public_id__exact", "name"]


@admin.register(models.SellerMember)
class SellerMemberAdmin(ReadOnlyAdmin):
    list_display = ["user", "seller", "role"]
    list_filter = ["role"]
    list_select_related = ["user", "seller"]
    ordering = ["-id"]

    def get_queryset(self, request):
        # A global table: no policy of the database narrows it.
        return super().get_queryset(request).filter(marketplace=tenancy.current_id())


@admin.register(models.PerformanceDay)
class PerformanceDayAdmin(ReadOnlyAdmin):
    list_display = [
        "on",
        "seller",
        "orders_paid",
        "orders_confirmed",
        "sales_confirmed",
        "cancelled_by_seller",
        "units_returned",
        "shipped",
        "shipped_late",
    ]
    list_select_related = ["seller"]
    ordering = ["-on", "-id"]


@admin.register(models.GradePolicy)
class GradePolicyAdmin(VersionedRuleAdmin):
    publishing = staticmethod(grades.publish_policy)


@admin.register(models.ProjectedGrade)
class ProjectedGradeAdmin(ReadOnlyAdmin):
    list_display = ["seller", "grade", "on", "policy"]
    list_select_related = ["seller", "policy"]
    ordering = ["-id"]


@admin.register(models.OfficialGrade)
class OfficialGradeAdmin(ReadOnlyAdmin):
    list_display = ["seller", "grade", "effective_from", "evaluated_on", "policy"]
    list_select_related = ["seller", "policy"]
    ordering = ["-id"]
