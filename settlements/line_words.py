"""An explained settlement line in words and figures, in the reader's language.

What is said is computed by settlements.explanations; only the wording is here.
"""

from collections.abc import Mapping
from fractions import Fraction

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace import money
from settlements.explanations import Component
from settlements.fees import Explanation

_MODES = {
    money.FLOOR: gettext_lazy("cut"),
    money.CEIL: gettext_lazy("up"),
    money.HALF_UP: gettext_lazy("half up"),
    money.HALF_EVEN: gettext_lazy("half to even"),
}
_VAT = {
    "exclusive": gettext_lazy("VAT on top"),
    "inclusive": gettext_lazy("VAT included"),
    "exempt": gettext_lazy("exempt from VAT"),
}
DECIMALS = 6


def describe(component: Component, names: Mapping[str, str]) -> list[str]:
    """Sentences that let a reader compute a component again by hand. Amounts in minor units.

    `names` are the marketplace's words for components.
    """
    about = {
        "component": names.get(component.code, component.code),
        "schedule": component.schedule_name,
        "version": component.version,
        "rank": component.rank,
    }
    if component.contract:
        about["version"] = component.contract.number
        text = _("%(component)s: rule %(rank)s of the seller's contract, version %(version)s")
    else:
        text = _("%(component)s: rule %(rank)s of %(schedule)s, version %(version)s")
    told = [text % about]
    if component.before is not None:
        told.append(_("before: %(figures)s") % {"figures": _figures(component.before)})
        told.append(_("after: %(figures)s") % {"figures": _figures(component.after)})
        difference = {"fee": f"{component.fee:,}", "vat": f"{component.vat:,}"}
        told.append(_("difference: fee %(fee)s, VAT %(vat)s") % difference)
    else:
        told.append(_figures(component.after))
    return told


def rate(rate_ppm: int) -> str:
    """A rate in ppm as a percentage, exact: 33,000 ppm is 3.3 %."""
    return f"{decimals(Fraction(rate_ppm, 10_000))} %"


def _figures(explanation: Explanation) -> str:
    slices = " + ".join(f"{part:,} × {rate(ppm)}" for part, ppm in explanation.slices)
    return _(
        "%(slices)s = %(exact)s, rounded (%(mode)s) to %(fee)s; %(vat_kind)s %(vat_exact)s, "
        "rounded (%(vat_mode)s) to %(vat)s"
    ) % {
        "slices": slices,
        "exact": decimals(explanation.exact),
        "mode": _MODES[explanation.mode],
        "fee": f"{explanation.fee:,}",
        "vat_kind": _VAT[explanation.vat_kind],
        "vat_exact": decimals(explanation.vat_exact),
        "vat_mode": _MODES[explanation.vat_mode],
        "vat": f"{explanation.vat:,}",
    }


def decimals(value: Fraction) -> str:
    """A rational number in decimals; one that does not end is cut and marked."""
    scaled, rest = divmod(abs(value.numerator) * 10**DECIMALS, value.denominator)
    whole, decimals = divmod(scaled, 10**DECIMALS)
    text = f"{whole:,}"
    if decimals:
        text += f".{decimals:0{DECIMALS}d}".rstrip("0")
    return ("-" if value < 0 else "") + text + ("…" if rest else "")
