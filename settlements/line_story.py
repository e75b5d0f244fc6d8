"""Why a settlement line comes to its amount, for its seller: a sum to compute again by hand.

The figures are those of the line; how each came about is told by settlements.explanations. Only
the wording is here. Amounts are shown in the marketplace's currency.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import get_language, gettext, gettext_lazy

from marketplace import money
from marketplace.models import Marketplace
from settlements import line_words, vat
from settlements.explanations import Component
from settlements.fee_rules import (
    AFTER_SELLER_DISCOUNT,
    BUYER_PAID,
    FEE_OF,
    RETURN_SHIPPING,
    SALE_VAT,
    SHIPPING,
)
from settlements.fees import Charge, Explanation
from settlements.models import SettlementLine

_ROUNDED = {
    money.FLOOR: gettext_lazy("cut down"),
    money.CEIL: gettext_lazy("rounded up"),
    money.HALF_UP: gettext_lazy("rounded"),
    money.HALF_EVEN: gettext_lazy("rounded, halves to the even number"),
}
_BASES = {
    AFTER_SELLER_DISCOUNT: gettext_lazy("price less your own discount"),
    BUYER_PAID: gettext_lazy("what the buyer paid"),
    SHIPPING: gettext_lazy("shipping charge"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the sum: what it is, how it was computed, and what it adds (None: part of above)."""

    label: str
    workings: tuple[str, ...]
    amount: int | None


class Story:
    """Tells lines of one marketplace; `names` are its words for fee components."""

    def __init__(self, marketplace: Marketplace, names: Mapping[str, str]):
        self._marketplace = marketplace
        self._names = names

    def entries(
        self,
        line: SettlementLine,
        unit_price: int,
        components: tuple[Component, ...],
        stream: str = "",
    ) -> list[Entry]:
        """The rows whose amounts add up to the line's net."""
        units = {"price": self._money(unit_price), "count": f"{abs(line.quantity):,}"}
        entries = [
            Entry(
                _price(stream, is_taken_back=bool(line.sequence)),
                (gettext("%(price)s × %(count)s") % units,) if line.quantity else (),
                line.list_amount,
            )
        ]
        if line.seller_discount:
            label = gettext("Your own discount")
            entries.append(Entry(label, (), -line.seller_discount))
        for component in components:
            entries.extend(self._of_component(component))
        return entries

    def rate(self, charge: Charge, vat_rate_ppm: int) -> str:
        """A charge in words: "12% (VAT apart, 13.2% in all), at least ₩500"."""
        rule = charge.rule
        if rule.component == SALE_VAT:
            return gettext("VAT of %(rate)s, contained") % {"rate": _percent(vat_rate_ppm)}
        bands = charge.bands()
        factor = Fraction(1)
        for percent_off_ppm in charge.percents_off_ppm:
            factor *= Fraction(money.MILLION - percent_off_ppm, money.MILLION)
        told = []
        if len(bands) == 1:
            if bands[0].rate_ppm or not rule.fixed_amount:
                told.append(_rate_and_vat(bands[0].rate_ppm * factor, rule.vat_kind, vat_rate_ppm))
        else:
            told.extend(
                gettext("from %(amount)s: %(rate)s")
                % {
                    "amount": self._money(band.start),
                    "rate": _rate_and_vat(band.rate_ppm * factor, rule.vat_kind, vat_rate_ppm),
                }
                for band in bands
            )
        if rule.fixed_amount:
            text = gettext("%(amount)s a unit") if rule.per_unit else gettext("%(amount)s a line")
            told.append(text % {"amount": self._money(rule.fixed_amount)})
        if rule.min_amount:
            text = gettext("at least %(amount)s a line")
            told.append(text % {"amount": self._money(rule.min_amount)})
        if rule.max_amount is not None:
            text = gettext("at most %(amount)s a line")
            told.append(text % {"amount": self._money(rule.max_amount)})
        return ", ".join(told)

    def workings(self, explanation: Explanation) -> str:
        """How a fee was computed, from its base to the rounded amount; or the VAT of a sale."""
        if explanation.component == SALE_VAT:
            return _joined(self._contained_vat(explanation))
        return _joined(self._fee_steps(explanation))

    def vat_workings(self, explanation: Explanation) -> str:
        """How the VAT on a fee was computed."""
        rate = _percent(explanation.vat_rate_ppm)
        fee = self._money(explanation.fee)
        if explanation.vat_kind == vat.INCLUSIVE:
            whole = _percent(money.MILLION + explanation.vat_rate_ppm)
            told = f"{fee} × {rate} ÷ {whole}"
        else:
            told = f"{fee} × {rate}"
        return _joined(
            [
                f"{told} = {self._exact(explanation.vat_exact)}",
                *self._rounding(explanation.vat_exact, explanation.vat_mode, explanation.vat),
            ]
        )

    def name(self, code: str) -> str:
        return self._names.get(code, code)

    def base(self, kind: str) -> str:
        """What a fee is taken from, in words."""
        if kind.startswith(FEE_OF):
            return self.name(kind.removeprefix(FEE_OF))
        return str(_BASES.get(kind, gettext("price")))

    def _of_component(self, component: Component) -> Iterator[Entry]:
        name = self.name(component.code)
        if component.code == SALE_VAT:
            told = gettext(
                "The marketplace issues this sale to the buyer and owes its VAT, so the VAT "
                "contained in what the buyer paid is taken off."
            )
            yield Entry(name, (told, *self._both(component, self.workings)), -component.fee)
            return
        is_kept = component.rule.keep_on_refund and component.before is not None
        if is_kept:
            yield Entry(name, (gettext("This fee is not given back on a refund."),), 0)
            return
        yield Entry(name, self._both(component, self.workings), -component.fee)
        if component.after.vat_kind == vat.EXEMPT:
            return
        is_on_top = component.after.vat_kind == vat.EXCLUSIVE
        label = gettext("VAT on it") if is_on_top else gettext("VAT contained in it")
        amount = -component.vat if is_on_top else None
        told = self._both(component, self.vat_workings)
        if not is_on_top:
            told = (*told, self._money(component.vat))
        yield Entry(f"{name} · {label}", told, amount)

    def _both(self, component: Component, tell) -> tuple[str, ...]:
        """The workings of a sale; of a reversal those before and after it."""
        if component.before is None:
            return (tell(component.after),)
        return (
            gettext("before: %(workings)s") % {"workings": tell(component.before)},
            gettext("now: %(workings)s") % {"workings": tell(component.after)},
        )

    def _fee_steps(self, explanation: Explanation) -> Iterator[str]:
        slices = sum(Fraction(part * ppm, money.MILLION) for part, ppm in explanation.slices)
        told = " + ".join(
            f"{self._money(part)} × {_percent(ppm)}" for part, ppm in explanation.slices
        )
        factor = Fraction(1)
        off = ""
        for percent_off_ppm in explanation.percents_off_ppm:
            factor *= Fraction(money.MILLION - percent_off_ppm, money.MILLION)
            off += f" × (1 − {_percent(percent_off_ppm)})"
        fixed = explanation.unclamped / factor - slices if factor else Fraction(0)
        if fixed > 0:
            told += f" + {self._exact(fixed)}"
        if off:
            told = f"({told}){off}" if fixed > 0 or len(explanation.slices) > 1 else told + off
        yield f"{told} = {self._exact(explanation.unclamped)}"
        if explanation.exact > explanation.unclamped:
            text = gettext("at least %(amount)s is charged")
            yield text % {"amount": self._exact(explanation.exact)}
        elif explanation.exact < explanation.unclamped:
            text = gettext("at most %(amount)s is charged")
            yield text % {"amount": self._exact(explanation.exact)}
        yield from self._rounding(explanation.exact, explanation.mode, explanation.fee)

    def _contained_vat(self, explanation: Explanation) -> Iterator[str]:
        rate = _percent(explanation.vat_rate_ppm)
        whole = _percent(money.MILLION + explanation.vat_rate_ppm)
        base = self._money(explanation.base)
        yield f"{base} × {rate} ÷ {whole} = {self._exact(explanation.exact)}"
        yield from self._rounding(explanation.exact, explanation.mode, explanation.fee)

    def _rounding(self, exact: Fraction, mode: str, rounded: int) -> Iterator[str]:
        if exact != rounded:
            yield gettext("%(rounding)s to %(amount)s") % {
                "rounding": _ROUNDED[mode],
                "amount": self._money(rounded),
            }

    def _money(self, amount: int) -> str:
        return money.format_amount(
            amount,
            currency=self._marketplace.currency,
            exponent=self._marketplace.currency_exponent,
            locale=get_language() or self._marketplace.locale,
        )

    def _exact(self, value: Fraction) -> str:
        """An exact amount: with its currency where it is whole, with all decimals where not."""
        if value.denominator == 1:
            return self._money(value.numerator)
        return line_words.decimals(value / 10**self._marketplace.currency_exponent)


def _price(stream: str, *, is_taken_back: bool) -> str:
    """What the first row of the sum is called."""
    if stream == RETURN_SHIPPING:
        if is_taken_back:
            return gettext("Return shipping given back")
        return gettext("Return shipping paid by the buyer")
    return gettext("Price taken back") if is_taken_back else gettext("Price")


def _rate_and_vat(rate: Fraction, vat_kind: str, vat_rate_ppm: int) -> str:
    told = {"rate": _percent(rate)}
    if vat_kind == vat.EXCLUSIVE:
        in_all = rate * (money.MILLION + vat_rate_ppm) / money.MILLION
        told["in_all"] = _percent(in_all)
        return gettext("%(rate)s (VAT apart, %(in_all)s in all)") % told
    if vat_kind == vat.INCLUSIVE:
        return gettext("%(rate)s (VAT included)") % told
    return gettext("%(rate)s (exempt from VAT)") % told


def _percent(rate_ppm: int | Fraction) -> str:
    return f"{line_words.decimals(Fraction(rate_ppm) / 10_000)}%"


def _joined(steps) -> str:
    return " → ".join(steps)
