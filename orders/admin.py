from marketplace.admin import (
    HIDDEN,
    ReadOnlyAdmin,
    RowsInline,
    TenantAdmin,
    VersionedRuleAdmin,
    register,
)
from orders import models


@register(models.ConfirmationPolicy)
class ConfirmationPolicyAdmin(VersionedRuleAdmin):
    pass


class OrderLineInline(RowsInline):
    model = models.OrderLine
    fields = ["number", "seller", "title", "quantity", "units_left", "list_amount", "status"]
    ordering = ["number"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller")


class PaymentInline(RowsInline):
    model = models.Payment
    fields = ["sequence", "kind", "amount", "tax_free_amount", "approved_at"]
    ordering = ["sequence"]


@register(models.Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ["number", "source", "placed_at", "tender_difference"]
    ordering = ["-placed_at", "-id"]
    search_fields = ["number__exact", "public_id__exact"]
    inlines = [OrderLineInline, PaymentInline]


@register(models.OrderLine)
class OrderLineAdmin(ReadOnlyAdmin):
    list_display = [
        "order",
        "number",
        "seller",
        "title",
        "quantity",
        "units_left",
        "list_amount",
        "status",
        "paid_on",
        "confirmed_on",
    ]
    list_filter = ["status"]
    list_select_related = ["order", "seller"]
    ordering = ["-id"]
    search_fields = ["order__number__exact", "sku__exact"]


@register(models.Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ["order", "sequence", "kind", "amount", "approved_at"]
    list_select_related = ["order"]
    ordering = ["-id"]
    search_fields = ["order__number__exact"]


@register(models.OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    list_display = ["order_number", "line_number", "kind", "quantity", "occurred_at", "received_at"]
    list_filter = ["kind"]
    ordering = ["-id"]
    search_fields = ["order_number__exact"]


@register(models.Outcome)
class OutcomeAdmin(ReadOnlyAdmin):
    list_display = ["line", "seller", "sequence", "kind", "cause", "basis_on", "quantity"]
    list_filter = ["kind"]
    list_select_related = ["line", "seller"]
    ordering = ["-id"]


@register(models.OutcomeToSettle)
class OutcomeToSettleAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["outcome", "seller", "basis_on"]
    list_select_related = ["outcome", "seller"]
    ordering = ["-id"]


@register(models.Claim)
class ClaimAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "line", "seller", "type", "fault", "quantity", "state"]
    list_filter = ["state", "type"]
    list_select_related = ["line", "seller"]
    ordering = ["-id"]
    search_fields = ["public_id__exact"]


@register(models.PerformanceTouch)
class PerformanceTouchAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["seller", "on"]
    list_select_related = ["seller"]
    ordering = ["-id"]


@register(models.ImportProfile)
class ImportProfileAdmin(TenantAdmin):
    list_display = ["code", "name"]
    ordering = ["code"]
