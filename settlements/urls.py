"""Seller pages of this app, under /s/<marketplace>/."""

from django.urls import path

from settlements import (
    fee_preview,
    forecast_views,
    letter_views,
    payout_views,
    resident_number_views,
    revenue_views,
    simulator_views,
    tax_views,
    views,
)

urlpatterns = [
    path("statements/", views.statements, name="shop_statements"),
    path("statements/<str:public_id>/", views.statement, name="shop_statement"),
    path(
        "statements/<str:public_id>/lines/<str:order>/<int:number>/<int:sequence>/",
        views.line,
        name="shop_line",
    ),
    path("statements/<str:public_id>/lines.<str:kind>", views.lines_file, name="shop_lines_file"),
    path("statements/<str:public_id>/files/", views.statement_files_page, name="shop_lines_files"),
    path("statements/<str:public_id>/bundle.zip", views.bundle_file, name="shop_bundle_file"),
    path("holds/", views.holds, name="shop_holds"),
    path("debts/", views.debts, name="shop_debts"),
    path("ad-prepayment/", views.ad_prepayment, name="shop_ad_prepayment"),
    path("coming-payouts/", forecast_views.days, name="shop_forecast"),
    path("coming-payouts/<str:day>/", forecast_views.day, name="shop_forecast_day"),
    path("downloads/", views.downloads_page, name="shop_downloads"),
    path(
        "downloads/statements-<int:year>.<str:kind>",
        views.statements_file,
        name="shop_statements_file",
    ),
    path("adjustments/", views.adjustments, name="shop_adjustments"),
    path("adjustments/<str:public_id>/", views.adjustment, name="shop_adjustment"),
    path("revenue/", revenue_views.reports, name="shop_revenue"),
    path("revenue/<str:public_id>/", revenue_views.report, name="shop_revenue_report"),
    path("downloads/heads.csv", views.heads_file, name="shop_heads_file"),
    path("downloads/verify_statement.py", views.verifier_file, name="shop_verifier_file"),
    path("payouts/", payout_views.payouts, name="shop_payouts"),
    path("payouts/<str:public_id>/", payout_views.payout, name="shop_payout"),
    path("tax/", tax_views.invoices, name="shop_tax_invoices"),
    path("tax/vat/", tax_views.vat, name="shop_vat_view"),
    path("tax/resident-number/", resident_number_views.show, name="shop_resident_number"),
    path(
        "tax/resident-number/enter/",
        resident_number_views.enter,
        name="shop_resident_number_enter",
    ),
    path("tax/<str:public_id>/", tax_views.invoice, name="shop_tax_invoice"),
    path(
        "tax/<str:public_id>/invoice.<str:kind>",
        tax_views.invoice_file,
        name="shop_tax_invoice_file",
    ),
    path("letters/", letter_views.letters, name="shop_letters"),
    path("fees/", views.fees, name="shop_fees"),
    path("simulator/", simulator_views.show, name="shop_simulator"),
    path("fee-preview/", fee_preview.preview, name="shop_fee_preview"),
]
