"""Presets: what a new marketplace starts with, as files of data. Reading only; nothing is stored.

A preset names categories, fees, grades, listing policy, calendar, terms and accounts. Whatever
cannot be used is refused with file and field, before anything is opened. From then on the operator
owns every value; nothing ever looks at the file again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import marketplace
from listings import policy
from marketplace import documents, money
from marketplace.documents import Part
from marketplace.refusals import Refused, gettext_noop
from sellers import grade_documents
from sellers.grading import Policy
from settlements import chart, debts, funding, rule_checks, vat
from settlements.due_dates import BadDueTerms, DueTerms
from settlements.fee_rules import Band, Rule
from settlements.sentinel_limits import LONGEST, USUAL, Limits

FOLDER: Final = Path(marketplace.__file__).parent / "presets"
_FILE_DAYS: Final = 7  # to a provider's file, where a preset does not say
_NUMBER_YEARS: Final = 5  # that resident numbers are kept, likewise
_SOME_DAY: Final = date(2000, 1, 1)  # days counted from opening are checked as if it were this


class UnknownPreset(Refused):
    code = "unknown_preset"
    message = gettext_noop("There is no preset “%(name)s”. There are: %(names)s.")


class RuleRefused(documents.BadDocument):
    code = "fee_rule_refused"
    message = gettext_noop("%(where)s cannot be published: %(problem)s.")


class TermsRefused(documents.BadDocument):
    code = "terms_refused"
    message = gettext_noop("%(where)s cannot be used: %(why)s.")


@dataclass(frozen=True, slots=True)
class Defaults:
    currency: str
    currency_exponent: int
    zone: str
    locale: str
    closing_hour: int
    provider_file_days: int
    resident_number_years: int


@dataclass(frozen=True, slots=True)
class Category:
    code: str
    name: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class FeeRule:
    """A rule as a preset says it: its category by code, its dates fixed or counted from opening."""

    category: str | None
    date_from: "date | DaysAfterOpening | None"
    date_to: "date | DaysAfterOpening | None"
    rule: Rule

    def on_opening(self, first_open_on: date) -> tuple[date | None, date | None]:
        """Return the days between which it holds in a marketplace that opens on a day."""
        return _fixed(self.date_from, first_open_on), _fixed(self.date_to, first_open_on)


@dataclass(frozen=True, slots=True)
class DaysAfterOpening:
    days: int


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    code: str
    name: str
    vat_rate_ppm: int
    components: Mapping[str, str]  # names by code, in the order of computing
    rules: tuple[FeeRule, ...]
    notice_days: int


@dataclass(frozen=True, slots=True)
class ClosedDay:
    month: int
    day: int
    name: str


@dataclass(frozen=True, slots=True)
class Calendar:
    country: str
    closed_every_year: tuple[ClosedDay, ...]

    def closed_between(self, first_on: date, end_on: date) -> list[tuple[date, str]]:
        """Return the operator's own closed days in a half-open period."""
        days = [
            (date(year, day.month, day.day), day.name)
            for year in range(first_on.year, end_on.year + 1)
            for day in self.closed_every_year
        ]
        return [(day, name) for day, name in days if first_on <= day < end_on]


@dataclass(frozen=True, slots=True)
class Terms:
    lag_days: int
    lag_kind: str
    cycle: str
    cycle_arg: Any
    holiday: str
    minimum_payout: int
    reserve_ppm: int
    reserve_days: int
    debt_policy: str
    funding_as: str
    fast_ppm: int
    fast_grades: list[str]


@dataclass(frozen=True, slots=True)
class Confirmation:
    confirm_after_days: int
    withdrawal_rule: str
    withdrawal_days: int
    ship_within_days: int


@dataclass(frozen=True, slots=True)
class Account:
    """What an account of the system is called here, or an account of the operator's own."""

    code: str
    kind: str
    name: str
    name_english: str


@dataclass(frozen=True, slots=True)
class Preset:
    code: str
    name: str
    defaults: Defaults
    categories: tuple[Category, ...]
    fees: FeeSchedule
    grade_policy: Mapping[str, Any]
    policy_pack: Mapping[str, Any]
    calendar: Calendar
    terms: Terms
    confirmation: Confirmation
    sentinels: Limits
    accounts: tuple[Account, ...]


def available() -> list[str]:
    """The codes of the presets that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str | Path) -> Preset:
    """Read a preset by its code, or by the path of an operator's own file.

    Refuses a file that cannot be used as a whole, naming the field.
    """
    path = name if isinstance(name, Path) else FOLDER / f"{name}.json"
    if not isinstance(name, Path) and name not in available():
        raise UnknownPreset(name=name, names=", ".join(available()))
    return parse(path.read_bytes(), path.name)


def parse(text: str | bytes, name: str) -> Preset:
    """Read the text of a preset; `name` is what refusals call it."""
    with documents.reading(documents.parse(text, name), name) as part:
        categories = tuple(_categories(part.parts("categories"), None))
        _each_once(categories, part.at("categories"))
        codes = [category.code for category in categories]
        fees = _fee_schedule(part.part("fee_schedule"), codes)
        grade_policy, pack = part.raw("grade_policy"), part.raw("policy_pack")
        grades = grade_documents.parse(grade_policy, part.at("grade_policy"))
        rules = policy.parse(pack, part.at("policy_pack")).rules
        _refuse_unknown_codes(part, fees, grades, rules, codes)
        return Preset(
            code=part.text("code", longest=50),
            name=part.text("name", longest=100),
            defaults=_defaults(part.part("marketplace")),
            categories=categories,
            fees=fees,
            grade_policy=grade_policy,
            policy_pack=pack,
            calendar=_calendar(part.part("calendar")),
            terms=_terms(part.part("settlement_terms")),
            confirmation=_confirmation(part.part("confirmation_policy")),
            sentinels=_limits(part.part("sentinels")) if part.has("sentinels") else USUAL,
            accounts=_accounts(part),
        )


def _refuse_unknown_codes(
    part: Part,
    fees: FeeSchedule,
    grades: Policy,
    rules: Iterable[policy.Rule],
    categories: Collection[str],
) -> None:
    """Refuse what one section says about another that is not there: it would do nothing."""
    for n, grade in enumerate(grades.grades):
        for at, benefit in enumerate(grade.benefits):
            where = part.at(f"grade_policy.grades[{n}].benefits[{at}].components")
            _refuse_unlisted(where, benefit.components, fees.components)
    for n, wanted in enumerate(fees.rules):
        if wanted.rule.grade is not None:
            where = part.at(f"fee_schedule.rules[{n}].grade")
            _refuse_unlisted(where, [wanted.rule.grade], grades.ranks)
    for n, rule in enumerate(rules):
        named = sorted(rule.categories | rule.except_categories)
        _refuse_unlisted(part.at(f"policy_pack.rules[{n}]"), named, categories)


def _refuse_unlisted(where: str, named: Iterable[str], choices: Collection[str]) -> None:
    for code in sorted(named):
        if code not in choices:
            raise documents.FieldNotListed(where=where, choices=", ".join(choices), found=code)


def _defaults(part: Part) -> Defaults:
    defaults = Defaults(
        currency=part.text("currency", longest=3),
        currency_exponent=part.integer("currency_exponent", high=4),
        zone=part.text("zone", longest=64),
        locale=part.text("locale", longest=10),
        closing_hour=part.integer("closing_hour", high=23),
        provider_file_days=part.integer("provider_file_days", _FILE_DAYS, low=1, high=60),
        resident_number_years=part.integer("resident_number_years", _NUMBER_YEARS, low=1, high=30),
    )
    part.done()
    return defaults


def _categories(parts: Iterable[Part], parent: str | None) -> Iterator[Category]:
    for part in parts:
        category = Category(part.text("code"), part.text("name"), parent)
        children = part.parts("children", ())
        part.done()
        yield category
        yield from _categories(children, category.code)


def _fee_schedule(part: Part, categories: list[str]) -> FeeSchedule:
    components: dict[str, str] = {}
    for entry in part.parts("components"):
        components[entry.text("code", longest=30)] = entry.text("name", longest=100)
        entry.done()
    ranks: dict[str, int] = dict.fromkeys(components, 0)
    rules = []
    places = []
    for at, entry in enumerate(part.parts("rules")):
        component = entry.choice("component", list(components))
        ranks[component] += 1
        places.append(entry.where)
        rules.append(_fee_rule(entry, at, component, ranks[component], categories))
    schedule = FeeSchedule(
        code=part.text("code", longest=50),
        name=part.text("name", longest=100),
        vat_rate_ppm=part.integer("vat_rate_ppm", high=money.MILLION),
        components=components,
        rules=tuple(rules),
        notice_days=part.integer("notice_days", 0, high=366),
    )
    part.done()
    for finding in rule_checks.findings(tuple(components), [rule.rule for rule in rules]):
        if finding.forbids:
            raise RuleRefused(where=places[finding.rule_ids[-1]], problem=finding.code)
    return schedule


def _fee_rule(part: Part, at: int, component: str, rank: int, categories: list[str]) -> FeeRule:
    """Read a rule. Its place in the file is its id until it is stored, and within its component
    its rank. Categories get a number likewise, for the checks."""
    category = part.choice("category", categories, None)
    date_from, date_to = _date(part, "date_from"), _date(part, "date_to")
    bands = tuple(_band(band) for band in part.parts("bands", ()))
    rule = Rule(
        id=at,
        rank=rank,
        component=component,
        stream=part.text("stream", None, longest=30),
        category_id=None if category is None else categories.index(category),
        listing_kind=part.text("listing_kind", None, longest=30),
        channel=part.text("channel", None, longest=30),
        seller_type=part.text("seller_type", None, longest=20),
        grade=part.text("grade", None, longest=40),
        date_from=_fixed(date_from, _SOME_DAY),
        date_to=_fixed(date_to, _SOME_DAY),
        price_from=part.integer("price_from", None),
        price_to=part.integer("price_to", None),
        base=part.text("base", longest=40),
        rate_ppm=part.integer("rate_ppm", 0, high=money.MILLION),
        fixed_amount=part.integer("fixed_amount", 0),
        per_unit=part.flag("per_unit", False),
        min_amount=part.integer("min_amount", None),
        max_amount=part.integer("max_amount", None),
        mode=part.choice("mode", money.MODES, money.FLOOR),
        vat_kind=part.choice("vat_kind", vat.KINDS),
        vat_mode=part.choice("vat_mode", money.MODES, money.HALF_UP),
        keep_on_refund=part.flag("keep_on_refund", False),
        bands=bands,
        band_kind=part.text("band_kind", "whole", longest=10),
        band_basis=part.text("band_basis", "base", longest=30),
    )
    part.done()
    return FeeRule(category, date_from, date_to, rule)


def _band(part: Part) -> Band:
    band = Band(
        part.integer("start"),
        part.integer("end", None),
        part.integer("rate_ppm", high=money.MILLION),
    )
    part.done()
    return band


def _date(part: Part, name: str) -> "date | DaysAfterOpening | None":
    if isinstance(part.raw(name, None), dict):
        with documents.reading(part.raw(name), part.at(name)) as counted:
            return DaysAfterOpening(counted.integer("days_after_opening", high=36_600))
    return part.day(name, None)


def _fixed(day: "date | DaysAfterOpening | None", first_open_on: date) -> date | None:
    if isinstance(day, DaysAfterOpening):
        return first_open_on + timedelta(days=day.days)
    return day


def _calendar(part: Part) -> Calendar:
    days = []
    for entry in part.parts("closed_every_year", ()):
        # The 29th of February is no day of every year.
        month = entry.integer("month", low=1, high=12)
        last = 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31
        day = entry.integer("day", low=1, high=last)
        days.append(ClosedDay(month, day, entry.text("name", longest=100)))
        entry.done()
    calendar = Calendar(part.text("country", longest=10), tuple(days))
    part.done()
    return calendar


def _terms(part: Part) -> Terms:
    cycle_arg = part.raw("cycle_arg", None)
    terms = Terms(
        lag_days=part.integer("lag_days", high=366),
        lag_kind=part.text("lag_kind"),
        cycle=part.text("cycle"),
        cycle_arg=cycle_arg,
        holiday=part.text("holiday"),
        minimum_payout=part.integer("minimum_payout", 0),
        reserve_ppm=part.integer("reserve_ppm", 0, high=money.MILLION - 1),
        reserve_days=part.integer("reserve_days", debts.RESERVE_DAYS, high=3660),
        debt_policy=part.choice("debt_policy", debts.POLICIES, debts.CARRY_FORWARD),
        funding_as=part.choice("funding_as", funding.KINDS, funding.PAYMENT),
        fast_ppm=part.integer("fast_ppm", 0, high=money.MILLION),
        fast_grades=list(part.texts("fast_grades")) if part.has("fast_grades") else [],
    )
    part.done()
    try:
        argument = tuple(map(_day, cycle_arg)) if isinstance(cycle_arg, list) else cycle_arg
        DueTerms(terms.lag_days, terms.lag_kind, terms.cycle, argument, terms.holiday)
    except BadDueTerms as refused:
        raise TermsRefused(where=part.where, why=refused.params["why"]) from None
    except ValueError:
        raise TermsRefused(where=part.where, why="a manual cycle lists dates") from None
    return terms


def _day(given: Any) -> Any:
    """A date where one is given as text; JSON has none."""
    return date.fromisoformat(given) if isinstance(given, str) else given


def _confirmation(part: Part) -> Confirmation:
    confirmation = Confirmation(
        confirm_after_days=part.integer("confirm_after_days", high=366),
        withdrawal_rule=part.choice("withdrawal_rule", ("kr", "none")),
        withdrawal_days=part.integer("withdrawal_days", high=366),
        ship_within_days=part.integer("ship_within_days", high=366),
    )
    part.done()
    return confirmation


def _limits(part: Part) -> Limits:
    """Read how long things may stay; what is left out is as usual."""
    names = [field.name for field in fields(Limits)]
    limits = Limits(
        **{name: part.integer(name, getattr(USUAL, name), low=1, high=LONGEST) for name in names}
    )
    part.done()
    return limits


def _accounts(part: Part) -> tuple[Account, ...]:
    accounts = []
    for entry in part.parts("accounts", ()):
        code, name = entry.text("code", longest=60), entry.text("name", longest=100)
        known = chart.BY_CODE.get(code)
        kind = known.kind if known else entry.choice("kind", chart.KINDS)
        english = entry.text("name_english", known.english if known else "", longest=100)
        accounts.append(Account(code, kind, name, english or ""))
        entry.done()
    _each_once(accounts, part.at("accounts"))
    return tuple(accounts)


def _each_once(coded: Iterable[Any], where: str) -> None:
    seen: set[str] = set()
    for each in coded:
        if each.code in seen:
            raise documents.FieldRepeated(where=where, found=each.code)
        seen.add(each.code)
