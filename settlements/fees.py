"""What the marketplace charges a seller for one line, by terms that are already chosen.

Which rule applies is decided in `schedules`; here it is computed. Values in, values out: no query,
no clock. Amounts are minor units, rates parts per million. Estimate, settlement, explanation and
verification all go through `figures`. Source: the settlement arithmetic, sections 4 to 6.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd
from typing import Any, NamedTuple, TypeAlias

from marketplace import money
from marketplace.money import MILLION
from marketplace.refusals import Refused, gettext_noop
from settlements import vat
from settlements.fee_rules import (
    AFTER_SELLER_DISCOUNT,
    AMOUNT,
    BAND_ON_BASE,
    BUYER_PAID,
    FEE_OF,
    LIST_AMOUNT,
    MARGINAL,
    SALE_VAT,
    SHIPPING,
    Band,
    Benefit,
    Rule,
    band_at,
)

Charged: TypeAlias = tuple[tuple[int, int, int], ...]
"""(base, fee, VAT) of each component, in the schedule's order."""

Figures: TypeAlias = tuple[Charged, int, int, int]
"""What was charged, the sum of the fees, the sum of the VAT, and the net."""

_Shape: TypeAlias = tuple[tuple[int, ...], tuple[tuple[int, int], ...], int, int, int, int | None]


class NotChargeable(Refused):
    code = "not_chargeable"
    message = gettext_noop(
        "Fees cannot be computed on %(quantity)s units that the buyer pays %(buyer_paid)s for."
    )


class _Step(NamedTuple):
    """A component compiled into plain integers and functions of one amount."""

    base_at: int  # which of the line's amounts it is taken from
    share: Callable[[int], int] | None  # of the base, where a rate and a minimum say it all
    least: int
    shape: _Shape
    unit: int
    round_fee: money.Rounder
    vat_of: Callable[[int], int]
    is_on_top: bool
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """A rule as it is pinned for a line: with its benefits summed up and its tier chosen."""

    rule: Rule
    points_off_ppm: int = 0
    percents_off_ppm: tuple[int, ...] = ()  # sorted; they multiply
    tier_rate_ppm: int | None = None  # of a rule by the previous period's sales

    @classmethod
    def pinned(
        cls, rule: Rule, benefits: Iterable[Benefit] = (), previous_sales: int = 0
    ) -> "Charge":
        """Pin `rule` with those of the benefits that name its component."""
        touching = [benefit for benefit in benefits if rule.component in benefit.components]
        return cls(
            rule,
            sum(benefit.points_off_ppm for benefit in touching),
            tuple(sorted(b.percent_off_ppm for b in touching if b.percent_off_ppm)),
            rule.tier_rate_ppm(previous_sales),
        )

    def bands(self) -> tuple[Band, ...]:
        """The bands on the base with their rates after points off; a plain rate is one band."""
        rule = self.rule
        bands = rule.bands
        if not bands or rule.band_basis != BAND_ON_BASE:
            rate_ppm = rule.rate_ppm if self.tier_rate_ppm is None else self.tier_rate_ppm
            bands = (Band(0, None, rate_ppm),)
        off = self.points_off_ppm
        return tuple(Band(b.start, b.end, max(b.rate_ppm - off, 0)) for b in bands)


@dataclass(frozen=True, slots=True)
class Terms:
    """The charges pinned for a line, one per component that matched, in the schedule's order.

    Last of them may stand the VAT of the sale itself, which the marketplace owes where it issues
    the sale. It is no fee: no sum of fees has it, but it is not left to the seller either.

    Equal terms charge equally for ever: they hold the rules themselves. They are compiled once
    into plain integers, as `figures` is called a million times a night.
    """

    version_id: int
    vat_rate_ppm: int
    charges: tuple[Charge, ...]
    nothing: Charged = field(init=False, repr=False, compare=False)
    parts: tuple[tuple[str, bool], ...] = field(init=False, repr=False, compare=False)
    has_sale_vat: bool = field(init=False, repr=False, compare=False)
    _steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = [charge.rule for charge in self.charges]
        # Each component, and whether its VAT comes on top of the fee.
        parts = tuple((rule.component, rule.vat_kind == vat.EXCLUSIVE) for rule in rules)
        object.__setattr__(self, "nothing", ((0, 0, 0),) * len(self.charges))
        object.__setattr__(self, "parts", parts)
        has_sale_vat = bool(rules) and rules[-1].component == SALE_VAT
        object.__setattr__(self, "has_sale_vat", has_sale_vat)
        object.__setattr__(self, "_steps", _compiled(self.charges, self.vat_rate_ppm))

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(charge.rule.component for charge in self.charges)

    def sums(self, charged: Charged) -> tuple[int, int]:
        """Return the fees that were charged, or given back, and the VAT on them."""
        fees = sum(fee for _, fee, _ in charged)
        return fees - self.sale_vat(charged), sum(fee_vat for *_, fee_vat in charged)

    def sale_vat(self, charged: Charged) -> int:
        """Return the VAT of the sale that was taken, or given back."""
        return charged[-1][1] if self.has_sale_vat else 0

    def key(self) -> tuple[Any, ...]:
        """Return what identifies the terms: hashable, and storable as JSON."""
        charges = tuple(
            (c.rule.id, c.points_off_ppm, c.percents_off_ppm, c.tier_rate_ppm) for c in self.charges
        )
        return (self.version_id, self.vat_rate_ppm, charges)

    @classmethod
    def from_key(cls, key: Sequence[Any], rules: Mapping[int, Rule]) -> "Terms":
        """Rebuild exactly the terms whose `key()` was stored; `rules` by id, of that version."""
        version_id, vat_rate_ppm, charges = key
        return cls(
            version_id,
            vat_rate_ppm,
            tuple(
                Charge(rules[rule_id], points, tuple(percents), tier)
                for rule_id, points, percents, tier in charges
            ),
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one component of a line came about, for the page that shows the figure."""

    component: str
    rule_id: int
    base_kind: str
    base: int
    # (part of the base, rate after points off in ppm); of the VAT of a sale the rate of VAT
    slices: tuple[tuple[int, int], ...]
    points_off_ppm: int
    percents_off_ppm: tuple[int, ...]
    unclamped: Fraction  # before minimum and maximum
    exact: Fraction
    mode: str
    fee: int
    vat_kind: str
    vat_rate_ppm: int
    vat_exact: Fraction
    vat_mode: str
    vat: int

    @property
    def rate_ppm(self) -> int:
        """The rate after points off; of a marginal tier, that of the last slice."""
        return self.slices[-1][1]


def charge(
    terms: Terms,
    quantity: int,
    list_amount: int,
    seller_discount: int = 0,
    platform_discount: int = 0,
    partner_discount: int = 0,
    kept: Charged | None = None,
) -> Charged:
    """Return (base, fee, VAT) of each component of a line; see `figures`."""
    discounts = (seller_discount, platform_discount, partner_discount)
    return figures(terms, quantity, list_amount, *discounts, kept)[0]


def figures(
    terms: Terms,
    quantity: int,
    list_amount: int,
    seller_discount: int = 0,
    platform_discount: int = 0,
    partner_discount: int = 0,
    kept: Charged | None = None,
) -> Figures:
    """Return what is charged on a line of `quantity` units, and what its seller is owed for it.

    Without units nothing is charged; with units on a base of 0, fixed amount and minimum are due.
    `kept` is what the original line was charged: components that are kept on a refund have its
    figures. The net is the price less the seller's discount, the fees, the VAT on top of them, and
    the VAT of the sale where the marketplace owes that; platform and partner discounts are not
    taken from the seller, their funders owe them. Refuses negative units and lines for which the
    buyer pays less than nothing.
    """
    after = list_amount - seller_discount
    if not quantity and kept is None:
        return terms.nothing, 0, 0, after
    paid = after - platform_discount - partner_discount
    if quantity < 0 or paid < 0 or paid > after or after > list_amount:
        raise NotChargeable(quantity=quantity, buyer_paid=paid)
    amounts = [list_amount, after, paid, 0]
    charged: list[tuple[int, int, int]] = []
    fees = vats = 0
    net = after
    for base_at, share, least, shape, unit, round_fee, vat_of, is_on_top, is_kept in terms._steps:
        if kept is not None and (is_kept or not quantity):
            base, fee, fee_vat = kept[len(charged)] if is_kept else (0, 0, 0)
        else:
            base = amounts[base_at]
            if share is None:
                fee = round_fee(_exact(shape, base, quantity), unit)
            else:
                fee = share(base)
                if fee < least:
                    fee = least
            fee_vat = vat_of(fee)
        amounts.append(fee)
        charged.append((base, fee, fee_vat))
        fees += fee
        vats += fee_vat
        net -= fee + fee_vat if is_on_top else fee
    if terms.has_sale_vat:
        fees -= charged[-1][1]
    return tuple(charged), fees, vats, net


def explain(
    terms: Terms,
    quantity: int,
    list_amount: int,
    seller_discount: int = 0,
    platform_discount: int = 0,
    partner_discount: int = 0,
    kept: Charged | None = None,
) -> tuple[Explanation, ...]:
    """Say for each component how its fee and VAT came about. Same arguments as `charge`.

    The figures are those of `charge`, and the exact values those it rounded.
    """
    discounts = (seller_discount, platform_discount, partner_discount)
    charged = charge(terms, quantity, list_amount, *discounts, kept)
    return tuple(
        _explained(pinned, step, part, quantity, terms.vat_rate_ppm, kept)
        for pinned, step, part in zip(terms.charges, terms._steps, charged, strict=True)
    )


def _exact(shape: _Shape, base: int, quantity: int) -> int:
    """Return the exact fee as a numerator over the step's unit."""
    starts, slopes, fixed, per_unit, low, high = shape
    rate, offset = slopes[bisect_right(starts, base) if starts else 0]
    exact = base * rate + offset + fixed + per_unit * quantity
    if exact < low:
        return low
    if high is not None and exact > high:
        return high
    return exact


def _compiled(charges: Sequence[Charge], vat_rate_ppm: int) -> tuple[_Step, ...]:
    """Turn charges into steps of plain integers.

    The amounts a step may start from are numbered: list amount, after seller's discount, paid by
    the buyer, zero, then the fee of each component before.
    """
    numbers = {LIST_AMOUNT: 0, SHIPPING: 0, AMOUNT: 0, AFTER_SELLER_DISCOUNT: 1, BUYER_PAID: 2}
    steps = []
    for at, pinned in enumerate(charges):
        rule = pinned.rule
        is_sale_vat = rule.component == SALE_VAT
        shape, unit = _contained_vat(vat_rate_ppm) if is_sale_vat else _shaped(pinned)
        share, least = _plain(shape, unit, rule.mode)
        step = _Step(
            # A component that charged nothing has no step; the fee of it is the zero at 3.
            base_at=numbers.get(rule.base, 3),
            share=share,
            least=least,
            shape=shape,
            unit=unit,
            round_fee=money.rounder(rule.mode),
            vat_of=money.proportion(*vat.ratio(rule.vat_kind, vat_rate_ppm), rule.vat_mode),
            is_on_top=rule.vat_kind == vat.EXCLUSIVE,
            is_kept=rule.keep_on_refund,
        )
        steps.append(step)
        numbers[FEE_OF + rule.component] = 4 + at
    return tuple(steps)


def _plain(shape: _Shape, unit: int, mode: str) -> tuple[Callable[[int], int] | None, int]:
    """Return the share of the base that a rule takes, and its rounded minimum, if that is all.

    Rounding keeps the order, so a minimum may come after it.
    """
    _, slopes, fixed, per_unit, low, high = shape
    if len(slopes) > 1 or slopes[0][1] or fixed or per_unit or high is not None:
        return None, 0
    return money.proportion(slopes[0][0], unit, mode), money.round_ratio(low, unit, mode)


def _shaped(pinned: Charge) -> tuple[_Shape, int]:
    """Return the fee as a function of base and quantity in whole numbers, and their common unit.

    Within one band the exact fee is a straight line: base × rate + offset. `whole` bands have no
    offset; a `marginal` one starts where the slices before it ended.
    """
    rule = pinned.rule
    factor, unit = 1, MILLION
    for percent_off_ppm in pinned.percents_off_ppm:
        factor, unit = factor * (MILLION - percent_off_ppm), unit * MILLION
    bands = pinned.bands()
    is_marginal = rule.band_kind == MARGINAL and len(bands) > 1
    slopes = []
    reached = 0
    for band in bands:
        offset = reached - band.start * band.rate_ppm if is_marginal else 0
        slopes.append((band.rate_ppm * factor, offset * factor))
        if band.end is not None:
            reached += (band.end - band.start) * band.rate_ppm
    fixed = rule.fixed_amount * MILLION * factor
    low = (rule.min_amount or 0) * unit
    high = None if rule.max_amount is None else rule.max_amount * unit
    common = gcd(unit, fixed, low, high or 0, *(number for slope in slopes for number in slope))
    shape = (
        tuple(band.start for band in bands[1:]),
        tuple((rate // common, offset // common) for rate, offset in slopes),
        0 if rule.per_unit else fixed // common,
        fixed // common if rule.per_unit else 0,
        low // common,
        None if high is None else high // common,
    )
    return shape, unit // common


def _contained_vat(vat_rate_ppm: int) -> tuple[_Shape, int]:
    """Return the VAT contained in an amount as `_shaped` does a fee."""
    numerator, unit = vat.ratio(vat.INCLUSIVE, vat_rate_ppm)
    return ((), ((numerator, 0),), 0, 0, 0, None), unit


def _explained(
    pinned: Charge,
    step: _Step,
    part: tuple[int, int, int],
    quantity: int,
    vat_rate_ppm: int,
    kept: Charged | None,
) -> Explanation:
    shape, unit = step.shape, step.unit
    rule, (base, fee, fee_vat) = pinned.rule, part
    vat_factor, vat_unit = vat.ratio(rule.vat_kind, vat_rate_ppm)
    if quantity and not (step.is_kept and kept is not None):
        exact = Fraction(_exact(shape, base, quantity), unit)
        unclamped = Fraction(_exact((*shape[:4], 0, None), base, quantity), unit)
    else:
        # No units, or a figure taken over from the original line: nothing is computed here.
        exact = unclamped = Fraction(fee)
    return Explanation(
        component=rule.component,
        rule_id=rule.id,
        base_kind=rule.base,
        base=base,
        slices=((base, vat_rate_ppm),) if rule.component == SALE_VAT else _slices(pinned, base),
        points_off_ppm=pinned.points_off_ppm,
        percents_off_ppm=pinned.percents_off_ppm,
        unclamped=unclamped,
        exact=exact,
        mode=rule.mode,
        fee=fee,
        vat_kind=rule.vat_kind,
        vat_rate_ppm=vat_rate_ppm,
        vat_exact=Fraction(fee * vat_factor, vat_unit),
        vat_mode=rule.vat_mode,
        vat=fee_vat,
    )


def _slices(pinned: Charge, base: int) -> tuple[tuple[int, int], ...]:
    """Return the parts of the base and the rate on each; only marginal tiers have several."""
    bands = pinned.bands()
    if pinned.rule.band_kind != MARGINAL or len(bands) == 1:
        return ((base, band_at(bands, base).rate_ppm),)
    return tuple(
        (min(base, base if band.end is None else band.end) - band.start, band.rate_ppm)
        for band in bands
        if band.start < base or band.start == 0
    )
