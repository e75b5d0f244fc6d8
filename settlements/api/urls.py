"""Addresses of this app in the API, under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from settlements.api import viewsets

router = SimpleRouter()
router.register("statements", viewsets.StatementViewSet, "api_statement")
router.register("settlement-lines", viewsets.SettlementLineViewSet, "api_settlement_line")
router.register("balances", viewsets.BalanceViewSet, "api_balance")
urlpatterns = [
    *router.urls,
    path(
        "fees/estimate/",
        viewsets.FeeEstimateView.as_view({"post": "estimate"}),
        name="api_fee_estimate",
    ),
]
