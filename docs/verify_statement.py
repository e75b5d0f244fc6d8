#!/usr/bin/env python3
"""Check a statement of a marketplace by yourself, from the bundle that you downloaded.

    python3 verify_statement.py BUNDLE.zip [BUNDLE.zip …]
        [--head HEAD or FILE] [--key PUBLIC-KEY] [--orders ORDERS.csv]

Every fee, VAT, reversal and sum is computed again from its inputs and rules, and compared with
what the marketplace wrote; so are the digests, and the chain from statement to statement. Each
difference is told by file, line and field. Needs Python 3.11 or newer and nothing else; signatures
are checked where the package `cryptography` is installed. Nothing is sent anywhere.

Exit status: 0 everything agrees, 1 something differs, 2 something could not be read.

This program shares no code with the marketplace's: what it computes, it computes in its own way.
The rules are told in docs/proof.md.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

MILLION = 1_000_000
FORMAT = "jangteo-statement-1"
CONTENTS = ("README.md", "lines.csv", "rules.json", "statement.json")
MANIFEST = "manifest.json"
NO_HEAD = "0" * 64
SALE_VAT = "sale_vat"  # the component that is no fee: the VAT of a sale the marketplace issues
ADJUSTMENT = "adj_"  # and the reason: the component that adjustments are summed up under
MOST_UNITS = 1_000_000  # of one line; more is no order but a damaged number
RETURN_SHIPPING = "return_shipping"
DISCOUNTS = ("seller_discount", "platform_discount", "partner_discount")
AMOUNTS = ("quantity", "list_amount", *DISCOUNTS)
SUMMED = ("list_amount", *DISCOUNTS, "fee", "vat", "net")
COLUMNS = [
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
]
WHOLE_NUMBERS = {"line", "sequence", "unit_price", "ordered", *AMOUNTS, "fee", "vat", "net"} | {
    f"ordered_{name}" for name in DISCOUNTS
}
HEAD = re.compile(r"\b[0-9a-f]{64}\b")


class Unreadable(Exception):
    """Something that was given on the command line cannot be read at all."""


class Malformed(ValueError):
    """A value in a bundle is not what it should be."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: in which file, where in it, and what."""

    file: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where + ': ' if self.where else ''}{self.what}"


# Rounding and splitting


def rounded(exact: Fraction, mode: str) -> int:
    """An exact amount of 0 or more as a whole number of minor units."""
    if exact < 0:
        raise Malformed(f"an amount below zero is rounded: {exact}")
    below = exact.numerator // exact.denominator
    rest = exact - below
    half = Fraction(1, 2)
    goes_up = {
        "floor": False,
        "ceil": rest > 0,
        "half_up": rest >= half,
        "half_even": rest > half or (rest == half and below % 2 == 1),
    }
    if mode not in goes_up:
        raise Malformed(f"there is no rounding “{mode}”")
    return below + goes_up[mode]


def split(total: int, weights: list[int]) -> list[int]:
    """Parts in proportion to weights that sum to the total; the largest remainders get one more."""
    if not any(weights):
        weights = [1] * len(weights)
    if total < 0 or min(weights, default=0) < 0 or (total and not weights):
        raise Malformed(f"{total} cannot be split over {len(weights)} parts")
    whole = sum(weights)
    shares = [divmod(total * weight, whole) for weight in weights]
    parts = [part for part, _ in shares]
    by_remainder = sorted(range(len(parts)), key=lambda at: (-shares[at][1], at))
    for at in by_remainder[: total - sum(parts)]:
        parts[at] += 1
    return parts


# Fees of a line


def band_rates(charge: dict) -> list[tuple[int, int | None, int]]:
    """From, to and rate of each band, with points taken off; a plain rate is one band."""
    bands = [(band["from"], band["to"], band["rate_ppm"]) for band in charge.get("bands") or ()]
    if charge.get("tier_rate_ppm") is not None:
        bands = [(0, None, charge["tier_rate_ppm"])]
    elif not bands or charge.get("band_basis") == "previous_period_sales":
        bands = [(0, None, charge.get("rate_ppm", 0))]
    off = charge.get("points_off_ppm", 0)
    return [(start, end, max(rate - off, 0)) for start, end, rate in bands]


def proportional(charge: dict, base: int) -> Fraction:
    """What the rate, or the tiers, make of a base."""
    bands = band_rates(charge)
    if charge.get("band_kind") == "marginal":
        slices = (
            (max((base if end is None else min(base, end)) - start, 0), rate)
            for start, end, rate in bands
        )
        return sum((Fraction(part * rate, MILLION) for part, rate in slices), Fraction(0))
    rate = bands[0][2]
    for start, _, later in bands[1:]:
        if base >= start:
            rate = later
    return Fraction(base * rate, MILLION)


def exact_fee(charge: dict, base: int, quantity: int) -> Fraction:
    """The fee of one component before it is rounded."""
    exact = proportional(charge, base)
    exact += charge.get("fixed_amount", 0) * (quantity if charge.get("per_unit") else 1)
    percents = charge.get("percents_off_ppm", [charge.get("percent_off_ppm", 0)])
    for percent in percents:
        exact *= Fraction(MILLION - percent, MILLION)
    if charge.get("min_amount") is not None:
        exact = max(exact, Fraction(charge["min_amount"]))
    if charge.get("max_amount") is not None:
        exact = min(exact, Fraction(charge["max_amount"]))
    return exact


def vat_on(fee: int, charge: dict, vat_rate_ppm: int) -> int:
    """The VAT on a rounded fee: on top of it, contained in it, or none."""
    kind = charge["vat_kind"]
    if kind == "exempt":
        return 0
    if kind not in ("exclusive", "inclusive"):
        raise Malformed(f"there is no kind of VAT “{kind}”")
    whole = MILLION + (vat_rate_ppm if kind == "inclusive" else 0)
    return rounded(Fraction(fee * vat_rate_ppm, whole), charge["vat_mode"])


@dataclass(frozen=True)
class Value:
    """What a line is worth: (base, fee, VAT) of each component, their sums, and the net.

    The VAT of the sale stands among the components, but is in no sum of fees.
    """

    charges: tuple[tuple[int, int, int], ...]
    net: int
    sale_vat: int

    @property
    def fee(self) -> int:
        return sum(fee for _, fee, _ in self.charges) - self.sale_vat

    @property
    def vat(self) -> int:
        return sum(vat for _, _, vat in self.charges)

    def less(self, other: "Value") -> "Value":
        charges = tuple(
            tuple(mine - its for mine, its in zip(one, another, strict=True))
            for one, another in zip(self.charges, other.charges, strict=True)
        )
        return Value(charges, self.net - other.net, self.sale_vat - other.sale_vat)


def worth(terms: dict, remains: dict[str, int], sold: Value | None = None) -> Value:
    """What a line is worth with `remains` left of it.

    Of a line that is reversed, `sold` is what it was worth when it was sold: a component that is
    kept on refund keeps that; of the others nothing is left without units.
    """
    after = remains["list_amount"] - remains["seller_discount"]
    paid = after - remains["platform_discount"] - remains["partner_discount"]
    bases = {"after_seller_discount": after, "buyer_paid": paid}
    for name in ("list_amount", "shipping", "amount"):
        bases[name] = remains["list_amount"]
    charges, net, sale_vat = [], after, 0
    for at, charge in enumerate(terms["charges"]):
        if sold is not None and charge.get("keep_on_refund"):
            base, fee, vat = sold.charges[at]
        elif not remains["quantity"]:
            base = fee = vat = 0
        elif charge["component"] == SALE_VAT:
            # No fee: the VAT that is contained in what the buyer paid.
            rate = terms["vat_rate_ppm"]
            base, vat = paid, 0
            fee = sale_vat = rounded(Fraction(paid * rate, MILLION + rate), charge["mode"])
        else:
            base = bases.get(charge["base"], 0)  # the fee of what charged nothing is 0
            fee = rounded(exact_fee(charge, base, remains["quantity"]), charge["mode"])
            vat = vat_on(fee, charge, terms["vat_rate_ppm"])
        bases["fee:" + charge["component"]] = fee
        charges.append((base, fee, vat))
        net -= fee + (vat if charge["vat_kind"] == "exclusive" else 0)
    return Value(tuple(charges), net, sale_vat)


# Units of a line, and what remains of them


class Units:
    """The units left of a line, first to last, with what each funder gives for each of them."""

    def __init__(self, unit_price: int, quantity: int, discounts: dict[str, int]):
        self.unit_price = unit_price
        self.given = {name: [0] * quantity for name in DISCOUNTS}
        self.left = quantity
        for name in DISCOUNTS:
            self.reduce(name, discounts[name])

    def paid(self) -> list[int]:
        columns = zip(*self.given.values(), strict=True)
        return [self.unit_price - sum(parts) for parts in columns]

    def reduce(self, funder: str, amount: int) -> None:
        """Give `amount` more, over the units left by what the buyer still pays for each."""
        if not amount:
            return
        paid = self.paid()
        if not 0 < amount <= sum(paid):
            raise Malformed(f"a discount of {amount} where the buyer pays {sum(paid)}")
        more = split(amount, paid)
        self.given[funder] = [a + b for a, b in zip(self.given[funder], more, strict=True)]

    def keep(self, quantity: int) -> None:
        """Take units back, from the last one, until `quantity` are left."""
        if not 0 <= quantity <= self.left:
            raise Malformed(f"{quantity} units are to be left of {self.left}")
        self.left = quantity
        self.given = {name: parts[:quantity] for name, parts in self.given.items()}

    def remains(self) -> dict[str, int]:
        sums = {name: sum(parts) for name, parts in self.given.items()}
        return {"quantity": self.left, "list_amount": self.unit_price * self.left, **sums}


# What a statement comes to


def withheld(service_net: int, base_carry_in: int) -> tuple[int, int, int]:
    """The base of income tax, the tax of 3 % and the local tax of a tenth; both cut below ten."""
    base = service_net + base_carry_in
    income = max(base, 0) * 30_000 // MILLION // 10 * 10
    return base, income, income // 10 // 10 * 10


def settled(given: dict) -> dict[str, int]:
    """The figures of a statement, from the net of its lines to the payout."""
    gross = given["net"] + given.get("carry_in", 0) + given.get("released_holds", 0)
    new_holds, released = given.get("new_holds", 0), given.get("reserve_released", 0)
    hold = min(new_holds, max(gross, 0))
    payable = gross - hold
    reserve = max(payable, 0) * given.get("reserve_ppm", 0) // MILLION
    base, income, local = withheld(given.get("service_net", 0), given.get("base_carry_in", 0))
    available = payable - reserve - income - local + released
    is_paid = available > 0 and available >= given.get("minimum_payout", 0)
    covers = 0 if is_paid else min(released, max(-payable, 0))
    return {
        "gross": gross,
        "hold_taken": hold,
        "hold_unfilled": new_holds - hold,
        "payable": payable,
        "reserve": reserve if is_paid else 0,
        "withholding_income": income if is_paid else 0,
        "withholding_local": local if is_paid else 0,
        "payout": available if is_paid else 0,
        "carry_out": 0 if is_paid else payable + covers,
        "reserve_released_left": 0 if is_paid else released - covers,
        "base_carried": min(base, 0) if is_paid else base,
    }


# A bundle and its lines


@dataclass
class Line:
    """A row of lines.csv; `text` has its texts and `number` its whole numbers, by column."""

    text: dict[str, str]
    number: dict[str, int]

    @property
    def key(self) -> tuple[str, int]:
        return self.text["order"], self.number["line"]

    @property
    def place(self) -> str:
        return f"order {self.text['order']}, line {self.text['line']}, #{self.text['sequence']}"

    def history(self) -> list[dict[str, int]]:
        """What was left of the order line after each of its settlement lines up to this one."""
        if not self.number["sequence"]:
            return [{name: self.number[name] for name in AMOUNTS}]
        steps = [step.split(" ") for step in self.text["history"].split(";")]
        return [
            {name: int(value) for name, value in zip(AMOUNTS, step, strict=True)} for step in steps
        ]

    def charges(self) -> list[tuple[int, int, int]]:
        values = [int(value) for value in self.text["charges"].split()]
        if len(values) % 3:
            raise Malformed("charges are not base, fee and VAT of each component")
        return [tuple(values[at : at + 3]) for at in range(0, len(values), 3)]


@dataclass
class Bundle:
    """What was read of a bundle, and what is wrong with it."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    lines_digest: str = ""
    terms: dict[str, dict] = field(default_factory=dict)
    statement: dict = field(default_factory=dict)

    @property
    def document(self) -> dict:
        return _mapping(self.statement.get("document"))

    @property
    def figures(self) -> dict:
        return _mapping(self.document.get("figures"))

    @property
    def head(self) -> str:
        return str(self.statement.get("head", ""))

    @property
    def number(self) -> int:
        number = self.document.get("number")
        return number if isinstance(number, int) else 0

    @property
    def title(self) -> str:
        about = self.document
        return f"statement no. {self.number} of {about.get('seller')}, due {about.get('due_on')}"

    def find(self, file: str, where: str, what: str) -> None:
        self.findings.append(Finding(f"{self.name}/{file}", where, what))


def check(path: Path, *, public_key: str = "") -> Bundle:
    """Read one bundle and check all that it says by itself."""
    bundle = Bundle(path.name)
    _read(path, bundle)
    _check_manifest(bundle)
    _read_statement(bundle)
    _read_terms(bundle)
    _read_lines(bundle)
    _check_digests(bundle)
    for line in bundle.lines:
        _check_line(bundle, line)
    _check_histories([bundle])
    _check_sums(bundle)
    _check_payout(bundle)
    _check_signature(bundle, public_key)
    return bundle


def _read(path: Path, bundle: Bundle) -> None:
    """Take the files from a ZIP, or from the folder that it was unpacked to."""
    if path.is_dir():
        bundle.files = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise Unreadable(f"{path} is no bundle that can be read: {error}") from error
        with archive:
            for name in archive.namelist():
                try:
                    bundle.files[name] = archive.read(name)
                except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
                    bundle.find(name, "", f"is damaged in the ZIP: {error}")
    wanted = {*CONTENTS, MANIFEST}
    for name in sorted(wanted - bundle.files.keys()):
        bundle.find(name, "", "is missing")
    for name in sorted(bundle.files.keys() - wanted):
        bundle.find(name, "", "does not belong into a bundle")


def manifest_of(files: dict[str, bytes]) -> bytes:
    """The manifest that files should come with, to the byte."""
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    return (json.dumps({"format": FORMAT, "files": digests}, indent=2) + "\n").encode()


def _check_manifest(bundle: Bundle) -> None:
    present = {name: bundle.files[name] for name in CONTENTS if name in bundle.files}
    if bundle.files.get(MANIFEST) in (None, manifest_of(present)):
        return
    told = _mapping(_mapping(_json(bundle, MANIFEST)).get("files"))
    changed = [name for name, content in present.items() if told.get(name) != _sha256(content)]
    for name in changed:
        bundle.find(name, "", "was changed: its SHA-256 is not the one in manifest.json")
    # Where one file alone is named, the fault may as well be the manifest's own.
    bundle.find(MANIFEST, "", "is not the manifest of these files")


def _read_statement(bundle: Bundle) -> None:
    bundle.statement = _mapping(_json(bundle, "statement.json"))
    if bundle.document.get("format") != FORMAT:
        bundle.find("statement.json", "format", f"should be {FORMAT}: is this program too old?")
    if _sha256(_canonical(bundle.document)) != bundle.head:
        bundle.find("statement.json", "head", "is not the SHA-256 of the document: one was changed")
    expected = pretty(bundle.statement)
    if bundle.statement and bundle.files["statement.json"] != expected:
        bundle.find("statement.json", "", "is not written as bundles are")


def _read_terms(bundle: Bundle) -> None:
    rules = _mapping(_json(bundle, "rules.json"))
    bundle.terms = {
        str(name): _mapping(terms) for name, terms in _mapping(rules.get("terms")).items()
    }
    sealed = bundle.document.get("terms")
    sealed = [str(digest) for digest in sealed] if isinstance(sealed, list) else []
    for name, terms in bundle.terms.items():
        digest = _sha256(_canonical(terms))
        if digest not in sealed or not digest.startswith(name):
            bundle.find("rules.json", f"terms {name}", "were changed: the statement has others")
    for digest in sealed:
        if digest[:12] not in bundle.terms:
            bundle.find("rules.json", f"terms {digest[:12]}", "are missing")
    if rules and bundle.files["rules.json"] != pretty(rules):
        bundle.find("rules.json", "", "is not written as bundles are")


def _read_lines(bundle: Bundle) -> None:
    raw = bundle.files.get("lines.csv")
    if raw is None:
        return
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        bundle.find("lines.csv", f"row {row}", "is no UTF-8")
        text = raw.decode("utf-8", "replace")
    if not text.endswith("\n"):
        bundle.find("lines.csv", f"row {text.count(chr(10)) + 1}", "does not end as it should")
    rows = _rows(text)
    if next(rows, None) != (1, ",".join(COLUMNS)):
        bundle.find("lines.csv", "row 1", "does not name the columns as it should")
    digest = hashlib.sha256()
    for number, written in rows:
        _read_line(bundle, number, written)
        digest.update(hashlib.sha256(written.rpartition(",")[0].encode()).digest())
    bundle.lines_digest = digest.hexdigest()


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Each row with its number; only an order number may hold the end of a line, in quotes."""
    lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
    at = 0
    while at < len(lines):
        end = at + 1
        if lines[at].count('"') % 2:
            ends = range(at + 2, min(at + 20, len(lines)) + 1)
            end = next((e for e in ends if _fits("\n".join(lines[at:e]))), end)
        yield at + 1, "\n".join(lines[at:end])
        at = end


def _fits(row: str) -> bool:
    """Whether a row ends with its own check sum."""
    body, _, check = row.rpartition(",")
    return check == _sha256(body.encode())[:8]


def _read_line(bundle: Bundle, number: int, written: str) -> None:
    try:
        row = next(csv.reader([written]), [])
    except csv.Error as error:
        bundle.find("lines.csv", f"row {number}", f"cannot be read: {error}")
        return
    if len(row) != len(COLUMNS):
        what = f"has {len(row)} columns instead of {len(COLUMNS)}"
        bundle.find("lines.csv", f"row {number}", what)
        return
    line = Line(dict(zip(COLUMNS, row, strict=True)), {})
    if not _fits(written):
        place = f"row {number}, {line.place}"
        bundle.find("lines.csv", place, "was changed: its check sum is another")
    for name in COLUMNS:
        if name not in WHOLE_NUMBERS:
            continue
        if not re.fullmatch(r"-?[0-9]{1,18}", line.text[name], re.ASCII):
            what = f"{name} is no whole number: {line.text[name]!r}"
            bundle.find("lines.csv", line.place, what)
            return
        line.number[name] = int(line.text[name])
    bundle.lines.append(line)


def _check_digests(bundle: Bundle) -> None:
    """What the head covers of the lines, and that each is there once."""
    about = _mapping(bundle.document.get("lines"))
    if "lines.csv" in bundle.files and about.get("sha256") != bundle.lines_digest:
        bundle.find("lines.csv", "", "was changed: the statement was sealed with other lines")
    if about.get("count") != len(bundle.lines):
        what = f"should be {about.get('count')} lines, are {len(bundle.lines)}"
        bundle.find("lines.csv", "", what)
    seen = set()
    for line in bundle.lines:
        key = (*line.key, line.number["sequence"])
        if key in seen:
            bundle.find("lines.csv", line.place, "is there twice")
        seen.add(key)


def _check_line(bundle: Bundle, line: Line) -> None:
    """Compute a line again from its inputs and rules, and name each figure that differs."""
    try:
        differences = list(_differences(bundle, line))
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        differences = [f"cannot be computed again: {_told(error)}"]
    for what in differences:
        bundle.find("lines.csv", line.place, what)


def _differences(bundle: Bundle, line: Line) -> Iterator[str]:
    if line.text["kind"] == "adjustment":
        yield from _wrong_adjustment(line)
        return
    terms = bundle.terms.get(line.text["terms"])
    if terms is None:
        raise Malformed(f"rules.json has no terms {line.text['terms']}")
    history = line.history()
    sequence = line.number["sequence"]
    kind = "reversal" if sequence else "sale"
    if line.text["kind"] != kind:
        yield f"kind should be {kind}, is {line.text['kind']}"
    if len(history) != sequence + 1:
        yield f"history should have {sequence + 1} steps, has {len(history)}"
        return
    yield from _wrong_remainders(line, history)
    sold = worth(terms, history[0])
    if sequence:
        before, after = history[-2], history[-1]
        value = worth(terms, after, sold).less(
            sold if sequence == 1 else worth(terms, before, sold)
        )
        for name in AMOUNTS:
            yield from _unless_equal(name, after[name] - before[name], line.number[name])
    else:
        value = sold
    components = [charge["component"] for charge in terms["charges"]]
    for component, expected, found in zip(components, value.charges, line.charges(), strict=True):
        for what, right, wrong in zip(("base", "fee", "VAT"), expected, found, strict=True):
            yield from _unless_equal(f"{component} {what}", right, wrong)
    for name in ("fee", "vat", "net"):
        yield from _unless_equal(name, getattr(value, name), line.number[name])


def _wrong_adjustment(line: Line) -> Iterator[str]:
    """An amount that two people agreed on stands for itself; only its net can be computed."""
    for name in ("sequence", *AMOUNTS):
        yield from _unless_equal(name, 0, line.number[name])
    fee, vat = line.number["fee"], line.number["vat"]
    if line.charges() != [(fee, fee, vat)]:
        yield f"charges should be {fee} {fee} {vat}"
    yield from _unless_equal("net", -fee - vat, line.number["net"])


def _wrong_remainders(line: Line, history: list[dict[str, int]]) -> Iterator[str]:
    """Do to the ordered units again what the history says was done to them."""
    ordered, sold = line.number["ordered"], history[0]["quantity"]
    if not 0 <= sold <= ordered <= MOST_UNITS:
        raise Malformed(f"{sold} of {ordered} units are no figure of an order")
    given = {name: line.number[f"ordered_{name}"] for name in DISCOUNTS}
    if len(history) == 1 and sold == ordered:
        expected = [{"quantity": sold, "list_amount": line.number["unit_price"] * sold, **given}]
    else:
        units = Units(line.number["unit_price"], ordered, given)
        units.keep(sold)
        expected = [units.remains()]
        for before, after in pairwise(history):
            if after["quantity"] < before["quantity"]:
                units.keep(after["quantity"])
            else:
                for name in DISCOUNTS:
                    units.reduce(name, after[name] - before[name])
            expected.append(units.remains())
    for step, (right, found) in enumerate(zip(expected, history, strict=True)):
        for name in AMOUNTS:
            label = name if len(history) == 1 else f"history, step {step}, {name}"
            yield from _unless_equal(label, right[name], found[name])


def _check_histories(bundles: list[Bundle]) -> None:
    """All that is said of one order line, in whichever bundle, is one story by one set of terms."""
    told: dict[tuple[str, int], tuple[str, list[dict[str, int]]]] = {}
    for bundle in bundles:
        for line in bundle.lines:
            try:
                history = line.history()
            except ValueError:
                continue  # named already
            terms, known = told.setdefault(line.key, (line.text["terms"], history))
            if line.text["terms"] != terms:
                what = f"goes by terms {line.text['terms']}, other lines of it by {terms}"
                bundle.find("lines.csv", line.place, what)
            for step, (one, another) in enumerate(zip(known, history, strict=False)):
                if one != another:
                    what = f"step {step} of its history is told in two ways"
                    bundle.find("lines.csv", line.place, what)
            if len(history) > len(known):
                told[line.key] = (terms, history)


def _check_sums(bundle: Bundle) -> None:
    for name in SUMMED:
        total = sum(line.number[name] for line in bundle.lines)
        for what in _unless_equal(f"figures, {name}", total, bundle.figures.get(name)):
            bundle.find("statement.json", "", f"{what} (the sum of the lines)")
    sums: dict[str, list[int]] = {}
    for line in bundle.lines:
        charges = _mapping(bundle.terms.get(line.text["terms"])).get("charges") or ()
        if line.text["kind"] == "adjustment":
            charges = [{"component": ADJUSTMENT + line.text["stream"], "vat_kind": "exclusive"}]
        try:
            for charge, (_, fee, vat) in zip(charges, line.charges(), strict=True):
                row = sums.setdefault(charge["component"], [0, 0, 0])
                is_on_top = charge["vat_kind"] == "exclusive"
                for at, amount in enumerate((fee, vat, vat if is_on_top else 0)):
                    row[at] += amount
        except (ValueError, KeyError, TypeError):
            continue  # named already
    found = _mapping(bundle.figures.get("components"))
    for component in sorted(sums.keys() | found.keys()):
        expected = sums.get(component, [0, 0, 0])
        for what in _unless_equal(f"figures, {component}", expected, found.get(component)):
            bundle.find("statement.json", "", f"{what} (fee, VAT, VAT on top of the lines)")


def _check_payout(bundle: Bundle) -> None:
    """Carry, reserve and payout, from the net of the lines and the terms of payment."""
    given = {**bundle.figures, **_mapping(bundle.document.get("payout_terms"))}
    try:
        expected = settled(given)
    except (KeyError, TypeError, ValueError) as error:
        bundle.find("statement.json", "figures", f"cannot be computed again: {_told(error)}")
        return
    invoiced = given.get("debt_invoiced", 0)
    if not 0 <= invoiced <= max(-expected["carry_out"], 0):
        bundle.find("statement.json", "figures, debt_invoiced", f"is no part of a debt: {invoiced}")
    expected["carry_out"] += invoiced
    for name in expected.keys() & bundle.figures.keys():
        for what in _unless_equal(f"figures, {name}", expected[name], bundle.figures[name]):
            bundle.find("statement.json", "", what)


def _check_signature(bundle: Bundle, public_key: str) -> None:
    own = str(bundle.statement.get("public_key", ""))
    if public_key and own != public_key:
        bundle.find("statement.json", "public_key", f"is not the one that you gave: {own}")
    try:
        key = bytes.fromhex(own)
        signature = bytes.fromhex(str(bundle.statement.get("signature", "")))
    except ValueError:
        bundle.find("statement.json", "signature", "or public_key is not hexadecimal")
        return
    if bundle.statement.get("key") != _sha256(key)[:16]:
        bundle.find("statement.json", "key", "is not the id of the public key")
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        bundle.notes.append("The signature was not checked: `pip install cryptography` for that.")
        return
    message = f"jangteo statement\n{bundle.statement.get('marketplace')}\n{bundle.head}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        bundle.find("statement.json", "signature", "is not the marketplace's over this head")
        return
    if not public_key:
        bundle.notes.append(
            f"Signed with the key {bundle.statement.get('key')}. Compare its public half with what "
            "the marketplace shows, or give that with --key."
        )


# Several bundles, kept heads, own orders


def check_chain(bundles: list[Bundle]) -> None:
    """That each statement follows the one before it, in head and in carry."""
    chains: dict[object, list[Bundle]] = {}
    for bundle in bundles:
        chains.setdefault(bundle.document.get("seller"), []).append(bundle)
    for chain in chains.values():
        chain.sort(key=lambda bundle: bundle.number)
        first = chain[0]
        if first.number == 1 and first.document.get("previous_head") != NO_HEAD:
            first.find("statement.json", "previous_head", "of a first statement is 64 zeros")
        elif first.number > 1:
            first.notes.append("Give the bundle before it as well, and the link is checked.")
        for before, after in pairwise(chain):
            _check_link(before, after)
        _check_histories(chain)


def _check_link(before: Bundle, after: Bundle) -> None:
    if after.number != before.number + 1:
        after.notes.append(
            f"The bundles between no. {before.number} and {after.number} are missing."
        )
        return
    if after.document.get("previous_head") != before.head:
        what = f"is not the head of no. {before.number}: one of the two was made anew"
        after.find("statement.json", "previous_head", what)
    settled_between = after.figures.get("debt_settled", 0)
    if settled_between:
        after.notes.append(f"Of the debt, {settled_between} was paid or given up in between.")
        if not 0 <= settled_between <= -before.figures.get("carry_out", 0):
            after.find("statement.json", "figures, debt_settled", "is more than the debt was")
    for out, taken_in, more in (
        ("carry_out", "carry_in", settled_between),
        ("base_carried", "base_carry_in", 0),
    ):
        expected, found = before.figures.get(out, 0) + more, after.figures.get(taken_in)
        for what in _unless_equal(f"figures, {taken_in}", expected, found):
            after.find("statement.json", "", f"{what} (carried out of no. {before.number})")


def check_heads(bundles: list[Bundle], kept: str) -> None:
    """That a bundle has the head that its seller kept: one that was made anew has another.

    `kept` is a head, or the text of a file of them; with columns `due_on` and `head`, by due date.
    """
    rows = list(csv.reader(io.StringIO(kept.removeprefix("\ufeff"))))
    heads = set(HEAD.findall(kept.lower()))
    by_day = {}
    if rows and {"due_on", "head"} <= set(rows[0]):
        day, head = rows[0].index("due_on"), rows[0].index("head")
        by_day = {row[day]: row[head] for row in rows[1:] if len(row) > max(day, head)}
    if not heads:
        raise Unreadable("--head has no head: 64 hexadecimal digits, or a file of such")
    for bundle in bundles:
        expected = by_day.get(str(bundle.document.get("due_on")))
        if expected is not None and expected != bundle.head:
            what = f"is {bundle.head}, you kept {expected}: it was made anew"
            bundle.find("statement.json", "head", what)
        elif bundle.head not in heads:
            bundle.find("statement.json", "head", f"{bundle.head} is none of those you kept")


def check_orders(bundles: list[Bundle], text: str, name: str) -> list[Finding]:
    """Hold a seller's own orders against the sales: missing, extra, and other amounts.

    Columns `order`, `line`, `quantity`, `unit_price`, and if you like `seller_discount`,
    `platform_discount`, `partner_discount`; one row for each line that buyers confirmed. The
    return shipping of an order comes of a claim: it may be left out.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    columns = reader.fieldnames or []
    for column in ("order", "line", "quantity", "unit_price"):
        if column not in columns:
            raise Unreadable(f"{name}: the column “{column}” is missing; see docs/proof.md")
    sales = {
        (_unmarked(order), number): (bundle, line)
        for bundle in bundles
        for line in bundle.lines
        if line.text["kind"] == "sale"
        for order, number in [line.key]
    }
    compared = [c for c in ("unit_price", "quantity", *DISCOUNTS) if c in columns]
    findings, seen = [], set()
    for at, row in enumerate(reader, 2):
        try:
            key = (_unmarked(row["order"]), int(row["line"]))
            own = {column: int(row[column] or 0) for column in compared}
        except (TypeError, ValueError, AttributeError):
            findings.append(
                Finding(name, f"row {at}", "has no whole numbers where there should be")
            )
            continue
        seen.add(key)
        if key not in sales:
            where = f"order {key[0]}, line {key[1]}"
            findings.append(Finding(name, where, "is on none of these statements"))
            continue
        bundle, line = sales[key]
        for column in compared:
            for what in _unless_equal(column, own[column], line.number[column]):
                bundle.find("lines.csv", line.place, f"{what} (by your own orders)")
    orders = {order for order, _ in seen}
    for key in sales.keys() - seen:
        bundle, line = sales[key]
        if line.text["stream"] == RETURN_SHIPPING and key[0] in orders:
            continue
        bundle.find("lines.csv", line.place, "is not among your own orders")
    return findings


# Small things


def pretty(value: dict) -> bytes:
    """JSON as bundles have it, to the byte."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(bundle: Bundle, name: str) -> object:
    """What a file holds; nothing, and a finding, where it cannot be read."""
    if name not in bundle.files:
        return None
    try:
        return json.loads(bundle.files[name].decode("utf-8"), parse_float=_no_fractions)
    except (ValueError, RecursionError) as error:
        bundle.find(name, "", f"cannot be read: {error}")
        return None


def _no_fractions(text: str) -> None:
    raise Malformed(f"{text} is no whole number")


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _unless_equal(name: str, expected: object, found: object) -> Iterator[str]:
    if expected != found or type(expected) is not type(found):
        yield f"{name} should be {expected}, is {found}"


def _unmarked(order: str) -> str:
    """An order number without the apostrophe that keeps spreadsheets from running it."""
    return order.strip().removeprefix("'")


def _told(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE", help="ZIP or folder")
    parser.add_argument("--head", help="the head that you kept, or a file of those you kept")
    parser.add_argument("--key", default="", help="the marketplace's public key, hexadecimal")
    parser.add_argument("--orders", type=Path, help="your own orders as CSV")
    given = parser.parse_args(arguments)
    try:
        bundles = [check(path, public_key=given.key.lower()) for path in given.bundles]
        check_chain(bundles)
        if given.head:
            is_head = HEAD.fullmatch(given.head.lower())
            check_heads(bundles, given.head if is_head else _text_of(Path(given.head)))
        extra = []
        if given.orders:
            extra = check_orders(bundles, _text_of(given.orders), given.orders.name)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    findings = [*(finding for bundle in bundles for finding in bundle.findings), *extra]
    for bundle in bundles:
        wrong = len(bundle.findings)
        verdict = f"{wrong} differences" if wrong else "everything agrees"
        print(f"{bundle.title}: {len(bundle.lines)} lines, {verdict}; head {bundle.head}")
        for note in bundle.notes:
            print(f"  {note}")
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
