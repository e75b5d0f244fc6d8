"""Runs a folder of worked cases of the settlement arithmetic and tells each mismatch.

A folder holds JSON files, each a list of cases of the kind its name says: split, fee, tiers,
order, due_dates, statement, reversal. A case has inputs and expected figures; the fields are those
of `tests/vectors`. Whoever wants the arithmetic changed can show it with a case.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import holidays

from marketplace import money
from marketplace.calendars import Calendar
from marketplace.refusals import Refused
from orders import pricing, remainders
from settlements import due_dates, fees, payables, reversals, withholding
from settlements.fee_rules import MARGINAL, Band, Benefit, Rule

Case: TypeAlias = Mapping[str, Any]
Figures: TypeAlias = dict[str, Any]

_MISSING: Final = "(missing)"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One figure of one case that came out otherwise; `case` counts from 0."""

    file: str
    case: int
    note: str
    field: str
    expected: object
    got: object

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        where = f"{self.file}[{self.case}]{note} {self.field}"
        return f"{where}: expected {self.expected!r}, got {self.got!r}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a folder came to. `unknown` names files no kind of case is known for."""

    cases: int
    failed: int
    mismatches: tuple[Mismatch, ...]
    unknown: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether there were cases and all of them came out as expected."""
        return bool(self.cases) and not self.mismatches


def check_folder(folder: Path) -> Report:
    """Check every JSON file of a folder."""
    cases = failed = 0
    mismatches: list[Mismatch] = []
    unknown = []
    for path in sorted(folder.glob("*.json")):
        if path.stem not in _KINDS:
            unknown.append(path.name)
            continue
        for index, case in enumerate(_cases(path)):
            found = tuple(check_case(path.stem, index, case))
            cases += 1
            failed += bool(found)
            mismatches.extend(found)
    return Report(cases, failed, tuple(mismatches), tuple(unknown))


def check_case(kind: str, index: int, case: Case) -> Iterator[Mismatch]:
    """Compute one case and tell each figure that is not the expected one."""
    note = str(case.get("note", "")) if isinstance(case, dict) else ""
    expected: Figures
    got: Figures
    try:
        expected, got = _KINDS[kind](case)
    except Refused as refused:
        got = {**refused.params, "refused": refused.code}
        expected = {"refused": case.get("refused", _MISSING)}
        if "charged" in case and "charged" in refused.params:
            expected["charged"] = case["charged"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A case that cannot even be read is a mismatch of the case, not the end of the check.
        expected, got = {"case": "readable"}, {"case": f"{type(error).__name__}: {error}"}
    else:
        if "refused" in case:
            expected, got = {"refused": case["refused"]}, {"refused": _MISSING}
    for field in expected:
        if expected[field] != got.get(field, _MISSING):
            yield Mismatch(kind, index, note, field, expected[field], got.get(field, _MISSING))


def _cases(path: Path) -> list[Any]:
    """Read a file's cases. What is no list of cases is one case that cannot be read."""
    try:
        cases = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        return [str(error)]
    return cases if isinstance(cases, list) else [cases]


def _split(case: Case) -> tuple[Figures, Figures]:
    return _picked(case, "parts"), {"parts": money.split(case["total"], case["weights"])}


def _fee(case: Case) -> tuple[Figures, Figures]:
    terms = _terms([{**case, "component": "fee", "base": "list_amount"}], case["vat_rate_ppm"])
    ((_, fee, vat),) = fees.charge(terms, case["quantity"], case["base"])
    return _picked(case, "fee", "vat"), {"fee": fee, "vat": vat}


def _tiers(case: Case) -> tuple[Figures, Figures]:
    rule = {
        "component": "fee",
        "base": "list_amount",
        "mode": case["mode"],
        "vat_kind": "exempt",
        "bands": case["bands"],
        "band_kind": case["kind"],
        "points_off_ppm": case["points_off_ppm"],
    }
    ((_, fee, _vat),) = fees.charge(_terms([rule], 0), 1, case["base"])
    return _picked(case, "fee"), {"fee": fee}


def _order(case: Case) -> tuple[Figures, Figures]:
    lines = [
        pricing.Line(
            number=line["line"],
            seller=line["seller"],
            unit_price=line["unit_price"],
            quantity=line["quantity"],
        )
        for line in case["lines"]
    ]
    discounts = [
        pricing.CartDiscount(given["funder"], given["amount"], given.get("seller"))
        for given in case["cart_discounts"]
    ]
    shipping = [pricing.Shipping(seller=s["seller"], amount=s["amount"]) for s in case["shipping"]]
    priced = pricing.price(lines, discounts, shipping, case["tenders"])
    got = {
        "result": [
            {
                "line": line.number,
                "seller": line.seller,
                "unit_price": line.unit_price,
                "quantity": line.quantity,
                "list_amount": line.list_amount,
                "seller_discount": line.seller_discount,
                "platform_discount": line.platform_discount,
                "partner_discount": line.partner_discount,
                "buyer_paid": line.buyer_paid,
            }
            for line in priced.lines
        ],
        "charged": priced.charged,
        "tender_parts": [list(parts) for parts in priced.tender_parts],
    }
    return _picked(case, "result", "charged", "tender_parts"), got


def _due_date(case: Case) -> tuple[Figures, Figures]:
    cycle_arg = case["cycle_arg"]
    if isinstance(cycle_arg, list):
        cycle_arg = tuple(map(date.fromisoformat, cycle_arg))
    terms = due_dates.DueTerms(
        case["lag_days"], case["lag_kind"], case["cycle"], cycle_arg, case["holiday"]
    )
    basis_on = date.fromisoformat(case["basis"])
    due = due_dates.due_on(basis_on, terms, _public_holidays(case["country"], basis_on.year))
    return _picked(case, "due"), {"due": due.isoformat()}


def _statement(case: Case) -> tuple[Figures, Figures]:
    lines = case["lines"]
    service = sum(line["net"] for line in lines if line["income_kind"] == withholding.SERVICE)
    payable = payables.settle(
        sum(line["net"] for line in lines),
        carry_in=case["carry_in"],
        released_holds=case["released_holds"],
        new_holds=case["new_holds"],
        reserve_ppm=case["reserve_ppm"],
        reserve_released=case["reserve_released"],
        minimum_payout=case["minimum_payout"],
        tax=withholding.withhold(service, case["base_carry_in"]),
    )
    return _picked(case, *_STATEMENT), {name: getattr(payable, name) for name in _STATEMENT}


def _reversal(case: Case) -> tuple[Figures, Figures]:
    terms = _terms(case["fee_rules"], case["vat_rate_ppm"])
    discounts = (case["seller_discount"], case["platform_discount"], case["partner_discount"])
    sold = (case["unit_price"], case["quantity"], *discounts)
    original = before = remainders.remaining(*sold, left=case["quantity"])
    expected: Figures = _flat("sale", case["sale"])
    got = _flat("sale", _figures(terms, reversals.value(terms, original)))
    for at, step in enumerate(case["reversals"]):
        after = remainders.remaining(*sold, left=before.quantity - step["quantity"])
        taken = reversals.reversed_between(terms, original, before, after)
        expected |= {f"reversals.{at}.remaining": step["remaining"]}
        got |= {f"reversals.{at}.remaining": after.quantity}
        expected |= _flat(f"reversals.{at}", step["reversed"])
        got |= _flat(f"reversals.{at}", _figures(terms, taken))
        before = after
    return expected, got


def _figures(terms: fees.Terms, value: reversals.Value) -> Figures:
    figures: Figures = {
        "list_amount": value.list_amount,
        "seller_discount": value.seller_discount,
        "platform_discount": value.platform_discount,
        "partner_discount": value.partner_discount,
        "buyer_paid": value.buyer_paid,
        "net": value.net,
    }
    for component, (_, fee, vat) in zip(terms.components, value.charged, strict=True):
        figures |= {f"fee_{component}": fee, f"vat_{component}": vat}
    return figures


def _terms(rules: list[dict[str, Any]], vat_rate_ppm: int) -> fees.Terms:
    charges = []
    for number, given in enumerate(rules, start=1):
        fields = {name: given[name] for name in _RULE_FIELDS if name in given}
        bands = tuple(Band(b["from"], b["to"], b["rate_ppm"]) for b in given.get("bands", ()))
        rule = Rule(
            id=number,
            rank=number,
            bands=bands,
            # A rate alone is a single tier, and of that both kinds are the same.
            band_kind=given.get("band_kind", MARGINAL),
            **fields,
        )
        benefit = Benefit(
            frozenset({rule.component}),
            given.get("points_off_ppm", 0),
            given.get("percent_off_ppm", 0),
        )
        charges.append(fees.Charge.pinned(rule, [benefit]))
    return fees.Terms(0, vat_rate_ppm, tuple(charges))


@cache
def _public_holidays(country: str, year: int) -> Calendar:
    """Return the public holidays around a year; a cycle may end well after its basis."""
    days = holidays.country_holidays(country, years=range(year - 1, year + 4))
    return Calendar(frozenset(days))


def _picked(case: Case, *names: str) -> Figures:
    """Return the expected figures; a case that lacks one of them is a mismatch, not a pass."""
    return {name: case.get(name, _MISSING) for name in names}


def _flat(prefix: str, figures: Mapping[str, Any]) -> Figures:
    return {f"{prefix}.{name}": figure for name, figure in figures.items()}


_RULE_FIELDS: Final = (
    "component",
    "base",
    "rate_ppm",
    "fixed_amount",
    "per_unit",
    "min_amount",
    "max_amount",
    "mode",
    "vat_kind",
    "vat_mode",
    "keep_on_refund",
)
_STATEMENT: Final = (
    "gross",
    "hold_taken",
    "hold_unfilled",
    "payable",
    "reserve",
    "withholding_income",
    "withholding_local",
    "payout",
    "carry_out",
    "reserve_released_left",
    "base_carried",
)
_KINDS: Final[dict[str, Callable[[Case], tuple[Figures, Figures]]]] = {
    "split": _split,
    "fee": _fee,
    "tiers": _tiers,
    "order": _order,
    "due_dates": _due_date,
    "statement": _statement,
    "reversal": _reversal,
}
