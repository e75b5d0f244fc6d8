"""Which rules of a fee schedule apply to a line.

For each component the first rule by rank whose conditions hold applies; no match means no fee.
A schedule version is indexed once and remembers its answers, as it is asked for each line of a
night. The few rules of a seller's contract stand before a schedule that all sellers share. What a
rule then costs is computed in `fees`; what a schedule may not say is in
`rule_checks`. Source: the settlement arithmetic, section 4.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from operator import attrgetter
from typing import Any, Final, TypeAlias

from marketplace.refusals import Refused, gettext_noop
from settlements import rule_checks
from settlements.fee_rules import (
    BAND_ON_PREVIOUS_SALES,
    RETURN_SHIPPING,
    SALE_VAT_RULE,
    SHIPPING,
    Benefit,
    Rule,
)
from settlements.fees import Charge, Terms

_REMEMBERED: Final = 100_000  # plans kept per schedule; beyond that it starts over

_SCOPE: Final = (
    "stream",
    "category_id",
    "listing_kind",
    "channel",
    "seller_type",
    "seller_id",
    "grade",
)
_Mask: TypeAlias = tuple[bool, ...]
_Table: TypeAlias = dict[tuple[Any, ...], list[Rule]]

_scope_of = attrgetter(*_SCOPE)
_by_rank = attrgetter("rank", "id")


class Unpublishable(Refused):
    code = "unpublishable_schedule"
    message = gettext_noop("The fee schedule cannot be published: %(codes)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What of a line, its listing and its seller decides which rules apply."""

    stream: str
    rate_on: date
    unit_price: int
    category_path: tuple[int, ...] = ()  # ids from the root to the leaf
    listing_kind: str | None = None
    channel: str | None = None
    seller_type: str | None = None
    seller_id: int | None = None
    grade: str | None = None
    previous_sales: int = 0  # of the seller, in the previous closed period
    is_taxed: bool = False  # what is sold bears VAT


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules that may apply to a kind of sale; only the unit price is still to be told."""

    _schedule: "Schedule"
    _rules: tuple[tuple[Rule, ...], ...]  # per component, by rank
    _benefits: tuple[Benefit, ...]
    _previous_sales: int
    _edges: tuple[int, ...]  # unit prices at which another rule may apply
    _with_sale_vat: bool
    _known: dict[int, Terms] = field(default_factory=dict, repr=False, compare=False)

    @property
    def prices(self) -> tuple[int, ...]:
        """The unit prices from which on other rules may apply, with the lowest one: 0."""
        return (0, *(edge for edge in self._edges if edge > 0))

    def terms(self, unit_price: int) -> Terms:
        """Return the terms at a unit price. The same rules give the same object."""
        band = bisect_right(self._edges, unit_price) if self._edges else 0
        known = self._known.get(band)
        if known is None:
            chosen = (_first(rules, unit_price) for rules in self._rules)
            charges = tuple(
                Charge.pinned(rule, self._benefits, self._previous_sales)
                for rule in chosen
                if rule is not None
            )
            if self._with_sale_vat:
                charges += (Charge(SALE_VAT_RULE),)
            known = self._known[band] = self._schedule.shared(charges)
        return known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """One version of a fee schedule. `components` are in the order they are computed in.

    With one `behind` it, its own rules are asked first: see `with_own_rules`.
    """

    version_id: int
    components: tuple[str, ...]
    rules: tuple[Rule, ...]
    vat_rate_ppm: int
    behind: "Schedule | None" = None
    takes_sale_vat: bool = False  # the marketplace issues the sales, so it owes their VAT
    _tables: dict[str, dict[_Mask, _Table]] = field(init=False, repr=False)
    _named: dict[str, frozenset[Any]] = field(init=False, repr=False)
    _days: tuple[date, ...] = field(init=False, repr=False)
    _tiers: tuple[int, ...] = field(init=False, repr=False)
    _plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict, init=False, repr=False)
    _terms: dict[tuple[Any, ...], Terms] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        rules = self.rules
        named = {name: frozenset(getattr(rule, name) for rule in rules) - {None} for name in _SCOPE}
        days = {day for rule in rules for day in (rule.date_from, rule.date_to) if day is not None}
        tiers = {
            band.start
            for rule in rules
            if rule.band_basis == BAND_ON_PREVIOUS_SALES
            for band in rule.bands
        }
        if self.behind is not None:
            named = {name: values | self.behind.named(name) for name, values in named.items()}
            days.update(self.behind._days)
            tiers.update(self.behind._tiers)
        object.__setattr__(self, "_tables", _tables(self.components, rules))
        object.__setattr__(self, "_named", named)
        object.__setattr__(self, "_days", tuple(sorted(days)))
        object.__setattr__(self, "_tiers", tuple(sorted(tiers)))

    def with_own_rules(self, rules: Sequence[Rule], *, takes_sale_vat: bool = False) -> "Schedule":
        """Return this schedule with the rules of a contract before its own, whatever their ranks.

        With `takes_sale_vat` the VAT of what is sold is taken off the seller, too. The schedule
        itself is shared, not copied: a thousand contracts cost their few rules.
        """
        if not rules and not takes_sale_vat:
            return self
        return Schedule(
            version_id=self.version_id,
            components=self.components,
            rules=tuple(rules),
            vat_rate_ppm=self.vat_rate_ppm,
            behind=self,
            takes_sale_vat=takes_sale_vat,
        )

    def check(self) -> tuple[rule_checks.Finding, ...]:
        """Return what is wrong or odd about the schedule; some findings forbid to publish it."""
        return rule_checks.findings(self.components, self.rules)

    def ensure_publishable(self) -> None:
        """Refuse a schedule with findings that forbid to publish it."""
        if codes := sorted({finding.code for finding in self.check() if finding.forbids}):
            raise Unpublishable(codes=", ".join(codes))

    def select(self, sale: Sale, benefits: Iterable[Benefit] = ()) -> Terms:
        """Return the terms of one sale. `benefits` are those its seller had on `rate_on`."""
        plan = self.plan(
            stream=sale.stream,
            category_path=sale.category_path,
            listing_kind=sale.listing_kind,
            channel=sale.channel,
            seller_type=sale.seller_type,
            seller_id=sale.seller_id,
            grade=sale.grade,
            rate_on=sale.rate_on,
            previous_sales=sale.previous_sales,
            benefits=tuple(benefits),
            is_taxed=sale.is_taxed,
        )
        return plan.terms(sale.unit_price)

    def plan(
        self,
        *,
        stream: str,
        rate_on: date,
        category_path: tuple[int, ...] = (),
        listing_kind: str | None = None,
        channel: str | None = None,
        seller_type: str | None = None,
        seller_id: int | None = None,
        grade: str | None = None,
        previous_sales: int = 0,
        benefits: tuple[Benefit, ...] = (),
        is_taxed: bool = False,
    ) -> Plan:
        """Return the plan for sales that differ only in unit price; as in `Sale`.

        What no rule of the schedule names makes no difference and is forgotten first, so that
        thousands of sellers over a month share a few plans.
        """
        named = self._named
        with_sale_vat = is_taxed and self.takes_sale_vat
        key = (
            _stream(stream, named["stream"]),
            tuple(node for node in category_path if node in named["category_id"]),
            listing_kind if listing_kind in named["listing_kind"] else None,
            channel if channel in named["channel"] else None,
            seller_type if seller_type in named["seller_type"] else None,
            *self.told_apart(seller_id, grade, rate_on, previous_sales),
            benefits,
            with_sale_vat,
        )
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            candidates = tuple(
                self._candidates(component, key[:7], rate_on) for component in self.components
            )
            edges = {
                price
                for rules in candidates
                for rule in rules
                for price in (rule.price_from, rule.price_to)
                if price is not None
            }
            prices = tuple(sorted(edges))
            plan = Plan(self, candidates, benefits, previous_sales, prices, with_sale_vat)
            self._plans[key] = plan
        return plan

    @property
    def asks_for_sales(self) -> bool:
        """Whether a rule goes by what the seller sold in the previous closed period."""
        return bool(self._tiers)

    @property
    def change_days(self) -> tuple[date, ...]:
        """The days on which rules of this version begin or cease to hold, in order."""
        return self._days

    def named(self, condition: str) -> frozenset[Any]:
        """Return the values that rules name for a condition, such as "channel"."""
        return self._named[condition]

    def told_apart(
        self, seller_id: int | None, grade: str | None, rate_on: date, previous_sales: int
    ) -> tuple[int | None, str | None, int, int]:
        """Return what the rules tell sellers and days apart by; for equal ones the same apply."""
        named = self._named
        return (
            seller_id if seller_id in named["seller_id"] else None,
            grade if grade in named["grade"] else None,
            bisect_right(self._days, rate_on),
            bisect_right(self._tiers, previous_sales),
        )

    def _candidates(
        self, component: str, scope: tuple[Any, ...], rate_on: date
    ) -> tuple[Rule, ...]:
        """Return the rules that match but for the price, own ones first."""
        own = _candidates(self._tables[component], scope, rate_on)
        if self.behind is None or (own and _is_for_every_price(own[-1])):
            return own
        return own + self.behind._candidates(component, scope, rate_on)

    def shared(self, charges: tuple[Charge, ...]) -> Terms:
        """Return terms of this version with these charges, one object for equal ones."""
        terms = Terms(self.version_id, self.vat_rate_ppm, charges)
        return self._terms.setdefault(terms.key(), terms)


def _stream(stream: str, named: frozenset[Any]) -> str | None:
    """The stream whose rules charge a line: that of shipping, if return shipping has no own."""
    if stream == RETURN_SHIPPING and stream not in named:
        stream = SHIPPING
    return stream if stream in named else None


def _tables(components: Sequence[str], rules: Iterable[Rule]) -> dict[str, dict[_Mask, _Table]]:
    """Index rules per component, then by which conditions they have, then by their values."""
    tables: dict[str, dict[_Mask, _Table]] = {component: {} for component in components}
    for rule in sorted(rules, key=_by_rank):
        values = _scope_of(rule)
        mask = tuple(value is not None for value in values)
        table = tables.setdefault(rule.component, {}).setdefault(mask, {})
        table.setdefault(tuple(value for value in values if value is not None), []).append(rule)
    return tables


def _candidates(
    tables: dict[_Mask, _Table], scope: tuple[Any, ...], rate_on: date
) -> tuple[Rule, ...]:
    """Return the rules that match but for the price, by rank, down to one for every price."""
    found: list[Rule] = []
    for mask, table in tables.items():
        # A category matches by any node of its path; everything else by the one value.
        choices = [
            value if name == "category_id" else (value,)
            for name, value, is_asked in zip(_SCOPE, scope, mask, strict=True)
            if is_asked
        ]
        for values in product(*choices):
            found.extend(rule for rule in table.get(values, ()) if _is_in_force(rule, rate_on))
    found.sort(key=_by_rank)
    for at, rule in enumerate(found):
        if _is_for_every_price(rule):
            return tuple(found[: at + 1])
    return tuple(found)


def _is_for_every_price(rule: Rule) -> bool:
    return rule.price_from is None and rule.price_to is None


def _is_in_force(rule: Rule, day: date) -> bool:
    return (rule.date_from is None or rule.date_from <= day) and (
        rule.date_to is None or day < rule.date_to
    )


def _first(rules: Iterable[Rule], unit_price: int) -> Rule | None:
    for rule in rules:
        if (rule.price_from is None or rule.price_from <= unit_price) and (
            rule.price_to is None or unit_price < rule.price_to
        ):
            return rule
    return None
