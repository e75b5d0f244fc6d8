"""Fee schedules as operators keep them: tables of categories, percents and price bands.

Reading only; nothing is stored. Which column means what is a mapping, itself a document of data.
Every problem of a file is found, by row and field, before anything is done with it: a schedule
with a mistake is refused as a whole.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeAlias

from marketplace import documents, money
from marketplace.documents import Part
from marketplace.refusals import Refused, gettext_noop
from settlements import rule_checks, vat
from settlements.fee_rules import Rule

FOLDER: Final = Path(__file__).parent / "mappings"
SEPARATOR: Final = "/"  # between the parts of a category's code

CategoryPath: TypeAlias = tuple[str, ...]  # names from the root to the leaf

_PERCENT: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,20})?")
_LONGEST_CODE: Final = 300

REASONS: Final = {
    "column_missing": gettext_noop("The file has no such column."),
    "row_too_long": gettext_noop("The row has more fields than the header."),
    "no_rows": gettext_noop("The file has no rows."),
    "empty": gettext_noop("The field is empty."),
    "category_ambiguous": gettext_noop("Another category of the file has the same code."),
    "category_too_long": gettext_noop("The name of the category is too long."),
    "not_a_percent": gettext_noop("“%(found)s” is not a percentage from 0 to 100."),
    "percent_too_fine": gettext_noop("“%(found)s” is finer than a millionth."),
    "not_an_amount": gettext_noop("“%(found)s” is not an amount in this currency."),
    "band_empty": gettext_noop("The price band ends where it begins, or before."),
    "price_bands_overlap": gettext_noop("The price band overlaps that of row %(other)s."),
    "price_band_gap": gettext_noop("Prices from %(start)s up to %(end)s have no band."),
}


class FileRefused(Refused):
    """A file with problems. `problems` names each of them."""

    code = "fee_schedule_refused"
    message = gettext_noop("The file was refused as a whole: it has %(count)s problems.")

    @property
    def problems(self) -> "list[Problem]":
        return self.params["problems"]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row; the header is row 1. `reason` is one of REASONS, with values."""

    row: int
    column: str
    code: str
    values: tuple[tuple[str, object], ...] = ()

    def reason(self) -> str:
        return REASONS[self.code] % dict(self.values)

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.reason()}"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column means what, and what is the same for all rows."""

    category: tuple[str, ...]
    percent: str
    price_from: str
    price_to: str
    no_end: str | None
    delimiter: str
    gaps_refused: bool
    rule: Rule  # what every row's rule is made from

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.category, self.percent, self.price_from, self.price_to)


@dataclass(slots=True)
class Contents:
    """What a file says. A rule's id is its row, its category the number in `categories`."""

    categories: dict[CategoryPath, int] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


def load_mapping(name: str | Path) -> Mapping:
    """Read a mapping by its code, or from the path of an operator's own file."""
    path = name if isinstance(name, Path) else FOLDER / f"{name}.json"
    return parse_mapping(path.read_bytes(), path.name)


def parse_mapping(text: str | bytes, name: str) -> Mapping:
    """Read the text of a mapping; `name` is what refusals call it."""
    with documents.reading(documents.parse(text, name), name) as part:
        columns = part.part("columns")
        mapping = Mapping(
            category=columns.texts("category"),
            percent=columns.text("percent"),
            price_from=columns.text("price_from"),
            price_to=columns.text("price_to"),
            no_end=part.text("no_end", None),
            delimiter=part.choice("delimiter", (",", ";", "\t", "|"), ","),
            gaps_refused=part.choice("gaps", ("refused", "allowed"), "refused") == "refused",
            rule=_template(part.part("rule")),
        )
        columns.done()
    return mapping


def read(lines: Iterable[str], mapping: Mapping, *, exponent: int) -> Contents:
    """Read a whole file; raises FileRefused with every problem in it.

    Prices are in major units of a currency with `exponent` decimal places.
    """
    table = csv.reader(lines, delimiter=mapping.delimiter)
    header = next(table, [])
    places = {name.strip(): at for at, name in enumerate(header)}
    missing = [Problem(1, name, "column_missing") for name in mapping.columns if name not in places]
    if missing:
        raise FileRefused(count=len(missing), problems=missing)
    contents = Contents()
    problems: list[Problem] = []
    row_reader = _Rows(mapping, places, exponent, contents)
    for cells in table:
        if any(cells):
            problems += row_reader.read(table.line_num, cells)
    if not contents.rules and not problems:
        problems.append(Problem(1, "", "no_rows"))
    # Bands are compared only where all were read: a missing row would look like a gap.
    if not problems:
        problems += _band_problems(contents, mapping, exponent)
    if problems:
        raise FileRefused(count=len(problems), problems=problems)
    return contents


class _Rows:
    """Turns rows into rules, one after the other."""

    def __init__(
        self, mapping: Mapping, places: dict[str, int], exponent: int, contents: Contents
    ) -> None:
        self.mapping = mapping
        self.places = places
        self.exponent = exponent
        self.contents = contents
        self.codes: dict[str, CategoryPath] = {}

    def read(self, row: int, cells: list[str]) -> Iterator[Problem]:
        if len(cells) > len(self.places):
            yield Problem(row, "", "row_too_long")
            return
        texts = {name: self._cell(cells, name) for name in self.mapping.columns}
        problems = [Problem(row, name, "empty") for name, text in texts.items() if not text]
        if problems:
            yield from problems
            return
        path = tuple(texts[name] for name in self.mapping.category)
        problems += self._category_problems(row, path)
        rate_ppm = self._rate(row, texts, problems)
        price_from = self._price(row, self.mapping.price_from, texts, problems)
        price_to = None
        if texts[self.mapping.price_to] != self.mapping.no_end:
            price_to = self._price(row, self.mapping.price_to, texts, problems)
        if not problems and price_to is not None and price_to <= (price_from or 0):
            problems.append(Problem(row, self.mapping.price_to, "band_empty"))
        if problems or rate_ppm is None:
            yield from problems
            return
        known = self.contents.categories
        self.contents.rules.append(
            replace(
                self.mapping.rule,
                id=row,
                rank=len(self.contents.rules) + 1,
                rate_ppm=rate_ppm,
                category_id=known.setdefault(path, len(known)),
                price_from=price_from,
                price_to=price_to,
            )
        )

    def _cell(self, cells: list[str], name: str) -> str:
        at = self.places[name]
        return cells[at].strip() if at < len(cells) else ""

    def _category_problems(self, row: int, path: CategoryPath) -> list[Problem]:
        column = self.mapping.category[-1]
        if len(SEPARATOR.join(path)) > _LONGEST_CODE:
            return [Problem(row, column, "category_too_long")]
        if path in self.contents.categories:
            return []
        for length in range(1, len(path) + 1):
            node = path[:length]
            if self.codes.setdefault(SEPARATOR.join(node), node) != node:
                return [Problem(row, column, "category_ambiguous")]
        return []

    def _rate(self, row: int, texts: dict[str, str], problems: list[Problem]) -> int | None:
        """A percentage as parts per million, exactly: 17.85 is 178,500."""
        column = self.mapping.percent
        text = texts[column]
        found = (("found", text[:40]),)
        if not _PERCENT.fullmatch(text) or Decimal(text) > 100:
            problems.append(Problem(row, column, "not_a_percent", found))
            return None
        ppm = Decimal(text).scaleb(4)
        if ppm != ppm.to_integral_value():
            problems.append(Problem(row, column, "percent_too_fine", found))
            return None
        return int(ppm)

    def _price(
        self, row: int, column: str, texts: dict[str, str], problems: list[Problem]
    ) -> int | None:
        text = texts[column]
        try:
            amount = money.parse(text, self.exponent)
        except Refused:
            amount = -1
        if amount < 0:
            problems.append(Problem(row, column, "not_an_amount", (("found", text[:40]),)))
            return None
        return amount


def _band_problems(contents: Contents, mapping: Mapping, exponent: int) -> Iterator[Problem]:
    """Tell overlaps and gaps of the bands of a category, as the rules for publication see them."""
    for finding in rule_checks.band_problems(contents.rules):
        row = finding.rule_ids[-1]
        if finding.code == "price_band_gap":
            if mapping.gaps_refused:
                values = (
                    ("start", _shown(finding.start, exponent)),
                    ("end", _shown(finding.end, exponent)),
                )
                yield Problem(row, mapping.price_from, "price_band_gap", values)
        else:
            other = (("other", finding.rule_ids[0]),)
            yield Problem(row, mapping.price_from, "price_bands_overlap", other)


def _shown(amount: int | None, exponent: int) -> str:
    if amount is None:
        return "∞"
    digits = str(amount).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits


def _template(part: Part) -> Rule:
    rule = Rule(
        id=0,
        rank=0,
        component=part.text("component", longest=30),
        stream=part.text("stream", None, longest=30),
        listing_kind=part.text("listing_kind", None, longest=30),
        channel=part.text("channel", None, longest=30),
        seller_type=part.text("seller_type", None, longest=20),
        base=part.text("base", longest=40),
        mode=part.choice("mode", money.MODES, money.FLOOR),
        vat_kind=part.choice("vat_kind", vat.KINDS),
        vat_mode=part.choice("vat_mode", money.MODES, money.HALF_UP),
        keep_on_refund=part.flag("keep_on_refund", False),
    )
    part.done()
    return rule
