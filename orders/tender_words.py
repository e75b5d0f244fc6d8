"""What people call the ways of paying that are known everywhere; others go by their code."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

_NAMES: Final[dict[str, Promise]] = {
    "ad_network": gettext_lazy("advertising network"),
    "bank_transfer": gettext_lazy("bank transfer"),
    "card": gettext_lazy("card"),
    "credit_card": gettext_lazy("card"),
    "easy_pay": gettext_lazy("easy payment"),
    "points": gettext_lazy("points"),
    "virtual_account": gettext_lazy("virtual account"),
    "voucher": gettext_lazy("voucher"),
}


def name(code: str) -> str:
    return str(_NAMES.get(code, code))
