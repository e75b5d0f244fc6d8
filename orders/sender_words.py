"""Codes that senders use, in words: why a buyer claims, and where an order came from.

Both are the sender's own text. A code that is known is told in words; what is not stays as sent.
"""

from django.utils.translation import gettext_lazy as _

_REASONS = {
    "change_of_mind": _("Changed their mind"),
    "defective": _("The goods are faulty"),
    "damaged": _("Damaged on the way"),
    "wrong_item": _("Other goods than ordered"),
    "not_as_described": _("Not as described"),
    "late_delivery": _("Delivered too late"),
    "not_delivered": _("Never delivered"),
    "ordered_twice": _("Ordered by mistake"),
    "out_of_stock": _("Sold out"),
    "stop_ignored": _("Shipped although asked to stop"),
}
_SOURCES = {"simulation": _("Demonstration data"), "operator": _("Operator")}


def reason(text: str) -> str:
    return str(_REASONS.get(text.strip().lower(), text))


def source(code: str) -> str:
    return str(_SOURCES.get(code, code))
