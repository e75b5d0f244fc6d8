"""An explained settlement line in words and figures, in the reader's language.

What is said is computed by settlements.explanations; only the wording is here.
"""

from collections.abc import Mapping
from fractions import Fraction

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace import money
from settlements.explanations import Component
from settlements.fee_rules import SALE_VAT
from settlements.fees import Charge, Explanation

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
    if component.code == SALE_VAT:
        return _sale_vat(component, names)
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
    told = [text % about, *_benefits(component.charge)]
    if component.before is not None and component.rule.keep_on_refund:
        told.append(_("kept on a refund: nothing of it is given back"))
    elif component.before is not None:
        told.append(_("before: %(figures)s") % {"figures": _figures(component.before)})
        told.append(_("after: %(figures)s") % {"figures": _figures(component.after)})
        difference = {"fee": f"{component.fee:,}", "vat": f"{component.vat:,}"}
        told.append(_("difference: fee %(fee)s, VAT %(vat)s") % difference)
    else:
        told.append(_figures(component.after))
    return told


def _sale_vat(component: Component, names: Mapping[str, str]) -> list[str]:
    """Of a sale that the marketplace issues: no rule charges it, the seller's contract says so."""
    about = {
        "component": names.get(component.code, component.code),
        "version": component.contract.number if component.contract else "-",
    }
    text = _(
        "%(component)s: the marketplace issues the sale and owes its VAT, by version %(version)s "
        "of the seller's contract"
    )
    told = [text % about]
    if component.before is None:
        return [*told, _contained(component.after)]
    before, after = _contained(component.before), _contained(component.after)
    told.append(_("before: %(figures)s") % {"figures": before})
    told.append(_("after: %(figures)s") % {"figures": after})
    told.append(_("difference: %(amount)s") % {"amount": f"{component.fee:,}"})
    return told


def _contained(explanation: Explanation) -> str:
    whole = money.MILLION + explanation.vat_rate_ppm
    return _(
        "paid by the buyer %(base)s × %(rate)s ÷ %(whole)s = %(exact)s, rounded (%(mode)s) to "
        "%(amount)s"
    ) % {
        "base": f"{explanation.base:,}",
        "rate": rate(explanation.vat_rate_ppm),
        "whole": rate(whole),
        "exact": decimals(explanation.exact),
        "mode": _MODES[explanation.mode],
        "amount": f"{explanation.fee:,}",
    }


def rate(rate_ppm: int) -> str:
    """A rate in ppm as a percentage, exact: 33,000 ppm is 3.3 %."""
    return f"{decimals(Fraction(rate_ppm, 10_000))} %"


def _benefits(charge: Charge) -> list[str]:
    """What was taken off the rate, or decided it, before the line was looked at."""
    told = []
    if charge.tier_rate_ppm is not None:
        tier = {"rate": rate(charge.tier_rate_ppm)}
        told.append(_("tier of the previous period's sales: %(rate)s") % tier)
    if charge.points_off_ppm:
        points = {"points": decimals(Fraction(charge.points_off_ppm, 10_000))}
        told.append(_("benefit: %(points)s percentage points off the rate") % points)
    return told


def _figures(explanation: Explanation) -> str:
    return _(
        "%(slices)s = %(exact)s, rounded (%(mode)s) to %(fee)s; %(vat_kind)s %(vat_exact)s, "
        "rounded (%(vat_mode)s) to %(vat)s"
    ) % {
        "slices": _formula(explanation),
        "exact": ", ".join([decimals(explanation.unclamped), *_limit(explanation)]),
        "mode": _MODES[explanation.mode],
        "fee": f"{explanation.fee:,}",
        "vat_kind": _VAT[explanation.vat_kind],
        "vat_exact": decimals(explanation.vat_exact),
        "vat_mode": _MODES[explanation.vat_mode],
        "vat": f"{explanation.vat:,}",
    }


def _formula(explanation: Explanation) -> str:
    """What is multiplied and added: slices of the base, fixed amount, percents off."""
    terms = [f"{part:,} × {rate(ppm)}" for part, ppm in explanation.slices]
    factor, off = Fraction(1), ""
    for percent_off_ppm in explanation.percents_off_ppm:
        factor *= Fraction(money.MILLION - percent_off_ppm, money.MILLION)
        off += f" × (1 − {rate(percent_off_ppm)})"
    slices = sum(Fraction(part * ppm, money.MILLION) for part, ppm in explanation.slices)
    fixed = explanation.unclamped / factor - slices if factor else Fraction(0)
    if fixed > 0:
        terms.append(decimals(fixed))
    formula = " + ".join(terms)
    return f"({formula}){off}" if off and len(terms) > 1 else formula + off


def _limit(explanation: Explanation) -> list[str]:
    """The minimum or maximum, where one of them decides."""
    amount = {"amount": decimals(explanation.exact)}
    if explanation.exact > explanation.unclamped:
        return [_("at least %(amount)s is charged") % amount]
    if explanation.exact < explanation.unclamped:
        return [_("at most %(amount)s is charged") % amount]
    return []


def decimals(value: Fraction) -> str:
    """A rational number in decimals; one that does not end is cut and marked."""
    scaled, rest = divmod(abs(value.numerator) * 10**DECIMALS, value.denominator)
    whole, decimals = divmod(scaled, 10**DECIMALS)
    text = f"{whole:,}"
    if decimals:
        text += f".{decimals:0{DECIMALS}d}".rstrip("0")
    return ("-" if value < 0 else "") + text + ("…" if rest else "")
