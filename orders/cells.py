"""What a profile makes of one cell: the text it takes, the value that is, the answer to a test.

Values in, values out. Amounts become minor units, moments microseconds since 1970: what JSON can
hold. A text that cannot be used is refused, naming its column.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from marketplace import money
from marketplace.refusals import Refused, gettext_noop
from orders import profiles, verdicts
from orders.profiles import Cell, Field, Profile, Test

Cells = Sequence[str]
Get = Callable[[Cells], str]
Remark = Callable[[str, str, dict[str, Any]], None]  # column, code, parameters

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_REMEMBERED: Final = 20_000  # prices and moments repeat from row to row


class ColumnMissing(Refused):
    code = "column_missing"
    message = gettext_noop("%(file)s has no column “%(column)s”. It has: %(columns)s.")


class ValueNotMapped(verdicts.FieldNotUsable):
    code = "value_not_mapped"
    message = gettext_noop("%(field)s is “%(value)s”, which the profile does not know.")


class WrongCurrency(verdicts.FieldNotUsable):
    code = "wrong_currency"
    message = gettext_noop("%(field)s is “%(value)s”, but the marketplace has %(currency)s.")


class MomentNotReadable(verdicts.FieldNotUsable):
    code = "moment_not_readable"
    message = gettext_noop("%(field)s is no moment as the profile writes them: %(value)s.")


class TimeSkipped(Refused):
    """A repair."""

    code = "time_skipped"
    message = gettext_noop(
        "%(field)s is %(value)s, which the clocks of the zone skipped; the next hour was taken."
    )


class TextCut(Refused):
    """A repair."""

    code = "text_cut"
    message = gettext_noop("%(field)s was cut to its first %(limit)s characters.")


class Columns:
    """The places of columns in a file."""

    def __init__(self, header: Sequence[str], file: str) -> None:
        self._header = list(header)
        self._file = file

    def place(self, column: str) -> int:
        if self._header.count(column) != 1:
            shown = ", ".join(self._header)[:300]
            raise ColumnMissing(file=self._file, column=column, columns=shown)
        return self._header.index(column)

    def getter(self, cell: Cell) -> Get:
        get = self._raw(cell)
        plain = (cell.upper, cell.drop_minus, cell.first, cell.prefix, cell.values, cell.default)
        if plain == (False, False, None, "", None, ""):
            return get

        def transformed(cells: Cells) -> str:
            value = get(cells)
            if cell.upper:
                value = value.upper()
            if cell.drop_minus:
                value = value.removeprefix("-")
            if cell.first is not None:
                value = value[: cell.first]
            if value and cell.prefix:
                value = cell.prefix + value
            if value and cell.values is not None:
                if value not in cell.values:
                    raise ValueNotMapped(field=cell.name, value=value[:40])
                value = cell.values[value]
            return value or cell.default

        return transformed

    def _raw(self, cell: Cell) -> Get:
        if cell.constant is not None:
            constant = cell.constant
            return lambda cells: constant
        if cell.joined:
            joined = [self.place(column) for column in cell.joined]
            return lambda cells: " ".join(filter(None, (cells[at].strip() for at in joined)))
        first, *others = (self.place(column) for column in cell.columns)
        if not others:
            return lambda cells: cells[first].strip()
        return lambda cells: next(
            (found for at in (first, *others) if (found := cells[at].strip())), ""
        )


class Parsers:
    """How texts become values, as a profile writes them."""

    def __init__(self, profile: Profile, exponent: int, at: datetime) -> None:
        self._profile = profile
        separator = profile.decimal_separator
        largest = verdicts.LARGEST_AMOUNT
        if profile.largest_amount:
            largest = min(money.parse(profile.largest_amount, exponent), largest)
        self._largest = largest
        self._latest = at + verdicts.CLOCK_SKEW

        @lru_cache(_REMEMBERED)
        def amount(text: str) -> int:
            return money.parse(text, exponent, decimal_separator=separator)

        @lru_cache(_REMEMBERED)
        def count(text: str) -> int:
            return money.parse(text, 0, decimal_separator=separator)

        self._amount, self._count = amount, count
        self._moment = lru_cache(_REMEMBERED)(self._read_moment)

    def parser(self, cell: Cell, field: Field) -> Callable[[str, Remark], Any]:
        """Return what reads the text of a cell; an empty one is None, or "" for texts."""
        name = cell.name
        parse = getattr(self, f"_{field.kind}_parser")(name, field)
        empty = "" if field.kind in (profiles.TEXT, profiles.TITLE) else None

        def parse_or_empty(text: str, remark: Remark) -> Any:
            if text:
                return parse(text, remark)
            if field.is_needed:
                raise verdicts.FieldMissing(field=name)
            return empty

        return parse_or_empty

    def moment(self, name: str, text: str, remark: Remark) -> int:
        """Read a moment that has been."""
        try:
            found, is_skipped = self._moment(text)
        except ValueError:
            raise MomentNotReadable(field=name, value=text[:40]) from None
        moment = EPOCH + found * _MICROSECOND
        if moment < verdicts.EARLIEST:
            raise verdicts.DateNotUsable(field=name, value=text[:40])
        if moment > self._latest:
            raise verdicts.InFuture(field=name, value=text[:40])
        if is_skipped:
            remark(name, TimeSkipped.code, {"field": name, "value": text[:40]})
        return found

    def later(self, moment: int, days: int) -> int | None:
        """The same time of day some days later in the zone; None as long as it has not been."""
        local = (EPOCH + moment * _MICROSECOND).astimezone(self._profile.zone)
        later = local + timedelta(days=days)
        return None if later > self._latest else (later - EPOCH) // _MICROSECOND

    def _read_moment(self, text: str) -> tuple[int, bool]:
        """Microseconds, and whether no clock of the zone ever showed this time."""
        if self._profile.moments == "iso":
            found = datetime.fromisoformat(text)
        else:
            found = datetime.strptime(text, self._profile.moments)  # noqa: DTZ007
        try:
            local = found if found.tzinfo else found.replace(tzinfo=self._profile.zone)
            utc = local.astimezone(UTC)
        except OverflowError:
            raise ValueError(text) from None
        is_skipped = utc.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None)
        return (utc - EPOCH) // _MICROSECOND, is_skipped

    def _text_parser(self, name: str, field: Field) -> Callable[[str, Remark], str]:
        def parse(text: str, remark: Remark) -> str:
            verdicts.check_text(name, text, field.limit)
            return text

        return parse

    def _title_parser(self, name: str, field: Field) -> Callable[[str, Remark], str]:
        def parse(text: str, remark: Remark) -> str:
            if len(text) > field.limit:
                remark(name, TextCut.code, {"field": name, "limit": field.limit})
                text = text[: field.limit]
            verdicts.check_text(name, text, field.limit)
            return text

        return parse

    def _amount_parser(self, name: str, field: Field) -> Callable[[str, Remark], int]:
        return self._between(name, self._amount, 0, self._largest)

    def _count_parser(self, name: str, field: Field) -> Callable[[str, Remark], int]:
        return self._between(name, self._count, 1, field.limit)

    def _between(
        self, name: str, read: Callable[[str], int], least: int, most: int
    ) -> Callable[[str, Remark], int]:
        def parse(text: str, remark: Remark) -> int:
            value = read(text)
            verdicts.check_between(name, value, least, most)
            return value

        return parse

    def _moment_parser(self, name: str, field: Field) -> Callable[[str, Remark], int]:
        return lambda text, remark: self.moment(name, text, remark)

    def _currency_parser(self, name: str, field: Field) -> Callable[[str, Remark], None]:
        currency = self._profile.currency

        def parse(text: str, remark: Remark) -> None:
            if text.upper() != currency:
                raise WrongCurrency(field=name, value=text[:40], currency=currency)

        return parse


def question(test: Test, columns: Columns, decimal_separator: str) -> Callable[[Cells], bool]:
    """Return what asks a row the question of a test."""
    get, argument, answer = columns.getter(test.cell), test.argument, not test.is_negated
    if test.kind == "is":
        among = frozenset(argument)
        return lambda cells: (get(cells) in among) is answer
    if test.kind == "like":
        return lambda cells: _is_like(get(cells), argument) is answer
    if test.kind == "starts_with":
        return lambda cells: get(cells).startswith(argument) is answer
    if test.kind == "is_empty":
        return lambda cells: (get(cells) == "") is (argument is answer)
    is_below = test.kind == "below"

    def ask(cells: Cells) -> bool:
        number = _number(get(cells), decimal_separator)
        if number is None:
            return not answer
        return (number < argument if is_below else number <= argument) is answer

    return ask


def _is_like(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _number(text: str, decimal_separator: str) -> Decimal | None:
    """What a text says as a number, if anything; the value itself is read elsewhere."""
    grouping = "." if decimal_separator == "," else ","
    try:
        number = Decimal(text.replace(grouping, "").replace(decimal_separator, "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
