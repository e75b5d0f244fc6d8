"""Seller pages of this app, under /s/<marketplace>/."""

from django.urls import path, re_path

from sellers import key_views, views, webhook_views

urlpatterns = [
    path("api-keys/", key_views.keys, name="shop_api_keys"),
    path("api-keys/<slug:code>/rotate/", key_views.rotate, name="shop_api_key_rotate"),
    path("api-keys/<slug:code>/revoke/", key_views.revoke, name="shop_api_key_revoke"),
    path("choose/", views.choose, name="shop_choose"),
    path("apply/", views.apply, name="shop_apply"),
    path("members/", views.people, name="shop_members"),
    path("members/<int:user>/role/", views.change_role, name="shop_member_role"),
    path("members/<int:user>/remove/", views.remove_member, name="shop_member_remove"),
    path(
        "members/invitations/<slug:public_id>/withdraw/",
        views.withdraw_invitation,
        name="shop_invitation_withdraw",
    ),
    path("invitations/<str:link>/", views.accept_invitation, name="shop_invitation"),
    path("webhooks/", webhook_views.webhooks, name="shop_webhooks"),
    re_path(
        "^webhooks/(?P<public_id>whe_[0-9a-z]{26})/(?P<deed>test|enable|disable|delete)/$",
        webhook_views.act_on_webhook,
        name="shop_webhook_deed",
    ),
    path(
        "webhooks/<slug:public_id>/messages/<slug:message_id>/replay/",
        webhook_views.replay_webhook,
        name="shop_webhook_replay",
    ),
    path("profile/", views.profile, name="shop_profile"),
    path("bank-account/", views.bank_account, name="shop_bank_account"),
    path("bank-account/change/", views.change_bank_account, name="shop_bank_account_change"),
]
