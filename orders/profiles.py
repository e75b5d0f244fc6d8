"""The language of import profiles: how somebody's files say what an order is.

A profile is a document. It names the tables it reads and their files, the column of each field,
what to do with values, which rows are kept out, and which events follow from a status. Reading
it tells the field that cannot be used. What a profile makes of a row is in orders.profile_rows;
docs/import.md describes the language for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final
from zoneinfo import ZoneInfo

from marketplace import documents
from marketplace.documents import Part
from marketplace.refusals import gettext_noop
from orders import delimited, folding

TEXT: Final = "text"
AMOUNT: Final = "amount"
COUNT: Final = "count"  # a whole number from 1
MOMENT: Final = "moment"
TITLE: Final = "title"  # a text that may be cut
CURRENCY: Final = "currency"  # compared with the profile's, and not kept

ORDERS: Final = "orders"
LINES: Final = "lines"
PAYMENTS: Final = "payments"
SELLERS: Final = "sellers"
CATEGORIES: Final = "categories"
PRODUCTS: Final = "products"
CANCELS: Final = "cancels"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a table may have. `limit` is the most characters, or the largest number."""

    kind: str
    limit: int = 0
    is_needed: bool = False


# The first field of a table is what its rows are grouped by.
FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    ORDERS: {
        "number": Field(TEXT, 100, True),
        "placed_at": Field(MOMENT, is_needed=True),
        "buyer": Field(TEXT, 100),
        "channel": Field(TEXT, 30),
        "currency": Field(CURRENCY),
    },
    LINES: {
        "order": Field(TEXT, 100, True),
        "number": Field(COUNT, 1_000_000),
        "seller": Field(TEXT, 64, True),
        "sku": Field(TEXT, 100),
        "title": Field(TITLE, 300),
        "unit_price": Field(AMOUNT, is_needed=True),
        "quantity": Field(COUNT, 1_000_000, True),
        "seller_discount": Field(AMOUNT),
        "platform_discount": Field(AMOUNT),
        "partner_discount": Field(AMOUNT),
        "shipping": Field(AMOUNT),
        "delivery_group": Field(TEXT, 60),
        "category": Field(TEXT, 300),
        "tax_kind": Field(TEXT, 10),
        "referrer": Field(TEXT, 64),
        "referral_stream": Field(TEXT, 30),
        "currency": Field(CURRENCY),
    },
    PAYMENTS: {
        "order": Field(TEXT, 100, True),
        "sequence": Field(COUNT, 2**15 - 1),
        "kind": Field(TEXT, 40, True),
        "amount": Field(AMOUNT, is_needed=True),
        "provider_id": Field(TEXT, 100),
        "approved_at": Field(MOMENT),
        "currency": Field(CURRENCY),
    },
    SELLERS: {
        "code": Field(TEXT, 64, True),
        "name": Field(TITLE, 200, True),
        "business_number": Field(TEXT, 20),
    },
    CATEGORIES: {
        "code": Field(TEXT, 300, True),
        "name": Field(TITLE, 300, True),
    },
    PRODUCTS: {
        "code": Field(TEXT, 100, True),
        "title": Field(TITLE, 300),
        "category": Field(TEXT, 300),
    },
    CANCELS: {  # rows of the lines' table that take back what earlier rows sold
        "number": Field(TEXT, 100, True),
        "buyer": Field(TEXT, 100),
        "sku": Field(TEXT, 100, True),
        "unit_price": Field(AMOUNT, is_needed=True),
        "quantity": Field(COUNT, 1_000_000, True),
        "occurred_at": Field(MOMENT, is_needed=True),
    },
}
IN_FILES: Final = (ORDERS, LINES, PAYMENTS, SELLERS, CATEGORIES, PRODUCTS)


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a value is found in a row, and what is done to it, in the order of the fields here."""

    columns: tuple[str, ...] = ()  # the first that is not empty
    joined: tuple[str, ...] = ()  # all of them, a space between
    constant: str | None = None
    upper: bool = False
    drop_minus: bool = False
    first: int | None = None  # so many characters from the left
    prefix: str = ""
    values: Mapping[str, str] | None = None  # anything else is refused
    default: str = ""  # where there is nothing

    @property
    def name(self) -> str:
        """What a person looks for in the file."""
        return "+".join(self.joined) or "/".join(self.columns) or f"“{self.constant}”"


@dataclass(frozen=True, slots=True)
class Test:
    """A question about a cell. `is_negated` turns the answer round."""

    cell: Cell
    kind: str
    argument: Any
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class KeptOut:
    """Rows that are listed under a head instead of imported: all of the tests say yes."""

    head: str
    reason: str
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class When:
    """Where the time of an event stands."""

    columns: tuple[str, ...]  # taking any but the first is a repair
    is_latest: bool = False  # the latest of all columns, for what no column tells; a repair
    after_days: int = 0


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that a status implies; an optional one only where its time is known."""

    kind: str
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Events:
    """Which events have happened to an order."""

    status: Cell | None
    by_status: Mapping[str, tuple[Happened, ...]]  # "" where there is no status
    at: Mapping[str, When]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the sender. Without files, its fields stand in the rows of the lines."""

    files: tuple[str, ...]
    is_optional: bool
    cells: Mapping[str, Cell]

    def claims(self, name: str) -> bool:
        """Whether a file of this name is this table's."""
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in self.files)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that has been read and can be used."""

    name: str
    source: str
    currency: str
    zone: ZoneInfo
    encoding: str
    delimiter: str
    decimal_separator: str
    moments: str  # as strptime has it, or "iso"
    largest_amount: str  # in major units; empty for no limit but the system's
    says: tuple[str, ...]
    tables: Mapping[str, Table]
    kept_out: tuple[KeptOut, ...]
    cancels: tuple[tuple[Test, ...], Mapping[str, Cell]] | None
    events: Events
    total_paid_by: str  # kind of the one payment of all that an order costs; empty for none
    derived_sellers: str  # how sellers who are made from the lines are named: "Range {code}"
    makes_listings: bool
    holds_incomplete: bool


class UnknownZone(documents.BadDocument):
    code = "unknown_zone"
    message = gettext_noop("%(where)s is no time zone: %(found)s.")


class TableMissing(documents.BadDocument):
    code = "table_missing"
    message = gettext_noop("%(where)s has no table of %(table)s.")


class MomentsNotUsable(documents.BadDocument):
    code = "moments_not_usable"
    message = gettext_noop("%(where)s is no way to write a moment: %(found)s.")


_TESTS: Final = ("is", "like", "starts_with", "below", "at_most", "is_empty")


def parse(document: Any, where: str) -> Profile:
    """Read a profile. Refuses whatever cannot be used, naming the field."""
    with documents.reading(document, where) as part:
        style = part.part("format") if part.has("format") else Part({}, part.at("format"))
        tables = {role: _table(part.part(role), role) for role in IN_FILES if part.has(role)}
        for role in (ORDERS, LINES):
            if role not in tables:
                raise TableMissing(where=where, table=role)
        derived = part.part("derived_sellers") if part.has("derived_sellers") else None
        profile = Profile(
            name=part.text("name", longest=100),
            source=part.text("source", longest=40),
            currency=part.text("currency", longest=3),
            zone=_zone(part, "zone"),
            encoding=style.choice("encoding", list(delimited.ENCODINGS), "utf-8"),
            delimiter=style.choice("delimiter", (",", ";", "\t", "|"), ","),
            decimal_separator=style.choice("decimal_separator", (".", ","), "."),
            moments=_moments(style),
            largest_amount=part.text("largest_amount", ""),
            says=part.texts("says", ()),
            tables=tables,
            kept_out=tuple(_kept_out(each) for each in part.parts("kept_out", ())),
            cancels=_cancels(part.part("cancels")) if part.has("cancels") else None,
            events=_events(part.part("events")),
            total_paid_by=part.text("total_paid_by", "", longest=40),
            derived_sellers=derived.text("name", longest=100) if derived else "",
            makes_listings=part.flag("makes_listings", False),
            holds_incomplete=part.choice("bad_row", ("leave_out", "hold_order"), "leave_out")
            == "hold_order",
        )
        style.done()
        if derived:
            derived.done()
        return profile


def _zone(part: Part, name: str) -> ZoneInfo:
    found = part.text(name, longest=64)
    try:
        return ZoneInfo(found)
    except (KeyError, ValueError, OSError):
        raise UnknownZone(where=part.at(name), found=found) from None


def _moments(part: Part) -> str:
    found: str = part.text("moments", "iso", longest=40)
    if found != "iso":
        a_moment = datetime(2026, 11, 30, 23, 59, 58)  # noqa: DTZ001
        try:
            datetime.strptime(a_moment.strftime(found), found)  # noqa: DTZ007
        except ValueError:
            raise MomentsNotUsable(where=part.at("moments"), found=found) from None
    return found


def _table(part: Part, role: str) -> Table:
    table = Table(
        files=part.texts("files", ()) if role == ORDERS else part.texts("files"),
        is_optional=part.flag("optional", False),
        cells=_cells(part.part("fields"), role),
    )
    part.done()
    return table


def _cells(part: Part, role: str) -> Mapping[str, Cell]:
    cells = {}
    for name, field in FIELDS[role].items():
        if field.is_needed or part.has(name):
            cells[name] = _cell(part.raw(name), part.at(name))
    part.done()
    return cells


def _cell(value: Any, where: str) -> Cell:
    """Read a cell: the name of a column, or a group that says more."""
    if isinstance(value, str):
        value = {"column": value}
    with documents.reading(value, where) as part:
        return _cell_of(part)


def _cell_of(part: Part) -> Cell:
    """Read the fields of a cell from a group that may hold further ones."""
    columns, joined = part.texts("columns", ()), part.texts("join", ())
    if part.has("column"):
        columns = (part.text("column"),)
    constant = part.text("constant", None)
    if sum(map(bool, (columns, joined, constant))) != 1:
        raise documents.FieldMissing(where=part.at("column"))
    return Cell(
        columns=columns,
        joined=joined,
        constant=constant,
        upper=part.flag("upper", False),
        drop_minus=part.flag("drop_minus", False),
        first=part.integer("first", None, low=1, high=300),
        prefix=part.text("prefix", ""),
        values=_values(part),
        default=part.text("default", ""),
    )


def _values(part: Part) -> Mapping[str, str] | None:
    if not part.has("values"):
        return None
    with documents.reading(part.raw("values"), part.at("values")) as values:
        return {name: values.text(name) for name in part.raw("values")}


def _test(part: Part) -> Test:
    kind = next((name for name in _TESTS if part.has(name)), "is")
    argument: Any
    if kind in ("is", "like"):
        argument = part.texts(kind)
    elif kind == "is_empty":
        argument = part.flag(kind)
    elif kind == "starts_with":
        argument = part.text(kind)
    else:
        argument = part.integer(kind, low=-(10**15))
    test = Test(_cell_of(part), kind, argument, part.flag("not", False))
    part.done()
    return test


def _kept_out(part: Part) -> KeptOut:
    kept_out = KeptOut(
        head=part.text("head", longest=60),
        reason=part.text("reason", longest=500),
        tests=tuple(_test(each) for each in part.parts("when")),
    )
    part.done()
    return kept_out


def _cancels(part: Part) -> tuple[tuple[Test, ...], Mapping[str, Cell]]:
    tests = tuple(_test(each) for each in part.parts("when"))
    cells = _cells(part.part("fields"), CANCELS)
    part.done()
    return tests, cells


def _events(part: Part) -> Events:
    at = {kind: _when(part.raw(kind), part.at(kind)) for kind in _KINDS if part.has(kind)}
    status = _cell(part.raw("status"), part.at("status")) if part.has("status") else None
    if status is None:
        by_status = {"": tuple(Happened(kind, True) for kind in at)}
    else:
        given = part.part("by_status")
        by_status = {name: _happened(given, name, at) for name in part.raw("by_status")}
        given.done()
    part.done()
    return Events(status, by_status, at)


_KINDS: Final = (
    folding.PAID,
    folding.ACKNOWLEDGED,
    folding.SHIPPED,
    folding.DELIVERED,
    folding.CONFIRMED,
    folding.CANCELLED,
)


def _happened(part: Part, status: str, at: Mapping[str, When]) -> tuple[Happened, ...]:
    """Read the events of a status: "paid", or "shipped?" where its time may be missing."""
    happened = []
    for text in part.texts(status):
        kind = text.removesuffix("?")
        if kind not in at:
            choices = ", ".join(at)
            raise documents.FieldNotListed(where=part.at(status), choices=choices, found=text)
        happened.append(Happened(kind, text.endswith("?")))
    return tuple(happened)


def _when(value: Any, where: str) -> When:
    """Read where a time stands: a column, a list of them, or a group that says more."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        value = {"columns": value}
    with documents.reading(value, where) as part:
        if part.has("latest"):
            return When(part.texts("latest"), is_latest=True)
        return When(part.texts("columns"), after_days=part.integer("after_days", 0, high=366))
