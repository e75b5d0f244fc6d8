"""What is wrong or odd about the rules of a fee schedule, found before it is published.

A finding says where it is and whether it forbids to publish. Words are made at the edges from its
code. Source: the settlement arithmetic, section 4.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Any

from marketplace import money
from settlements import vat
from settlements.fee_rules import (
    AMOUNT,
    BAND_ON_BASE,
    BAND_ON_PREVIOUS_SALES,
    BASES,
    FEE_OF,
    MARGINAL,
    RETURN_SHIPPING,
    SALE_VAT,
    SHIPPING,
    WHOLE,
    Rule,
)

# Streams of order lines, which have a unit price. Those of revenue that is reported, or counted
# from orders, have none: their first amount would choose the band of all later ones.
_PRICED = (None, "goods", SHIPPING, RETURN_SHIPPING)

_other_conditions = attrgetter(
    "component",
    "stream",
    "category_id",
    "listing_kind",
    "channel",
    "seller_type",
    "seller_id",
    "grade",
    "date_from",
    "date_to",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one or more rules. `start` and `end` tell unit prices, where it is those."""

    code: str
    component: str
    rule_ids: tuple[int, ...]
    forbids: bool = True
    start: int | None = None
    end: int | None = None


def findings(components: Sequence[str], rules: Iterable[Rule]) -> tuple[Finding, ...]:
    """Return all findings: rule by rule, then of rules beside each other."""
    rules = sorted(rules, key=attrgetter("component", "rank", "id"))
    positions = {component: at for at, component in enumerate(components)}
    found = [
        Finding(code, rule.component, (rule.id,))
        for rule in rules
        for code in _codes(rule, positions)
    ]
    if SALE_VAT in positions:
        found.append(Finding("component_reserved", SALE_VAT, ()))
    if len(positions) < len(components):
        repeated = sorted({c for c in components if components.count(c) > 1})
        found.extend(Finding("component_repeated", component, ()) for component in repeated)
    found.extend(_bands_without_price(rules))
    for before, after in pairwise(rules):
        if (before.component, before.rank) == (after.component, after.rank):
            found.append(Finding("rank_repeated", after.component, (before.id, after.id)))
    return (*found, *band_problems(rules))


def band_problems(rules: Iterable[Rule]) -> tuple[Finding, ...]:
    """Return where price bands of rules with the same other conditions overlap or leave gaps.

    An overlap and a rule that can never apply forbid to publish. A gap does not: a rule for more
    kinds of lines may fill it, and none is reported where one without a band stands behind.
    """
    groups: dict[tuple[Any, ...], list[Rule]] = {}
    for rule in sorted(rules, key=attrgetter("rank", "id")):
        groups.setdefault(_other_conditions(rule), []).append(rule)
    found: list[Finding] = []
    for group in groups.values():
        for_all = [at for at, rule in enumerate(group) if _is_for_every_price(rule)]
        if for_all:
            first = group[for_all[0]]
            found.extend(
                Finding("never_applies", rule.component, (first.id, rule.id))
                for rule in group[for_all[0] + 1 :]
            )
        banded = [rule for rule in group if not _is_for_every_price(rule)]
        if banded:
            found.extend(_between(banded, is_backed=bool(for_all)))
    return tuple(found)


def _between(banded: Iterable[Rule], *, is_backed: bool) -> Iterator[Finding]:
    """Walk bands by price and tell overlaps, and gaps unless a rule for every price is behind."""
    reached: int | None = 0  # the price up to which bands reach so far; None is no end
    widest: Rule | None = None
    for rule in sorted(banded, key=lambda rule: (rule.price_from or 0, rule.rank, rule.id)):
        start = rule.price_from or 0
        if widest is not None and (reached is None or start < reached):
            ends = [end for end in (reached, rule.price_to) if end is not None]
            end = min(ends, default=None)
            yield Finding(
                "price_bands_overlap", rule.component, (widest.id, rule.id), True, start, end
            )
        elif reached is not None and start > reached and not is_backed:
            ids = (rule.id,) if widest is None else (widest.id, rule.id)
            yield Finding("price_band_gap", rule.component, ids, False, reached, start)
        if widest is None or (
            reached is not None and (rule.price_to is None or rule.price_to > reached)
        ):
            widest, reached = rule, rule.price_to
    if widest is not None and reached is not None and not is_backed:
        yield Finding("price_band_gap", widest.component, (widest.id,), False, reached)


def _codes(rule: Rule, positions: Mapping[str, int]) -> Iterator[str]:
    """Tell what is wrong with one rule by itself."""
    if rule.component not in positions:
        yield "component_unknown"
    yield from _base_codes(rule, positions)
    if not 0 <= rule.rate_ppm <= money.MILLION:
        yield "rate_out_of_range"
    if any((amount or 0) < 0 for amount in (rule.fixed_amount, rule.min_amount, rule.max_amount)):
        yield "amount_below_zero"
    if rule.max_amount is not None and (rule.min_amount or 0) > rule.max_amount:
        yield "minimum_above_maximum"
    if rule.mode not in money.MODES or rule.vat_mode not in money.MODES:
        yield "rounding_unknown"
    if rule.vat_kind not in vat.KINDS:
        yield "vat_kind_unknown"
    if rule.date_from is not None and rule.date_to is not None and rule.date_from >= rule.date_to:
        yield "dates_empty"
    if rule.price_to is not None and rule.price_to <= (rule.price_from or 0):
        yield "prices_empty"
    if rule.bands:
        yield from _band_codes(rule)


def _bands_without_price(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Tell prices of rules that lines without a unit price come to, by component and rank.

    A rule for every stream holds for theirs as well, unless one for just the stream is before it.
    """
    unpriced = {rule.stream for rule in rules} - set(_PRICED)
    served: set[tuple[str, str | None]] = set()  # components, and the streams served in them
    for rule in rules:
        _component, _stream, *others = _other_conditions(rule)
        if _is_for_every_price(rule) and all(other is None for other in others):
            served.add((rule.component, rule.stream))
        reached = unpriced if rule.stream is None else unpriced & {rule.stream}
        if not _is_for_every_price(rule) and any(
            not served & {(rule.component, stream), (rule.component, None)} for stream in reached
        ):
            yield Finding("price_band_without_price", rule.component, (rule.id,))


def _base_codes(rule: Rule, positions: Mapping[str, int]) -> Iterator[str]:
    """Tell whether a rule starts from something its lines have and that is computed before it."""
    if rule.base.startswith(FEE_OF):
        other = positions.get(rule.base.removeprefix(FEE_OF))
        if other is None:
            yield "base_unknown"
        elif other >= positions.get(rule.component, 0):
            yield "base_is_later"
    elif rule.base not in BASES:
        yield "base_unknown"
    # These are the list amount of a shipping or revenue line. On goods they would be the price.
    elif (rule.base == SHIPPING and rule.stream not in (SHIPPING, RETURN_SHIPPING)) or (
        rule.base == AMOUNT and rule.stream in _PRICED
    ):
        yield "base_needs_its_stream"


def _band_codes(rule: Rule) -> Iterator[str]:
    """Tell whether tiers start at 0, follow each other and have no end."""
    bands = rule.bands
    ends = [band.end for band in bands]
    if bands[0].start != 0 or ends != [*(band.start for band in bands[1:]), None]:
        yield "tiers_not_contiguous"
    if any(band.end is not None and band.end <= band.start for band in bands):
        yield "tier_empty"
    if any(not 0 <= band.rate_ppm <= money.MILLION for band in bands):
        yield "rate_out_of_range"
    if rule.band_kind not in (WHOLE, MARGINAL):
        yield "tier_kind_unknown"
    if rule.band_basis not in (BAND_ON_BASE, BAND_ON_PREVIOUS_SALES):
        yield "tier_basis_unknown"
    if rule.band_basis == BAND_ON_PREVIOUS_SALES and rule.band_kind == MARGINAL:
        yield "tiers_on_previous_sales_are_whole"


def _is_for_every_price(rule: Rule) -> bool:
    return not rule.price_from and rule.price_to is None
