"""Published fees and settlement terms as the rule modules take them.

Versions never change once published, so a loaded one is kept for the life of the process.
"""

from bisect import bisect_right
from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Generic, TypeVar

from marketplace.refusals import Refused, gettext_noop
from settlements import funding
from settlements.due_dates import DueTerms
from settlements.fee_rules import SALE_VAT_RULE, Band, Rule
from settlements.fees import Terms
from settlements.models import FeeRule, FeeScheduleVersion, SellerContract, SettlementTerms
from settlements.schedules import Schedule

T = TypeVar("T")

STANDARD = "standard"  # the schedule that applies to every seller without one of its own


class NoVersionInForce(Refused):
    code = "no_version_in_force"
    message = gettext_noop("No published version of “%(rule)s” is in force on %(day)s.")


@dataclass(frozen=True, slots=True)
class PayoutTerms:
    """Settlement terms of one version: when a line falls due and what is kept back."""

    due: DueTerms
    minimum_payout: int
    reserve_ppm: int
    reserve_days: int
    debt_policy: str
    funding_as: str = funding.PAYMENT
    fast_ppm: int = 0
    fast_grades: tuple[str, ...] = ()


class Versions(Generic[T]):
    """The versions of one rule, by the day from which each is in force."""

    def __init__(self, rule: str, dated: list[tuple[date, T]]):
        self._rule = rule
        self._starts = [start for start, _ in dated]
        self._versions = [version for _, version in dated]

    @property
    def starts(self) -> tuple[date, ...]:
        """The days from which a version is in force, in order."""
        return tuple(self._starts)

    def on(self, day: date) -> T:
        """The version in force on a day. Raises NoVersionInForce before the first one."""
        at = bisect_right(self._starts, day)
        if not at:
            raise NoVersionInForce(rule=self._rule, day=day)
        return self._versions[at - 1]


def schedules(code: str = STANDARD) -> Versions[Schedule]:
    """The published versions of a fee schedule of the marketplace in use."""
    rows = (
        FeeScheduleVersion.objects.published()
        .filter(schedule__code=code)
        .order_by("valid_from")
        .values_list("marketplace_id", "valid_from", "pk")
    )
    return Versions(code, [(start, _schedule(tenant, pk)) for tenant, start, pk in rows])


def always(schedule: Schedule) -> Versions[Schedule]:
    """One schedule as if it were in force on every day."""
    return Versions(STANDARD, [(date.min, schedule)])


def rules(version_id: int) -> dict[int, Rule]:
    """The rules of a published version by id, as the stored terms of lines name them."""
    tenant = FeeScheduleVersion.objects.values_list("marketplace_id", flat=True).get(pk=version_id)
    return _rules(tenant, version_id)


def stored_terms(key: Sequence[Any]) -> Terms:
    """The terms whose key a line names: rules of a version, and of its seller's contract."""
    known = rules(key[0])
    of_contract = {rule_id for rule_id, *_ in key[2]} - known.keys()
    if not of_contract:
        return Terms.from_key(key, known)
    rows = FeeRule.objects.filter(pk__in=of_contract)
    return Terms.from_key(key, ChainMap({row.pk: read_rule(row) for row in rows}, known))


def payout_terms() -> Versions[PayoutTerms]:
    """The published settlement terms of the marketplace in use."""
    rows = SettlementTerms.objects.published().order_by("valid_from")
    return Versions("settlement terms", [(row.valid_from, _payout_terms(row)) for row in rows])


def read_schedule(version: FeeScheduleVersion) -> Schedule:
    """A version, published or not, as the rule modules take it. Reads the database anew."""
    return Schedule(
        version_id=version.pk,
        components=tuple(version.components),
        rules=tuple(read_rule(row) for row in FeeRule.objects.filter(version=version).iterator()),
        vat_rate_ppm=version.vat_rate_ppm,
    )


@lru_cache(maxsize=64)
def _schedule(tenant: int, version_id: int) -> Schedule:
    # The tenant is part of the key: what was loaded for one marketplace answers no other.
    return read_schedule(FeeScheduleVersion.objects.published().get(pk=version_id))


@lru_cache(maxsize=64)
def _rules(tenant: int, version_id: int) -> dict[int, Rule]:
    rules = (*_schedule(tenant, version_id).rules, SALE_VAT_RULE)
    return {rule.id: rule for rule in rules}


def read_rule(row: FeeRule) -> Rule:
    """A row as the rule modules take it."""
    return Rule(
        id=row.pk,
        rank=row.rank,
        component=row.component,
        base=row.base,
        rate_ppm=row.rate_ppm,
        fixed_amount=row.fixed_amount,
        per_unit=row.per_unit,
        min_amount=row.min_amount,
        max_amount=row.max_amount,
        mode=row.mode,
        vat_kind=row.vat_kind,
        vat_mode=row.vat_mode,
        keep_on_refund=row.keep_on_refund,
        bands=tuple(Band(*band) for band in row.bands or ()),
        band_kind=row.band_kind or "whole",
        band_basis=row.band_basis or "base",
        stream=row.stream or None,
        category_id=row.category_id,
        listing_kind=row.listing_kind or None,
        channel=row.channel or None,
        seller_type=row.seller_type or None,
        seller_id=row.seller_id,
        grade=row.grade or None,
        date_from=row.date_from,
        date_to=row.date_to,
        price_from=row.price_from,
        price_to=row.price_to,
        contract_id=row.contract_id,
    )


def read_due_terms(row: SettlementTerms | SellerContract) -> DueTerms:
    """When lines fall due by a row. Raises due_dates.BadDueTerms for days that mean none."""
    argument = row.cycle_arg
    if isinstance(argument, list):
        is_dates = row.cycle == "manual"
        argument = tuple(date.fromisoformat(day) if is_dates else day for day in argument)
    return DueTerms(row.lag_days, row.lag_kind, row.cycle, argument, row.holiday)


def _payout_terms(row: SettlementTerms) -> PayoutTerms:
    return PayoutTerms(
        due=read_due_terms(row),
        minimum_payout=row.minimum_payout,
        reserve_ppm=row.reserve_ppm,
        reserve_days=row.reserve_days,
        debt_policy=row.debt_policy,
        funding_as=row.funding_as,
        fast_ppm=row.fast_ppm,
        fast_grades=tuple(row.fast_grades),
    )
