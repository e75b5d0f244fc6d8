"""Which terms apply to which outcome of a night: contract, schedule, grade, benefits, due terms.

Built once per shard from published versions and official grades; then asked for every line, so
it answers from dictionaries. It decides nothing about money: fees.figures() does.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from datetime import date, timedelta

from django.db.models import Sum

from listings.models import Category
from marketplace import calendar_days
from sellers import grades
from sellers.models import PerformanceDay
from settlements import due_dates, rate_cards
from settlements.contracts import Contract, Contracts
from settlements.fee_rules import Benefit
from settlements.fees import Terms
from settlements.rate_cards import PayoutTerms
from settlements.schedules import Plan, Schedule


class SellerDay:
    """What a seller's lines of one rate date share.

    Sellers and days that no rule tells apart share one, and with it the plans.
    """

    __slots__ = ("_book", "benefits", "grade", "plans", "previous_sales", "schedule", "seller_id")

    def __init__(self, book, seller_id, schedule, grade, benefits, previous_sales):
        self._book = book
        self.seller_id = seller_id
        self.schedule = schedule
        self.grade = grade
        self.benefits = benefits
        self.previous_sales = previous_sales
        self.plans: dict[tuple, Plan] = {}

    @property
    def is_shared(self) -> bool:
        """Whether the rules ask neither who the seller is nor what he sold before."""
        return not self.schedule.asks_for_sales and not self.schedule.named("seller_id")

    def plan(self, kind: tuple, rate_on: date) -> Plan:
        """The plan for (stream, category, listing kind, channel, seller type, whether taxed)."""
        stream, category_id, listing_kind, channel, seller_type, is_taxed = kind
        plan = self.plans[kind] = self.schedule.plan(
            stream=stream,
            rate_on=rate_on,
            category_path=self._book.categories.get(category_id, ()),
            listing_kind=listing_kind or None,
            channel=channel or None,
            seller_type=seller_type or None,
            seller_id=self.seller_id,
            grade=self.grade,
            previous_sales=self.previous_sales,
            benefits=self.benefits,
            is_taxed=is_taxed,
        )
        return plan


class RateBook:
    """The terms of a range of sellers, as of the night of `on`. Reads the database when made.

    Of a few sellers in the range where `only` names them: a quiet night asks for no more. Fee
    schedules that are named in `instead` are taken to say that on every day.
    """

    def __init__(
        self,
        *,
        on: date,
        first_seller: int,
        end_seller: int,
        only: Collection[int] | None = None,
        instead: Mapping[str, Schedule] | None = None,
    ):
        self.on = on
        self.calendar = calendar_days.load(on)
        self.categories: dict[int, tuple[int, ...]] = {
            pk: tuple(path) for pk, path in Category.objects.values_list("pk", "path")
        }
        self.only = only
        self._sellers = (first_seller, end_seller)
        self.contracts = Contracts(
            first_seller=first_seller, end_seller=end_seller, only=only, instead=instead
        )
        self._grades = grades.history(first_seller=first_seller, end_seller=end_seller, only=only)
        self._benefits: dict[tuple[int, str], tuple[Benefit, ...]] = {}
        self._previous_sales: dict[date, dict[int, int]] = {}
        self._days: dict[tuple, SellerDay] = {}
        self._alike: dict[int, int] = {}  # number of the history of grades, by seller
        self._histories: dict[tuple, int] = {}
        self._shared: dict[tuple[int, date], SellerDay] = {}  # by such a number and rate date
        self._terms: dict[tuple, Terms] = {}
        self._supposed: tuple[str, tuple[Benefit, ...]] | None = None

    def suppose(self, policy_id: int, grade: str) -> None:
        """From now on answer as if every seller had this grade of a policy."""
        self._supposed = grade, self._benefits_of(policy_id, grade)
        self._shared.clear()

    def seller_day(
        self, seller_id: int, rate_on: date, *, rules_on: date | None = None
    ) -> SellerDay:
        """Schedule, grade and benefits of a seller on a rate date.

        Rules that hold on some days only are read as of `rules_on` where it is given.
        """
        if rules_on is not None:
            return self._seller_day(seller_id, rate_on, rules_on)
        alike = self._alike.get(seller_id)
        if alike is None:
            alike = self._alike[seller_id] = self._alike_as(seller_id)
        day = self._shared.get((alike, rate_on))
        if day is None:
            day = self._seller_day(seller_id, rate_on, rate_on)
            if alike and day.is_shared:
                self._shared[alike, rate_on] = day
        return day

    def _alike_as(self, seller_id: int) -> int:
        """One number for all sellers without a contract that have had the same grades; else 0."""
        if seller_id in self.contracts.sellers:
            return 0
        history = tuple(
            (held.effective_from, held.policy_id, held.grade)
            for held in self._grades.get(seller_id, ())
        )
        return self._histories.setdefault(history, len(self._histories) + 1)

    def _seller_day(self, seller_id: int, rate_on: date, rules_on: date) -> SellerDay:
        schedule = self.contracts.schedule(seller_id, rate_on)
        grade, benefits = self._grade(seller_id, rate_on)
        previous = self._sales_before(seller_id, rate_on) if schedule.asks_for_sales else 0
        apart = schedule.told_apart(seller_id, grade, rules_on, previous)
        key = (schedule, grade, benefits, apart)
        day = self._days.get(key)
        if day is None:
            day = SellerDay(self, seller_id, schedule, grade, benefits, previous)
            self._days[key] = day
        return day

    def payout_terms(self, seller_id: int, rate_on: date) -> PayoutTerms:
        return self.contracts.payout_terms(seller_id, rate_on)

    def contract(self, seller_id: int, rate_on: date) -> Contract | None:
        """The contract by which a seller's lines of a rate date are settled, if there is one."""
        return self.contracts.on(seller_id, rate_on)

    def due_on(self, seller_id: int, basis_on: date, rate_on: date, is_closed) -> date:
        """The due date of a line that this night sees; `is_closed` knows its seller's days."""
        terms = self.contracts.payout_terms(seller_id, rate_on).due
        return due_dates.due_for_run(basis_on, self.on, terms, self.calendar, is_closed)

    def stored(self, key) -> Terms:
        """The terms that a stored key stands for, with the rules of its own version."""
        version_id, vat_rate_ppm, charges = key
        known = (version_id, vat_rate_ppm, tuple((*c[:2], tuple(c[2]), c[3]) for c in charges))
        terms = self._terms.get(known)
        if terms is None:
            terms = self._terms[known] = rate_cards.stored_terms(known)
        return terms

    def _grade(self, seller_id: int, day: date) -> tuple[str | None, tuple[Benefit, ...]]:
        if self._supposed is not None:
            return self._supposed
        history = self._grades.get(seller_id, ())
        at = bisect_right(history, day, key=lambda official: official.effective_from)
        if not at:
            return None, ()
        official = history[at - 1]
        return official.grade, self._benefits_of(official.policy_id, official.grade)

    def _benefits_of(self, policy_id: int, grade: str) -> tuple[Benefit, ...]:
        key = (policy_id, grade)
        if key not in self._benefits:
            self._benefits[key] = tuple(
                Benefit(frozenset(b.components), b.points_off_ppm, b.percent_off_ppm)
                for b in grades.benefits(*key)
            )
        return self._benefits[key]

    def _sales_before(self, seller_id: int, rate_on: date) -> int:
        """Sales of the calendar month before a rate date, less what was returned in it."""
        month = rate_on.replace(day=1)
        if month not in self._previous_sales:
            first = (month - timedelta(days=1)).replace(day=1)
            rows = (
                PerformanceDay.objects.filter(on__gte=first, on__lt=month)
                .filter(seller_id__gte=self._sellers[0], seller_id__lt=self._sellers[1])
                .values_list("seller_id")
                .annotate(Sum("sales_confirmed"), Sum("sales_returned"))
            )
            self._previous_sales[month] = {
                seller: max(sold - returned, 0) for seller, sold, returned in rows
            }
        return self._previous_sales[month].get(seller_id, 0)
