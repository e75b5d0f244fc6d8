"""Addresses of this app in the API, under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from settlements.api import (
    adjustments,
    contracts,
    debts,
    exports,
    forecasts,
    ledger,
    payout_events,
    payouts,
    prepayments,
    reconciliation,
    revenue,
    tax,
    viewsets,
)

router = SimpleRouter()
router.register("statements", viewsets.StatementViewSet, "api_statement")
router.register("signing-keys", viewsets.SigningKeyViewSet, "api_signing_key")
router.register("payouts", payouts.PayoutViewSet, "api_payout")
router.register("tax-invoices", tax.TaxInvoiceViewSet, "api_tax_invoice")
router.register("settlement-lines", viewsets.SettlementLineViewSet, "api_settlement_line")
router.register("holds", viewsets.HoldViewSet, "api_hold")
router.register("balances", viewsets.BalanceViewSet, "api_balance")
router.register("debt-movements", debts.DebtMovementViewSet, "api_debt_movement")
router.register(
    "ad-prepayment-movements", prepayments.AdPrepaymentMovementViewSet, "api_ad_prepayment_movement"
)
router.register("adjustments", adjustments.AdjustmentViewSet, "api_adjustment")
router.register("accounts", ledger.AccountViewSet, "api_account")
router.register("journals", ledger.JournalViewSet, "api_journal")
router.register("periods", ledger.PeriodViewSet, "api_period")
router.register("days", ledger.DayViewSet, "api_day")
router.register("discrepancies", ledger.DiscrepancyViewSet, "api_discrepancy")
router.register("clearing-items", reconciliation.ClearingItemViewSet, "api_clearing_item")
router.register("missing-files", reconciliation.MissingFileViewSet, "api_missing_file")
router.register("payout-forecasts", forecasts.PayoutForecastViewSet, "api_payout_forecast")
router.register("revenue-reports", revenue.RevenueReportViewSet, "api_revenue_report")
router.register("exports", exports.ExportViewSet, "api_export")
router.register("jobs", exports.JobViewSet, "api_job")
urlpatterns = [
    path(
        "sellers/<str:public_id>/contract/",
        contracts.ContractView.as_view({"get": "retrieve"}),
        name="api_seller_contract",
    ),
    path("payout-events/<slug:marketplace>/", payout_events.event, name="payout_event"),
    path("exports/files/<str:token>/", exports.file, name="api_export_file"),
    *router.urls,
    path(
        "fees/estimate/",
        viewsets.FeeEstimateView.as_view({"post": "estimate"}),
        name="api_fee_estimate",
    ),
    path("fees/price/", viewsets.FeePriceView.as_view({"post": "price"}), name="api_fee_price"),
    path(
        "fees/comparison/",
        viewsets.FeeComparisonView.as_view({"post": "compare"}),
        name="api_fee_comparison",
    ),
]
