"""Seller pages of this app, under /s/<marketplace>/."""

from django.urls import path

from orders import claim_views, views

urlpatterns = [
    path("orders/", views.orders, name="shop_orders"),
    path("orders/acknowledge/", views.acknowledge, name="shop_orders_acknowledge"),
    path("orders/ship/", views.ship_many, name="shop_orders_ship"),
    path("orders/to-ship.<str:kind>", views.download, name="shop_orders_download"),
    path("orders/<str:public_id>/", views.order, name="shop_order"),
    path("orders/<str:public_id>/ship/", views.ship, name="shop_order_ship"),
    path("orders/<str:public_id>/cancel/", views.cancel, name="shop_order_cancel"),
    path("parcels/<str:public_id>/", views.parcel, name="shop_parcel"),
    path("claims/", claim_views.claims_list, name="shop_claims"),
    path("claims/<str:public_id>/", claim_views.claim, name="shop_claim"),
    path(
        "claims/<str:public_id>/evidence/<str:file_id>/",
        claim_views.evidence,
        name="shop_claim_evidence",
    ),
]
