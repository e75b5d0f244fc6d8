"""Fee rules and what is wrong with them, in words for operators."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from listings import kind_words
from marketplace import money, tenancy
from sellers.models import Seller
from settlements import percents
from settlements.models import FeeRule
from settlements.rule_checks import Finding

FINDINGS: dict[str, Promise] = {
    "component_unknown": gettext_lazy("The component is not among those of the version."),
    "component_reserved": gettext_lazy(
        "The component has the code of the VAT of sales, which is no fee. Choose another code."
    ),
    "component_repeated": gettext_lazy("A component stands twice among those of the version."),
    "rank_repeated": gettext_lazy("Two rules of a component have the same rank."),
    "never_applies": gettext_lazy("A rule never applies: one before it holds for all its lines."),
    "price_bands_overlap": gettext_lazy("Price bands overlap."),
    "price_band_gap": gettext_lazy("Prices between two bands have no rule."),
    "base_unknown": gettext_lazy("The base of a fee is not known."),
    "base_is_later": gettext_lazy("A fee is taken from one that is computed after it."),
    "base_needs_its_stream": gettext_lazy("This base belongs to another revenue stream."),
    "rate_out_of_range": gettext_lazy("A rate is not between 0 and 100 percent."),
    "amount_below_zero": gettext_lazy("An amount is below zero."),
    "minimum_above_maximum": gettext_lazy("The minimum is above the maximum."),
    "rounding_unknown": gettext_lazy("The way of rounding is not known."),
    "vat_kind_unknown": gettext_lazy("How VAT is charged is not known."),
    "dates_empty": gettext_lazy("A rule ends before it begins."),
    "prices_empty": gettext_lazy("A price band ends where it begins, or before."),
    "price_band_without_price": gettext_lazy(
        "Revenue that is reported or counted from orders has no unit price. Take the prices off "
        "the rule, or let it hold for goods only; rates by amount go into its tiers."
    ),
    "tiers_not_contiguous": gettext_lazy("Tiers must begin at 0 and follow each other."),
    "tier_empty": gettext_lazy("A tier ends where it begins, or before."),
    "tier_kind_unknown": gettext_lazy("The kind of tiers is not known."),
    "tier_basis_unknown": gettext_lazy("The basis of tiers is not known."),
    "tiers_on_previous_sales_are_whole": gettext_lazy(
        "Tiers by the sales of the month before apply to the whole amount."
    ),
}

_SELLER_TYPES = dict(Seller.Type.choices)


def finding(found: Finding, ranks: Mapping[int, int], names: Mapping[str, str]) -> str:
    """What is wrong, and with which rules of the component, by their ranks.

    `names` are the marketplace's words for components.
    """
    which = ", ".join(f"#{ranks[key]}" for key in found.rule_ids if key in ranks)
    name = names.get(found.component, found.component)
    text = f"{name} {which}".strip() + f": {FINDINGS[found.code]}"
    if found.start is not None:
        end = _amount(found.end) if found.end is not None else "∞"
        text += f" ({_amount(found.start)} – {end})"
    return text


def conditions(rule: FeeRule) -> list[str]:
    """On which lines a rule holds; nothing is said where it holds for all."""
    told = [
        (_("category"), rule.category),
        (_("seller"), rule.seller),
        (_("grade"), rule.grade),
        (_("type of seller"), _SELLER_TYPES.get(rule.seller_type, rule.seller_type)),
        (_("kind of listing"), kind_words.name(rule.listing_kind)),
        (_("channel"), kind_words.name(rule.channel)),
        (_("revenue stream"), kind_words.name(rule.stream)),
    ]
    named = [f"{name}: {value}" for name, value in told if value]
    if rule.price_from is not None or rule.price_to is not None:
        end = _amount(rule.price_to) if rule.price_to is not None else "∞"
        named.append(f"{_('unit price')}: {_amount(rule.price_from or 0)} – {end}")
    return named


def charge(rule: FeeRule, vat_rate_ppm: int | None = None) -> str:
    """What a rule charges: "12 % (13.2 % with VAT), at least 500".

    The rule of a contract goes by the VAT rate of whatever schedule it stands before.
    """
    if vat_rate_ppm is None and rule.version:
        vat_rate_ppm = rule.version.vat_rate_ppm
    told = [_tiers(rule, vat_rate_ppm)] if rule.bands else []
    if not rule.bands and (rule.rate_ppm or not rule.fixed_amount):
        told.append(_rate(rule, rule.rate_ppm, vat_rate_ppm))
    if rule.fixed_amount:
        text = _("%(amount)s a unit") if rule.per_unit else _("%(amount)s a line")
        told.append(text % {"amount": _amount(rule.fixed_amount)})
    if rule.min_amount:
        told.append(_("at least %(amount)s a line") % {"amount": _amount(rule.min_amount)})
    if rule.max_amount is not None:
        told.append(_("at most %(amount)s a line") % {"amount": _amount(rule.max_amount)})
    return ", ".join(told)


def days(rule: FeeRule) -> str:
    """On which days a rule holds."""
    if rule.date_from is None and rule.date_to is None:
        return _("always")
    return f"{rule.date_from or '…'} – {rule.date_to or '…'}"


def _rate(rule: FeeRule, rate_ppm: int, vat_rate_ppm: int | None) -> str:
    """A rate, and what it comes to with the VAT on top of it."""
    shown = percents.show(rate_ppm)
    if rule.vat_kind != "exclusive" or not rate_ppm:
        return shown
    if vat_rate_ppm is None:
        return _("%(rate)s, VAT apart") % {"rate": shown}
    both = {"rate": shown, "all": percents.with_vat(rate_ppm, vat_rate_ppm)}
    return _("%(rate)s (%(all)s with VAT)") % both


def _tiers(rule: FeeRule, vat_rate_ppm: int | None) -> str:
    return "; ".join(
        _("from %(amount)s: %(rate)s")
        % {"amount": _amount(start), "rate": _rate(rule, rate_ppm, vat_rate_ppm)}
        for start, _end, rate_ppm in rule.bands
    )


def _amount(minor_units: int) -> str:
    """In major units of the marketplace in use, as an operator types it."""
    return money.plain(minor_units, tenancy.current().currency_exponent)
