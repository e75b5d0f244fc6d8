"""What an import counts and the heads of what it tells are called; a profile's own go as named."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

HEADS: Final[dict[str, Promise]] = {
    "rejected": gettext_lazy("Rejected"),
    "repaired": gettext_lazy("Repaired"),
    "tender_differs": gettext_lazy("Payment differs"),
    "tender_off_by_one": gettext_lazy("Payment off by one"),
    "no_items": gettext_lazy("Order without lines"),
    "time_missing": gettext_lazy("Time missing"),
    "cancel_unmatched": gettext_lazy("Cancellation without a sale"),
    "listed": gettext_lazy("Accepted with a remark"),
    "note": gettext_lazy("Note"),
}
COUNTS: Final[dict[str, Promise]] = {
    "rows": gettext_lazy("Rows read"),
    "orders_accepted": gettext_lazy("Orders accepted"),
    "orders_repeated": gettext_lazy("Orders that were there already"),
    "orders_refused": gettext_lazy("Orders refused"),
    "events_accepted": gettext_lazy("Events accepted"),
    "events_repeated": gettext_lazy("Events that were there already"),
    "events_refused": gettext_lazy("Events refused"),
    "cancels_accepted": gettext_lazy("Cancellations accepted"),
    "cancels_repeated": gettext_lazy("Cancellations that were there already"),
    "cancels_refused": gettext_lazy("Cancellations refused"),
    "cancels_unmatched": gettext_lazy("Cancellations without a sale"),
    "sellers": gettext_lazy("Sellers in the files"),
    "categories": gettext_lazy("Categories in the files"),
    "listings": gettext_lazy("Listings in the files"),
}


def head(code: str) -> str:
    return str(HEADS.get(code, code))


def count(code: str) -> str:
    return str(COUNTS.get(code, code))
