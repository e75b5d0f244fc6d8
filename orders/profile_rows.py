"""What a profile makes of one row: typed values, or what is wrong with each of its cells.

Values in, values out. A reader is bound once to the header of a file and then asked row by row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from marketplace.refusals import Refused, gettext_noop
from orders import cells, profiles
from orders.cells import Cells, Columns, Parsers, Remark
from orders.profiles import FIELDS, LINES, ORDERS, Cell, Events, Profile


class TimeTakenFrom(Refused):
    """A repair."""

    code = "time_taken_from"
    message = gettext_noop("The time of “%(event)s” is not told; that of %(column)s was taken.")


class TimeMissing(Refused):
    """The order is imported, but something that happened to it has no time."""

    code = "time_missing"
    message = gettext_noop("By its status the order was “%(event)s”, but no time of it is told.")


REPAIRS: Final[Mapping[str, type[Refused]]] = {
    kind.code: kind for kind in (TimeTakenFrom, cells.TimeSkipped, cells.TextCut, TimeMissing)
}


@dataclass(frozen=True, slots=True)
class Found:
    """A usable row of a table. `remarks` are repairs, as column, code and parameters."""

    role: str
    values: dict[str, Any]
    remarks: list[tuple[str, str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A row that the profile keeps out."""

    key: str
    head: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be used, with each column that is to blame and why."""

    key: str
    problems: list[tuple[str, Refused]]


Read = Found | Listed | Bad


def bind(
    profile: Profile, role: str, header: Sequence[str], file: str, *, exponent: int, at: datetime
) -> Callable[[Cells], Read]:
    """Return what reads the rows of a table under this header.

    Refuses a header without a column that the profile names. `at` is now: what lies in the
    future is no history. Orders without files of their own are read from the rows of lines.
    """
    columns = Columns(header, file)
    parsers = Parsers(profile, exponent, at)
    read = _TableReader(role, profile.tables[role].cells, columns, parsers)
    if role == ORDERS:
        return _with_events(read, _EventReader(profile.events, columns, parsers))
    if role == LINES:
        return _sorted_out(profile, read, columns, parsers)
    return read


def check_header(profile: Profile, role: str, header: Sequence[str], file: str) -> None:
    """Refuse a header without a column that the profile names for a table."""
    bind(profile, role, header, file, exponent=0, at=cells.EPOCH)


class _TableReader:
    """Reads the fields of one table from a row."""

    def __init__(
        self, role: str, fields: Mapping[str, Cell], columns: Columns, parsers: Parsers
    ) -> None:
        self._role = role
        self._fields = [
            (name, cell.name, columns.getter(cell), parsers.parser(cell, FIELDS[role][name]))
            for name, cell in fields.items()
        ]

    def key(self, row: Cells) -> str:
        """What a person knows the row by."""
        return self._fields[0][2](row)[:100]

    def __call__(self, row: Cells) -> Found | Bad:
        values: dict[str, Any] = {}
        remarks: list[tuple[str, str, dict[str, Any]]] = []
        problems: list[tuple[str, Refused]] = []

        def remark(column: str, code: str, params: dict[str, Any]) -> None:
            remarks.append((column, code, params))

        for name, column, get, parse in self._fields:
            try:
                values[name] = parse(get(row), remark)
            except Refused as refusal:
                problems.append((column, refusal))
        if problems:
            return Bad(self.key(row), problems)
        return Found(self._role, values, remarks)


class _EventReader:
    """Reads from a row which events an order has behind it, and when each was."""

    def __init__(self, events: Events, columns: Columns, parsers: Parsers) -> None:
        self._events = events
        self._parsers = parsers
        self._status = columns.getter(events.status) if events.status else lambda row: ""
        self._places = {
            column: columns.place(column) for when in events.at.values() for column in when.columns
        }

    def __call__(self, row: Cells, remark: Remark) -> list[list[Any]]:
        """Return kind and moment of each. Refuses an unknown status and unreadable times."""
        status = self._status(row)
        if status not in self._events.by_status:
            assert self._events.status is not None  # noqa: S101
            raise cells.ValueNotMapped(field=self._events.status.name, value=status[:40])
        found: list[list[Any]] = []
        for happened in self._events.by_status[status]:
            moment = self._moment(happened.kind, row, remark)
            if moment is not None:
                found.append([happened.kind, moment])
            elif not happened.is_optional:
                column = "/".join(self._events.at[happened.kind].columns)
                remark(column, TimeMissing.code, {"event": happened.kind})
        return found

    def _moment(self, kind: str, row: Cells, remark: Remark) -> int | None:
        when = self._events.at[kind]
        told = [
            (self._parsers.moment(column, text, remark), column)
            for column in when.columns
            if (text := row[self._places[column]].strip())
        ]
        if not told:
            return None
        moment, column = max(told) if when.is_latest else told[0]
        if when.is_latest or column != when.columns[0]:
            remark(when.columns[0], TimeTakenFrom.code, {"event": kind, "column": column})
        return self._parsers.later(moment, when.after_days) if when.after_days else moment


def _with_events(read: _TableReader, events: _EventReader) -> Callable[[Cells], Found | Bad]:
    def read_order(row: Cells) -> Found | Bad:
        found = read(row)
        remarks: list[tuple[str, str, dict[str, Any]]] = []
        try:
            happened = events(row, lambda *remark: remarks.append(remark))
        except Refused as refusal:
            column = str(refusal.params.get("field", ""))
            if isinstance(found, Bad):
                # The same cell may be a field of the order as well as the time of an event.
                if column not in [blamed for blamed, _ in found.problems]:
                    found.problems.append((column, refusal))
                return found
            return Bad(read.key(row), [(column, refusal)])
        if isinstance(found, Found):
            found.values["events"] = happened
            found.remarks.extend(remark for remark in remarks if remark not in found.remarks)
        return found

    return read_order


def _sorted_out(
    profile: Profile, read_line: _TableReader, columns: Columns, parsers: Parsers
) -> Callable[[Cells], Read]:
    """Tell rows that are kept out and rows that cancel from the lines of orders."""

    def ask(test: profiles.Test) -> Callable[[Cells], bool]:
        return cells.question(test, columns, profile.decimal_separator)

    kept_out = [(list(map(ask, rule.tests)), rule) for rule in profile.kept_out]
    cancels: list[Callable[[Cells], bool]] = []
    read_cancel: _TableReader | None = None
    if profile.cancels:
        tests, fields = profile.cancels
        cancels = list(map(ask, tests))
        read_cancel = _TableReader(profiles.CANCELS, fields, columns, parsers)

    def read(row: Cells) -> Read:
        for questions, rule in kept_out:
            if all(asks(row) for asks in questions):
                return Listed(read_line.key(row), rule.head, rule.reason)
        if read_cancel and all(asks(row) for asks in cancels):
            return read_cancel(row)
        return read_line(row)

    return read
