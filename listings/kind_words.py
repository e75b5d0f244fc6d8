"""What kinds of listings, the revenue they bring and the channels they sell through are called."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

_NAMES: Final[dict[str, Promise]] = {
    "goods": gettext_lazy("goods"),
    "shipping": gettext_lazy("shipping charge"),
    "return_shipping": gettext_lazy("return shipping"),
    "ads": gettext_lazy("advertising"),
    "iap": gettext_lazy("in-app purchases"),
    "live": gettext_lazy("live shows"),
    "replay": gettext_lazy("replays of shows"),
    "host": gettext_lazy("sales brought by a host"),
    "affiliate": gettext_lazy("sales brought by an affiliate"),
    "mini_app": gettext_lazy("mini-apps"),
}


def name(code: str) -> str:
    """What a stream, channel or kind of listing is called; one's own goes by its code."""
    return str(_NAMES.get(code, code))
