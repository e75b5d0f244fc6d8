"""What a seller's contract says, in words for operators and for the seller."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from django.utils import formats
from django.utils.dates import WEEKDAYS
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from marketplace import money, tenancy
from settlements import (
    contracts,
    due_dates,
    ledger,
    monthly_fees,
    percents,
    rate_cards,
    rule_words,
    vat,
)
from settlements.due_dates import DueTerms
from settlements.models import FeeRule, FeeSchedule, SellerContract
from settlements.rate_cards import NoVersionInForce, PayoutTerms


@dataclass(frozen=True, slots=True)
class Fact:
    """One term: what it is about, what holds, and whether the contract itself says so."""

    label: str
    text: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class RuleTold:
    """A fee rule of a contract in words."""

    rank: int
    component: str
    conditions: tuple[str, ...]
    charge: str
    days: str


@dataclass(frozen=True, slots=True)
class Told:
    """A version of a contract, told."""

    contract: SellerContract
    facts: tuple[Fact, ...]
    rules: tuple[RuleTold, ...]


def of_seller(seller_id: int, *, on: date) -> tuple[Told | None, Told | None]:
    """The contract in force on a day and the one that follows it; None where there is none."""
    current, coming = contracts.standing(seller_id, on=on)
    return (
        tell(current, on=on) if current else None,
        tell(coming, on=coming.valid_from) if coming else None,
    )


def tell(contract: SellerContract, *, on: date) -> Told:
    """A version, published or not, with the standard terms of a day where it says nothing."""
    rules = list(
        FeeRule.objects.filter(contract=contract)
        .select_related("category")
        .order_by("component", "rank")
    )
    return Told(contract, tuple(_facts(contract, on)), tuple(_rules(rules, _vat(contract, on))))


def due(terms: DueTerms) -> str:
    """When money is paid: "3 business days after confirmation, then every Monday; …"."""
    lag = {"days": terms.lag_days}
    if terms.lag_kind == due_dates.BUSINESS_DAYS:
        told = _("%(days)s business days after confirmation") % lag
    else:
        told = _("%(days)s days after confirmation") % lag
    return ", ".join(filter(None, (told, _cycle(terms), _holiday(terms))))


def _facts(contract: SellerContract, on: date) -> Iterable[Fact]:
    said = contracts.read(contract, [])
    standard = _standard(on)
    schedule = contract.schedule or FeeSchedule.objects.get(code=rate_cards.STANDARD)
    yield Fact(_("Fee schedule"), schedule.name, contract.schedule is not None)
    if standard is not None or said.due is not None:
        terms = said.due or standard.due
        yield Fact(_("Paid when"), due(terms), said.due is not None)
    for label, own, general, show in (
        (_("Minimum payout"), said.minimum_payout, "minimum_payout", _amount),
        (_("Reserve"), said.reserve_ppm, "reserve_ppm", percents.show),
    ):
        if own is not None or standard is not None:
            value = getattr(standard, general) if own is None else own
            yield Fact(label, show(value), own is not None)
    ahead = _("as the grade allows") if said.fast_ppm is None else percents.show(said.fast_ppm)
    yield Fact(_("Paid ahead on shipment"), ahead, said.fast_ppm is not None)
    yield from _monthly(said, on)
    yield Fact(_("Kind of income"), str(contract.get_income_kind_display()), said.is_service)
    supply_tax = str(contract.get_supply_tax_display()) or _("by the type of seller")
    yield Fact(_("VAT on what the seller supplies"), supply_tax, bool(said.supply_tax))
    vat_level = str(contract.get_vat_level_display())
    yield Fact(_("VAT on fees is computed"), vat_level, said.vat_level != vat.BY_LINE)
    issuer = str(contract.get_sale_issuer_display())
    if said.is_issued_by_platform:
        issuer = _("the marketplace; the VAT in what buyers pay is taken off")
    yield Fact(_("Sales are issued by"), issuer, said.is_issued_by_platform)


def monthly_fee(fee: monthly_fees.Fee) -> str:
    """What is charged for a month: "50,000 for months with sales of 1,000,000 or more"."""
    if not fee.amount:
        return _("none")
    told = {"amount": _amount(fee.amount), "threshold": _amount(fee.threshold)}
    return _("%(amount)s without VAT for months with sales of %(threshold)s or more") % told


def _monthly(said: contracts.Contract, on: date) -> Iterable[Fact]:
    """The fee of a month that ends on a day, and what follows where it is waived."""
    standard, own = contracts.standard_monthly_fee(on), said.monthly
    if standard is None:
        return
    text = monthly_fee(monthly_fees.agreed(standard, own, on=on))
    if own.waived_until is not None and on <= own.waived_until:
        later = replace(own, waived_until=None)
        told = {
            "day": own.waived_until.isoformat(),
            "fee": monthly_fee(monthly_fees.agreed(standard, later, on=on)),
        }
        text = _("waived for months that end by %(day)s, then %(fee)s") % told
    yield Fact(_("Monthly fee"), text, bool(own))


def _rules(rules: Iterable[FeeRule], vat_rate_ppm: int | None) -> Iterable[RuleTold]:
    names = ledger.component_names()
    for rule in rules:
        yield RuleTold(
            rank=rule.rank,
            component=names.get(rule.component, rule.component),
            conditions=tuple(rule_words.conditions(rule)),
            charge=rule_words.charge(rule, vat_rate_ppm),
            days=rule_words.days(rule),
        )


def _cycle(terms: DueTerms) -> str:
    argument = terms.cycle_arg
    listed = argument if isinstance(argument, tuple) else (argument,)
    if terms.cycle == due_dates.WEEKLY:
        return _("then every %(days)s") % {"days": ", ".join(str(WEEKDAYS[day]) for day in listed)}
    if terms.cycle == due_dates.MONTHLY:
        return _("then on day %(days)s of the month") % {"days": ", ".join(map(str, listed))}
    if terms.cycle == due_dates.MANUAL:
        days = (formats.date_format(day, "Y-m-d") for day in sorted(listed))
        return _("then on listed days: %(days)s") % {"days": ", ".join(days)}
    return ""


def _holiday(terms: DueTerms) -> str:
    if terms.holiday == due_dates.PREVIOUS:
        return _("on a closed day the business day before")
    if terms.holiday == due_dates.NEXT:
        return _("on a closed day the business day after")
    return ""


def _standard(on: date) -> PayoutTerms | None:
    try:
        return rate_cards.payout_terms().on(on)
    except NoVersionInForce:
        return None


def _vat(contract: SellerContract, on: date) -> int | None:
    code = contract.schedule.code if contract.schedule else rate_cards.STANDARD
    try:
        return rate_cards.schedules(code).on(on).vat_rate_ppm
    except NoVersionInForce:
        return None


def _amount(minor_units: int) -> str:
    market = tenancy.current()
    return money.format_amount(
        minor_units,
        currency=market.currency,
        exponent=market.currency_exponent,
        locale=get_language() or market.locale,
    )
