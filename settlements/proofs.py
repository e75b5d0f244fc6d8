"""What stands in the proof of a statement, as texts that are the same everywhere.

A proof holds business keys, figures and rules, never row ids, random ids or times of day, so two
runs of the same nights prove the same. Values in, values out. What a seller gets of it is read
again by docs/verify_statement.py, which shares no code with this.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from typing import Any, Final

from settlements.due_dates import DueTerms
from settlements.fee_rules import Rule
from settlements.fees import Charge, Terms

FORMAT: Final = "jangteo-statement-1"
NO_HEAD: Final = "0" * 64  # stands before the first statement of a chain
_LABEL: Final = 12

# The columns of lines.csv, in their order; their meaning is told in docs/proof.md.
LINE_COLUMNS: Final = (
    "terms",
    "order",
    "line",
    "sequence",
    "kind",
    "stream",
    "rate_on",
    "basis_on",
    "unit_price",
    "ordered",
    "ordered_seller_discount",
    "ordered_platform_discount",
    "ordered_partner_discount",
    "quantity",
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
    "fee",
    "vat",
    "net",
    "charges",
    "history",
    "check",
)
HEADER: Final = (",".join(LINE_COLUMNS) + "\n").encode()
_FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠'")  # a spreadsheet would run what begins so

# Of a rule, beside its bands and conditions.
_RULE_FIELDS: Final = (
    "component",
    "rank",
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
_CONDITIONS: Final = (
    "stream",
    "listing_kind",
    "channel",
    "seller_type",
    "grade",
    "price_from",
    "price_to",
)
_HEAD: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Named:
    """How people call what the terms of lines name by row ids."""

    schedule: str
    version: int
    valid_from: date
    categories: Mapping[int, str]  # code by id
    contracts: Mapping[int, int]  # number of the version by id


def canonical(value: Any) -> str:
    """The one text of a JSON value: sorted keys, no spaces, no escapes beyond the needed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def line_digest(row: str) -> bytes:
    """What is stored with a line: the SHA-256 of its row."""
    return hashlib.sha256(row.encode()).digest()


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def line(
    label: str,
    order: str,
    number: int,
    sequence: int,
    kind: str,
    stream: str,
    rate_on: str,
    basis_on: str,
    figures: tuple[int, ...],
    history: str = "",
) -> str:
    """The row of a line without its check, by the columns of LINE_COLUMNS.

    `figures` are those from the unit price to the net, and then the charges. The same text as
    settlements.sealed_lines has the database write of a stored line.
    """
    if order[:1] in _FORMULA:
        order = "'" + order
    if '"' in order or '"' in stream:
        order, stream = order.replace('"', '""'), stream.replace('"', '""')
    said = (label, order, number, sequence, kind, stream, rate_on, basis_on)
    return _line_format(len(figures)) % (said + figures + (history,))


@cache
def _line_format(figures: int) -> str:
    """How a row is written, with so many figures; twice as quick as joining their texts."""
    single = LINE_COLUMNS.index("charges") - LINE_COLUMNS.index("unit_price")
    charges = " ".join(["%d"] * (figures - single))
    return ",".join(['%s,"%s",%d,%d,%s,"%s",%s,%s', *["%d"] * single, charges, "%s"])


def label(terms_digest: str) -> str:
    """How a line names its terms: by the beginning of the digest of their document."""
    return terms_digest[:_LABEL]


def is_head(text: str) -> bool:
    """Whether a text could be the head of a statement."""
    return _HEAD.fullmatch(text) is not None


def of_terms(terms: Terms, named: Named) -> dict[str, Any]:
    """The terms of lines as a document: every figure that decides about a fee."""
    return {
        "schedule": named.schedule,
        "version": named.version,
        "valid_from": named.valid_from.isoformat(),
        "vat_rate_ppm": terms.vat_rate_ppm,
        "charges": [_of_charge(charge, named) for charge in terms.charges],
    }


def of_payout_terms(due: DueTerms, *, minimum_payout: int, reserve_ppm: int) -> dict[str, Any]:
    """The settlement terms, with what the seller's contract says over them, of a statement."""
    days = due.cycle_arg if isinstance(due.cycle_arg, tuple) else (due.cycle_arg,)
    listed = [day.isoformat() if isinstance(day, date) else day for day in days if day is not None]
    return {
        "lag_days": due.lag_days,
        "lag_kind": due.lag_kind,
        "cycle": due.cycle,
        "cycle_days": listed,
        "holiday": due.holiday,
        "minimum_payout": minimum_payout,
        "reserve_ppm": reserve_ppm,
    }


def of_statement(
    *,
    facts: Mapping[str, Any],
    figures: Mapping[str, Any],
    lines: int,
    lines_digest: str,
    terms_digests: Iterable[str],
    payout_terms: Mapping[str, Any],
    number: int,
    previous_head: str,
) -> dict[str, Any]:
    """The document whose digest is the statement's head."""
    return {
        "format": FORMAT,
        **facts,
        "number": number,
        "previous_head": previous_head,
        "lines": {"count": lines, "sha256": lines_digest},
        "terms": sorted(terms_digests),
        "payout_terms": dict(payout_terms),
        "figures": dict(figures),
    }


def _of_charge(charge: Charge, named: Named) -> dict[str, Any]:
    rule = charge.rule
    contract = None if rule.contract_id is None else named.contracts.get(rule.contract_id)
    return {
        "contract_version": contract,
        **{name: getattr(rule, name) for name in _RULE_FIELDS},
        "bands": [
            {"from": band.start, "to": band.end, "rate_ppm": band.rate_ppm} for band in rule.bands
        ],
        "band_kind": rule.band_kind,
        "band_basis": rule.band_basis,
        "tier_rate_ppm": charge.tier_rate_ppm,
        "points_off_ppm": charge.points_off_ppm,
        "percents_off_ppm": list(charge.percents_off_ppm),
        "conditions": _conditions(rule, named.categories),
    }


def _conditions(rule: Rule, categories: Mapping[int, str]) -> dict[str, Any]:
    """The conditions that the rule has, for a reader; which rule applies is not proven."""
    told = asdict(rule)
    found = {name: told[name] for name in _CONDITIONS if told[name] is not None}
    for name in ("date_from", "date_to"):
        if told[name] is not None:
            found[name] = told[name].isoformat()
    if rule.category_id is not None:
        found["category"] = categories.get(rule.category_id, "")
    if rule.seller_id is not None:
        found["for_one_seller"] = True
    return found
