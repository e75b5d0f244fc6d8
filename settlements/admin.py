from datetime import date

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from marketplace.admin import (
    HIDDEN,
    DraftPartAdmin,
    ProcessAdmin,
    ReadOnlyAdmin,
    RowsInline,
    VersionedRuleAdmin,
    display,
    register,
)
from settlements import explanations, line_words, models


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


@register(models.LineTerms)
class LineTermsAdmin(ReadOnlyAdmin):
    section = HIDDEN
    list_display = ["id", "version"]
    list_select_related = ["version"]
    ordering = ["id"]


@register(models.Statement)
class StatementAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "seller", "due_on", "state", "lines", "net", "payout"]
    list_filter = ["state"]
    list_select_related = ["seller"]
    ordering = ["-due_on", "-id"]
    search_fields = ["public_id__exact"]


@register(models.SellerBalance)
class SellerBalanceAdmin(ReadOnlyAdmin):
    list_display = ["seller", "carry", "reserve", "withholding_base"]
    list_select_related = ["seller"]
    ordering = ["-id"]


@register(models.Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "is_per_seller"]
    ordering = ["code"]


@register(models.Journal)
class JournalAdmin(ReadOnlyAdmin):
    list_display = ["template", "reference", "basis_on"]
    ordering = ["-basis_on", "-id"]
    search_fields = ["reference__exact"]


class BulkAdmin(ReadOnlyAdmin):
    """A bulk table. Its key begins with the day, so neither a page per row nor another order."""

    list_display_links = None
    ordering = ["-basis_on", "-id"]
    sortable_by = []


@register(models.SettlementLine)
class SettlementLineAdmin(BulkAdmin):
    """A line's own address names its day, so that only one month is searched for it."""

    list_display = [
        "with_proof",
        "kind",
        "seller_id",
        "order_line_id",
        "sequence",
        "statement_id",
        "quantity",
        "list_amount",
        "fee",
        "vat",
        "net",
    ]
    search_fields = ["statement_id__exact", "order_line_id__exact"]
    readonly_fields = ["proof"]

    @display(description=_("basis date"))
    def with_proof(self, line):
        address = reverse(
            "admin:settlements_settlementline_change", args=[f"{line.basis_on}.{line.pk}"]
        )
        return format_html('<a href="{}">{}</a>', address, line.basis_on)

    @display(description=_("how it was computed"))
    def proof(self, line):
        sentences = (
            (sentence,)
            for component in explanations.explain(line)
            for sentence in line_words.describe(component)
        )
        return format_html_join("", "<div>{}</div>", sentences)

    def get_object(self, request, object_id, from_field=None):
        day, _dot, pk = object_id.partition(".")
        try:
            key = {"basis_on": date.fromisoformat(day), "pk": int(pk)}
        except ValueError:
            return None
        return self.get_queryset(request).filter(**key).first()


@register(models.LedgerEntry)
class LedgerEntryAdmin(BulkAdmin):
    list_display = ["basis_on", "journal_id", "account_id", "seller_id", "debit", "credit"]
    search_fields = ["journal_id__exact"]
