"""Seller pages of this app, under /s/<marketplace>/."""

from django.urls import path

from listings import views

urlpatterns = [
    path("listings/", views.listings, name="shop_listings"),
    path("listings/new/", views.new, name="shop_listing_new"),
    path("listings/categories/", views.categories, name="shop_listing_categories"),
    path("listings/sale/", views.sale, name="shop_listings_sale"),
    path("listings/<str:public_id>/", views.listing, name="shop_listing"),
    path("listings/<str:public_id>/edit/", views.edit, name="shop_listing_edit"),
    path("listings/<str:public_id>/check/", views.check, name="shop_listing_check"),
    path("listings/<str:public_id>/hand-in/", views.hand_in, name="shop_listing_hand_in"),
]
