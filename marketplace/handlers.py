"""Who of us acts on which announcement: topic → handlers, by name.

Handlers are named by string because they live on the floors above, which are not imported here.
Each is called as `handler(marketplace, at=…, **payload)`, in a transaction of its own, once per
message. A topic that nobody acts on yet still stands here, so that a misspelt one is found.
"""

TOPICS: dict[str, tuple[str, ...]] = {
    "export.asked": ("settlements.tasks.begin_export",),
    "fee_rehearsal.asked": ("settlements.tasks.begin_rehearsal",),
    "fees.published": ("settlements.fee_letters.begin",),
    "import.uploaded": ("orders.tasks.start_import",),
    "marketplace.opened": (),
    "night.closed": (
        "settlements.tasks.begin_forecasts",
        "settlements.tasks.begin_morning",
    ),
    "payout.changed": ("settlements.tasks.begin_asking",),
    "payout.failed": ("sellers.letters.payout_failed",),
    "payout_batch.executing": ("settlements.tasks.begin_batch",),
    "payout_results.uploaded": ("settlements.tasks.begin_results",),
    "seller.bank_account_changed": ("sellers.letters.bank_account_changed",),
    "seller.business_to_ask": ("settlements.tasks.begin_business_check",),
    "seller.contact_changed": ("sellers.letters.contact_changed",),
    "sentinel.raised": (),
}
