"""The money of a marketplace day by day, and how its sellers are graded, for the front page.

Read from what the nights have written per seller and day (performance, statements), never from
lines, so that it costs the same however many there are of them. Amounts are minor units.
"""

from dataclasses import dataclass, fields
from datetime import date, timedelta

from django.db.models import BigIntegerField, Count, F, Func, OuterRef, Subquery, Sum
from django.db.models.functions import Cast, Coalesce, Greatest

from sellers import grades
from sellers.models import GradePolicy, OfficialGrade, PerformanceDay, Seller
from settlements import adjustments
from settlements.fee_rules import SALE_VAT
from settlements.models import Statement

TREND = 30  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """One day. Sales are those confirmed on it; the rest stands on statements closed that day.

    Days add up: money that is carried from statement to statement is counted once. `fees` are
    those of the marketplace, with their VAT; `additions` and `deductions` are what else was given
    and taken on statements, with its VAT, reason by reason. `payable` is the net of their lines,
    and `held` is what they keep back (holds, reserves, and what is carried on) less what came back
    to them; below zero where that went out. `paid` is what they confirm for payout.
    """

    sales: int = 0
    fees: int = 0
    additions: int = 0
    deductions: int = 0
    payable: int = 0
    held: int = 0
    paid: int = 0


@dataclass(frozen=True, slots=True)
class Graded:
    """How many active sellers have a grade; without a name, those who have none yet."""

    name: str
    sellers: int


def trend(last: date, *, days: int = TREND) -> list[tuple[date, Money]]:
    """Each of the `days` days that end with `last`, the earliest first."""
    first = last - timedelta(days=days - 1)
    sales = dict(
        PerformanceDay.objects.filter(on__range=(first, last))
        .values_list("on")
        .annotate(Sum("sales_confirmed"))
        .order_by()
    )
    closed = {row.pop("closed_on"): row for row in _closed(first, last)}
    every = (first + timedelta(days=number) for number in range(days))
    return [(on, Money(sales=sales.get(on, 0), **closed.get(on, {}))) for on in every]


def total(days: list[tuple[date, Money]]) -> Money:
    """The sums over some days."""
    return Money(
        **{f.name: sum(getattr(money, f.name) for _, money in days) for f in fields(Money)}
    )


def grade_distribution(on: date) -> list[Graded]:
    """Active sellers by the grade that is in force on a day, the lowest grade first."""
    official = OfficialGrade.objects.filter(seller=OuterRef("pk"), effective_from__lte=on)
    rows = Seller.objects.active().annotate(
        grade=Subquery(official.order_by("-effective_from").values("grade")[:1])
    )
    counts = dict(rows.values_list("grade").annotate(Count("pk")).order_by())
    policy_row = GradePolicy.objects.all().on(on)
    named = {} if policy_row is None else {g.code: g.name for g in grades.load(policy_row).grades}
    known = [Graded(name, counts.pop(code, 0)) for code, name in named.items()]
    # What no longer has a name in the policy keeps its code.
    return [Graded("", counts.pop(None, 0)), *known, *(Graded(*row) for row in counts.items())]


class _Others(Func):
    """What components that are no fees come to on a statement, as settlements.adjustments.split."""

    output_field = BigIntegerField()
    template = """(
        SELECT coalesce(sum(greatest(%(factor)s * ((c.sums ->> 0)::bigint + (c.sums ->> 2)::bigint),
                                     0)), 0)::bigint
        FROM jsonb_each(%(expressions)s) AS c (code, sums)
        WHERE starts_with(c.code, '%(beside)s') AND c.code NOT IN (%(fees)s)
    )"""


def _others(factor: int) -> _Others:
    """What is deducted beside fees, or with −1 what is added; both above zero."""
    fees = ", ".join(f"'{component}'" for component in sorted(adjustments.FEES_BESIDE))
    return _Others("components", factor=factor, beside=adjustments.COMPONENT, fees=fees)


def _closed(first: date, last: date):
    # Found by the due date, which has the index; a statement closes on it or in a later night.
    return (
        Statement.objects.filter(
            due_on__range=(first - timedelta(days=TREND), last), closed_on__range=(first, last)
        )
        .values("closed_on")
        .annotate(
            additions=Sum(_others(-1)),
            deductions=Sum(_others(1)),
            # Not fee + vat: in fees that contain their VAT it would be counted twice. The VAT of
            # sales that the marketplace issues is no fee.
            fees=Sum(
                F("list_amount")
                - F("seller_discount")
                - F("net")
                - Coalesce(Cast(f"components__{SALE_VAT}__0", BigIntegerField()), 0)
            )
            + F("additions")
            - F("deductions"),
            payable=Sum("net"),
            held=Sum(
                F("reserve")
                - F("reserve_released")
                + F("hold_taken")
                - F("released_holds")
                + Greatest(F("carry_out"), 0)
                - Greatest(F("carry_in"), 0)
            ),
            paid=Sum("payout"),
        )
        .order_by()
    )
