"""Which terms hold for a seller on a day: those of its contract, and the marketplace's where that
says nothing.

Reads all contracts of a range of sellers at once, then answers from dictionaries, as a night asks
for every line. It decides nothing about money: fees.figures() and payables.settle() do.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from settlements import monthly_fees, rate_cards, withholding
from settlements.due_dates import DueTerms
from settlements.fee_rules import Rule
from settlements.models import FeeRule, MonthlyFee, SellerContract
from settlements.rate_cards import PayoutTerms, Versions
from settlements.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Contract:
    """A published version of a seller's contract; None is what it leaves to the marketplace."""

    id: int
    number: int
    valid_from: date
    schedule: str | None  # the code of the fee schedule
    rules: tuple[Rule, ...]
    due: DueTerms | None
    minimum_payout: int | None
    reserve_ppm: int | None
    fast_ppm: int | None  # paid ahead on shipment
    is_service: bool  # lines are income from personal services, from which tax is withheld
    supply_tax: str  # the VAT of what the seller supplies; empty: by its type
    vat_level: str  # whether VAT is that of the lines or of the month's invoice
    is_issued_by_platform: bool  # the marketplace, not the seller, owes the VAT of the sales
    monthly: monthly_fees.Own


class Contracts:
    """The published contracts of a range of sellers, beside what holds for everybody.

    Fee schedules that are named in `instead` are taken to say that on every day.
    """

    def __init__(
        self,
        *,
        first_seller: int,
        end_seller: int,
        only: Collection[int] | None = None,
        instead: Mapping[str, Schedule] | None = None,
    ) -> None:
        self._by_seller = _published(first_seller, end_seller, only)
        self._cards: dict[str, Versions[Schedule]] = {
            code: rate_cards.always(schedule) for code, schedule in (instead or {}).items()
        }
        self._schedules: dict[tuple[int, Schedule], Schedule] = {}
        self._payout_terms: dict[tuple[int, PayoutTerms], PayoutTerms] = {}

    @cached_property
    def sellers(self) -> frozenset[int]:
        """The sellers that have a contract. For all others the standard terms hold."""
        return frozenset(self._by_seller)

    def on(self, seller_id: int, day: date) -> Contract | None:
        """The contract in force for a seller on a day; None where there is none."""
        versions = self._by_seller.get(seller_id)
        if not versions:
            return None
        at = bisect_right(versions, day, key=lambda contract: contract.valid_from)
        return versions[at - 1] if at else None

    def schedule(self, seller_id: int, day: date) -> Schedule:
        """The fees of a seller on a day. Raises rate_cards.NoVersionInForce."""
        contract = self.on(seller_id, day)
        if contract is None:
            return self._card(rate_cards.STANDARD).on(day)
        schedule = self._card(contract.schedule or rate_cards.STANDARD).on(day)
        key = (contract.id, schedule)
        if key not in self._schedules:
            self._schedules[key] = with_own_terms(schedule, contract)
        return self._schedules[key]

    def payout_terms(self, seller_id: int, day: date) -> PayoutTerms:
        """Due dates, minimum payout and reserve of a seller on a day. Raises NoVersionInForce."""
        standard, contract = self._standard_terms.on(day), self.on(seller_id, day)
        if contract is None:
            return standard
        key = (contract.id, standard)
        if key not in self._payout_terms:
            self._payout_terms[key] = over(standard, contract)
        return self._payout_terms[key]

    def is_service(self, seller_id: int, day: date) -> bool:
        """Whether the lines of a seller's rate date are income from personal services."""
        contract = self.on(seller_id, day)
        return contract is not None and contract.is_service

    def is_issued_by_platform(self, seller_id: int, day: date) -> bool:
        """Whether the marketplace issues the sales of a seller's rate date towards buyers."""
        contract = self.on(seller_id, day)
        return contract is not None and contract.is_issued_by_platform

    def monthly_fee(self, seller_id: int, day: date) -> monthly_fees.Fee | None:
        """The fixed fee of a seller for the month that ends on a day.

        None where the marketplace has none: then contracts have none either.
        """
        standard, contract = standard_monthly_fee(day), self.on(seller_id, day)
        if standard is None or contract is None:
            return standard
        return monthly_fees.agreed(standard, contract.monthly, on=day)

    def schedules_of(self, seller_id: int) -> set[str]:
        """The codes of all fee schedules that hold for a seller on some day."""
        named = {contract.schedule for contract in self._by_seller.get(seller_id, ())}
        return {code or rate_cards.STANDARD for code in named | {None}}

    def starts_of(self, seller_id: int) -> set[date]:
        """The days from which versions of a seller's contract are in force."""
        return {contract.valid_from for contract in self._by_seller.get(seller_id, ())}

    @cached_property
    def _standard_terms(self) -> Versions[PayoutTerms]:
        return rate_cards.payout_terms()

    def _card(self, code: str) -> Versions[Schedule]:
        if code not in self._cards:
            self._cards[code] = rate_cards.schedules(code)
        return self._cards[code]


def of_seller(seller_id: int) -> Contracts:
    """The contracts of one seller."""
    return Contracts(first_seller=seller_id, end_seller=seller_id + 1)


def standard_monthly_fee(day: date) -> monthly_fees.Fee | None:
    """The marketplace's own fixed fee on a day; None where it has none."""
    rule = MonthlyFee.objects.all().on(day)
    return monthly_fees.Fee(rule.amount, rule.threshold) if rule else None


def standing(seller_id: int, *, on: date) -> tuple[SellerContract | None, SellerContract | None]:
    """The rows of the contract in force on a day and of the published one that follows it."""
    rows = SellerContract.objects.published().filter(seller=seller_id).select_related("schedule")
    return (
        rows.filter(valid_from__lte=on).order_by("-valid_from").first(),
        rows.filter(valid_from__gt=on).order_by("valid_from").first(),
    )


def with_own_terms(schedule: Schedule, contract: Contract) -> Schedule:
    """What a contract says about charges over the schedule that it stands before."""
    return schedule.with_own_rules(contract.rules, takes_sale_vat=contract.is_issued_by_platform)


def over(standard: PayoutTerms, contract: Contract) -> PayoutTerms:
    """What the contract says over the standard terms."""
    minimum, reserve = contract.minimum_payout, contract.reserve_ppm
    return replace(
        standard,
        due=contract.due or standard.due,
        minimum_payout=standard.minimum_payout if minimum is None else minimum,
        reserve_ppm=standard.reserve_ppm if reserve is None else reserve,
    )


def read(row: SellerContract, rules: Collection[FeeRule]) -> Contract:
    """A row with its rules as the rule modules take it, published or not.

    Raises due_dates.BadDueTerms.
    """
    return Contract(
        id=row.pk,
        number=row.number,
        valid_from=row.valid_from,
        schedule=row.schedule.code if row.schedule else None,
        rules=tuple(rate_cards.read_rule(rule) for rule in rules),
        due=rate_cards.read_due_terms(row) if row.cycle else None,
        minimum_payout=row.minimum_payout,
        reserve_ppm=row.reserve_ppm,
        fast_ppm=row.fast_ppm,
        is_service=row.income_kind == withholding.SERVICE,
        supply_tax=row.supply_tax,
        vat_level=row.vat_level,
        is_issued_by_platform=row.sale_issuer == SellerContract.Issuer.PLATFORM,
        monthly=monthly_fees.Own(
            row.monthly_fee, row.monthly_fee_from, row.monthly_fee_waived_until
        ),
    )


def _published(
    first_seller: int, end_seller: int, only: Collection[int] | None
) -> dict[int, list[Contract]]:
    """Contracts by seller, by the day from which they hold: two queries for any number of them."""
    rows = SellerContract.objects.published().select_related("schedule").order_by("valid_from")
    rows = rows.filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
    found = list(rows if only is None else rows.filter(seller_id__in=only))
    rules: dict[int, list[FeeRule]] = defaultdict(list)
    if found:
        for rule in FeeRule.objects.filter(contract__in=[row.pk for row in found]):
            rules[rule.contract_id].append(rule)
    by_seller: dict[int, list[Contract]] = defaultdict(list)
    for row in found:
        by_seller[row.seller_id].append(read(row, rules[row.pk]))
    return dict(by_seller)
