"""Who acts on which announcement: topic → handlers, by name.

Handlers are named by string because they live on the floors above, which are not imported here.
Each is called as `handler(marketplace, at=…, **payload)`, in a transaction of its own, once per
message. A topic that nobody acts on yet still stands here, so that a misspelt one is found.
"""

TOPICS: dict[str, tuple[str, ...]] = {
    "claim.approved": (),
    "claim.completed": (),
    "claim.rejected": (),
    "claim.requested": (),
    "claim.withdrawn": (),
    "grades.made_official": (),
    "listing.published": (),
    "listing.restored": (),
    "listing.sent_back": (),
    "listing.submitted": (),
    "listing.taken_down": (),
    "marketplace.opened": (),
    "night.closed": (),
    "orderline.price_reduced": (),
    "seller.approved": (),
    "seller.reinstated": (),
    "seller.rejected": (),
    "seller.restricted": (),
    "seller.suspended": (),
    "seller.terminated": (),
    "seller.terminating": (),
    "sentinel.raised": (),
}
