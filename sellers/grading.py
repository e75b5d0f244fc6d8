"""Which grade a seller's figures earn, why, and what is missing to the next one.

Values in, values out: no query, no clock. A policy is data (read in sellers.grade_documents):
metrics are sums of daily figures over a window, grades ask for thresholds on them. Verdicts carry
codes and values; sellers.grade_words makes sentences of them. Amounts are minor units, rates and
ratios parts per million.
"""

import calendar as months
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Final, TypeAlias

from marketplace import money
from marketplace.money import MILLION

# The daily figures that a metric may add up: the columns of the days of performance.
FIGURES: Final = (
    "orders_paid",
    "orders_confirmed",
    "units_confirmed",
    "sales_confirmed",
    "cancelled_by_seller",
    "cancelled_other",
    "units_returned",
    "sales_returned",
    "shipped",
    "shipped_late",
)

ORDERS: Final = "orders"
UNITS: Final = "units"
MONEY: Final = "money"
RATIO: Final = "ratio"
UNITS_OF_MEASURE: Final = (ORDERS, UNITS, MONEY, RATIO)

AT_LEAST: Final = "at_least"
AT_MOST: Final = "at_most"
UNPROVEN: Final = "unproven"  # too few cases for a ratio to say anything


@dataclass(frozen=True, slots=True)
class Window:
    """The days up to and with the one graded: a number of days, or of months."""

    days: int = 0
    months: int = 0

    def first_on(self, on: date) -> date:
        """Return the first day of the window that ends with `on`.

        Months are counted back from the day after, so that three months up to 31 March are
        January to March.
        """
        after = on + timedelta(days=1)
        if not self.months:
            return after - timedelta(days=self.days)
        month = after.year * 12 + after.month - 1 - self.months
        year, month = divmod(month, 12)
        return _day_of_month(date(year, month + 1, 1), after.day)


Figures: TypeAlias = Mapping[Window, Mapping[str, int]]
"""The sums of a seller's daily figures over each window; what is absent is zero."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of a seller: figures added up, others taken off, as a ratio where `per` is given.

    With fewer than `minimum_sample` cases a ratio proves nothing and no threshold on it holds.
    """

    code: str
    name: str
    unit: str
    window: Window
    sums: tuple[str, ...]
    less: tuple[str, ...] = ()
    per: tuple[str, ...] = ()
    minimum_sample: int = 1

    def measure(self, figures: Figures) -> "Measured":
        days = figures.get(self.window, {})
        amount = sum(days.get(name, 0) for name in self.sums)
        amount -= sum(days.get(name, 0) for name in self.less)
        if not self.per:
            return Measured(self, Fraction(amount), 0)
        cases = sum(days.get(name, 0) for name in self.per)
        if cases < self.minimum_sample:
            return Measured(self, None, self.minimum_sample - cases)
        return Measured(self, Fraction(amount * MILLION, cases), 0)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a metric came to; None where too few cases were seen, `short` of the sample."""

    metric: Metric
    exact: Fraction | None
    short: int

    @property
    def value(self) -> int | None:
        """The value for people: exact for counts and money, rounded ppm for ratios."""
        if self.exact is None:
            return None
        sign = -1 if self.exact < 0 else 1
        return sign * money.round_ratio(
            abs(self.exact.numerator), self.exact.denominator, money.HALF_UP
        )


@dataclass(frozen=True, slots=True)
class Threshold:
    metric: str
    bound: str
    wanted: int

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        exact = measured[self.metric].exact
        if exact is None:
            return False
        return exact >= self.wanted if self.bound == AT_LEAST else exact <= self.wanted


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: "tuple[Condition, ...]"

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        return all(part.holds(measured) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: "tuple[Condition, ...]"

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        return any(part.holds(measured) for part in self.parts)


Condition: TypeAlias = Threshold | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Benefit:
    """What a grade takes off the fee components it names; read by the settlement of fees.

    `points_off_ppm` comes off the rate, `percent_off_ppm` off the fee.
    """

    components: frozenset[str]
    points_off_ppm: int = 0
    percent_off_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Grade:
    code: str
    name: str
    requires: Condition
    benefits: tuple[Benefit, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectiveDays:
    """On which days grades take effect: every day, a weekday (0 = Monday), a day of the month."""

    every: str
    day: int = 0

    def includes(self, day: date) -> bool:
        if self.every == "week":
            return day.weekday() == self.day
        if self.every == "month":
            return day == _day_of_month(day, self.day)
        return True


@dataclass(frozen=True)
class Policy:
    """Grades from the lowest to the highest. The lowest asks for nothing.

    A new seller has the `starting` grade until grades first take effect, and falls no lower in
    `starting_days` after joining. A fall takes place only after `grace` evaluations in a row
    below the present grade were let pass.
    """

    metrics: Mapping[str, Metric]
    grades: tuple[Grade, ...]
    effective: EffectiveDays
    starting: str
    starting_days: int = 0
    grace: int = 0

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        return {grade.code: rank for rank, grade in enumerate(self.grades)}

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The windows that figures are needed for, each once."""
        return tuple(dict.fromkeys(metric.window for metric in self.metrics.values()))

    def grade(self, code: str) -> Grade:
        return self.grades[self.ranks[code]]


@dataclass(frozen=True, slots=True)
class Reason:
    """A threshold of the grade earned, and what it was compared with."""

    metric: str
    bound: str
    wanted: int
    value: int | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What keeps a seller from the next grade: `short` of a metric, or of cases for a ratio."""

    metric: str
    bound: str  # AT_LEAST, AT_MOST or UNPROVEN
    wanted: int
    value: int | None
    short: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The grade earned, the thresholds behind it, and the shortest way to the next one."""

    grade: str
    reasons: tuple[Reason, ...]
    next_grade: str | None
    missing: tuple[Shortfall, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The official grade before: how often in a row a worse evaluation was let pass."""

    grade: str
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The grade given. `kept` says why it is not the one earned: "grace" or "starting"."""

    grade: str
    kept: str | None = None
    passed_over: int = 0


def evaluate(figures: Figures, policy: Policy) -> Verdict:
    """Return the highest grade whose requirements the figures meet, and the way to the next."""
    measured = {code: metric.measure(figures) for code, metric in policy.metrics.items()}
    rank = max(at for at, grade in enumerate(policy.grades) if grade.requires.holds(measured))
    grade = policy.grades[rank]
    following = policy.grades[rank + 1] if rank + 1 < len(policy.grades) else None
    return Verdict(
        grade=grade.code,
        reasons=tuple(_reasons(grade.requires, measured)),
        next_grade=following.code if following else None,
        missing=_shortest(following.requires, measured)[1] if following else (),
    )


def decide(
    verdict: Verdict, policy: Policy, *, before: Standing | None, joined_on: date, on: date
) -> Decision:
    """Return the grade given on a verdict: newcomers keep their start, and a fall may wait."""
    earned = policy.ranks[verdict.grade]
    is_new = on < joined_on + timedelta(days=policy.starting_days)
    if is_new and earned < policy.ranks[policy.starting]:
        return Decision(policy.starting, kept="starting")
    # A grade that a newer policy no longer has cannot be kept.
    present = policy.ranks.get(before.grade) if before else None
    if before and present is not None and earned < present and before.passed_over < policy.grace:
        return Decision(before.grade, kept="grace", passed_over=before.passed_over + 1)
    return Decision(verdict.grade)


def missing(condition: Condition, measured: Mapping[str, Measured]) -> tuple[Shortfall, ...]:
    """Return what is missing to a condition by the shortest way; nothing where it holds."""
    return _shortest(condition, measured)[1]


@dataclass(frozen=True, slots=True)
class Requirement:
    """Thresholds of a grade; one of them is enough where it says so."""

    reasons: tuple[Reason, ...]
    is_any: bool = False


def requirements(condition: Condition, measured: Mapping[str, Measured]) -> tuple[Requirement, ...]:
    """Return the thresholds that a condition asks for, each with what it is compared with."""
    parts = condition.parts if isinstance(condition, AllOf) else (condition,)
    return tuple(
        Requirement(tuple(_reasons(part, measured)), is_any=isinstance(part, AnyOf))
        for part in parts
    )


def next_effective(policy: Policy, on: date) -> date:
    """Return the first day after `on` on which grades take effect."""
    day = on + timedelta(days=1)
    while not policy.effective.includes(day):
        day += timedelta(days=1)
    return day


def _reasons(condition: Condition, measured: Mapping[str, Measured]) -> Iterator[Reason]:
    for leaf in _leaves(condition):
        seen = measured[leaf.metric]
        yield Reason(leaf.metric, leaf.bound, leaf.wanted, seen.value, leaf.holds(measured))


def _leaves(condition: Condition) -> Iterator[Threshold]:
    if isinstance(condition, Threshold):
        yield condition
    else:
        for part in condition.parts:
            yield from _leaves(part)


def _shortest(
    condition: Condition, measured: Mapping[str, Measured]
) -> tuple[Fraction, tuple[Shortfall, ...]]:
    """Return what is missing, and how far off it is; of alternatives the nearest one."""
    if condition.holds(measured):
        return Fraction(0), ()
    if isinstance(condition, Threshold):
        return _shortfall(condition, measured[condition.metric])
    ways = [_shortest(part, measured) for part in condition.parts]
    if isinstance(condition, AnyOf):
        return min(ways, key=lambda way: way[0])
    return max(way[0] for way in ways), tuple(short for way in ways for short in way[1])


def _shortfall(threshold: Threshold, seen: Measured) -> tuple[Fraction, tuple[Shortfall, ...]]:
    metric, wanted = threshold.metric, threshold.wanted
    if seen.exact is None:
        short = Shortfall(metric, UNPROVEN, wanted, None, seen.short)
        return Fraction(seen.short, seen.metric.minimum_sample), (short,)
    gap = abs(seen.exact - wanted)
    # Rounded up: "one more" must never turn out to be too few.
    short = Shortfall(
        metric, threshold.bound, wanted, seen.value, -(-gap.numerator // gap.denominator)
    )
    return gap / max(abs(wanted), 1), (short,)


def _day_of_month(month: date, day: int) -> date:
    """The given day of a month; beyond the month's end its last day is meant."""
    return month.replace(day=min(day, months.monthrange(month.year, month.month)[1]))
