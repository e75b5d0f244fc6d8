from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from marketplace import tenancy
from marketplace.admin import ProcessAdmin, ReadOnlyAdmin, VersionedRuleAdmin, display, register
from sellers import grade_words, grades, models


@register(models.Seller)
class SellerAdmin(ProcessAdmin):
    list_display = ["name", "code", "seller_type", "state", "joined_on"]
    list_filter = ["state", "seller_type"]
    ordering = ["-id"]
    readonly_fields = ["public_id", "code", "seller_type", "state", "joined_on"]
    search_fields = ["code__exact", "public_id__exact", "name"]


@register(models.SellerMember)
class SellerMemberAdmin(ReadOnlyAdmin):
    list_display = ["user", "seller", "role"]
    list_filter = ["role"]
    list_select_related = ["user", "seller"]
    ordering = ["-id"]

    def get_queryset(self, request):
        # A global table: no policy of the database narrows it.
        return super().get_queryset(request).filter(marketplace=tenancy.current_id())


@register(models.PerformanceDay)
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


@register(models.GradePolicy)
class GradePolicyAdmin(VersionedRuleAdmin):
    pass


class GradeAdmin(ReadOnlyAdmin):
    """A grade with the reasons for it and what is missing to the next one, in words."""

    exclude = ["explanation", "grade"]
    readonly_fields = ["named", "why", "what_is_missing"]

    @display(description=_("grade"))
    def named(self, row):
        return grades.load(row.policy).grade(row.grade).name

    @display(description=_("reasons"))
    def why(self, row):
        policy = grades.load(row.policy)
        told = grade_words.reasons(row.explanation, policy, row.marketplace)
        if kept := grade_words.kept(row.explanation, policy):
            told.append(kept)
        return format_html_join("", "<div>{}</div>", ((sentence,) for sentence in told)) or "-"

    @display(description=_("missing to the next grade"))
    def what_is_missing(self, row):
        return grade_words.missing(row.explanation, grades.load(row.policy), row.marketplace)


@register(models.ProjectedGrade)
class ProjectedGradeAdmin(GradeAdmin):
    list_display = ["seller", "named", "what_is_missing", "on"]
    list_select_related = ["seller", "policy", "marketplace"]
    ordering = ["-id"]


@register(models.OfficialGrade)
class OfficialGradeAdmin(GradeAdmin):
    list_display = ["seller", "named", "effective_from", "evaluated_on"]
    list_select_related = ["seller", "policy", "marketplace"]
    ordering = ["-id"]
