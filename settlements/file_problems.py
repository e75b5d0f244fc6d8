"""What is wrong with a row of a file of money, told by row and column, and how its cells are read.

A file with a problem is refused as a whole, with all of them. Values in, values out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from marketplace import money
from marketplace.refusals import Refused, gettext_noop

MOST: Final = 50  # problems that are told of one file

REASONS: Final = {
    "not_decodable": gettext_noop("The file is not text in the encoding %(encoding)s."),
    "not_csv": gettext_noop("The row cannot be read as CSV. Download the list anew as CSV."),
    "column_missing": gettext_noop("The file has no such column."),
    "no_rows": gettext_noop("The file has no rows."),
    "too_many_rows": gettext_noop("The file has more than %(most)s rows. Split it."),
    "empty": gettext_noop("The field is empty."),
    "not_a_date": gettext_noop("“%(found)s” is not a date like %(example)s."),
    "not_an_amount": gettext_noop("“%(found)s” is not an amount in this currency."),
    "unknown_kind": gettext_noop("“%(found)s” is no kind that the format knows."),
    "does_not_add_up": gettext_noop(
        "Gross less fee and VAT is %(expected)s, but the deposit is %(found)s."
    ),
    "one_amount": gettext_noop(
        "A transaction is paid in or paid out: one of the two must be an amount. Take out rows "
        "that are no transaction, such as totals."
    ),
    "does_not_follow": gettext_noop(
        "After row %(before)s the balance comes to %(expected)s, but it is %(found)s. Rows are "
        "missing, or an amount was changed: download the list from the bank anew."
    ),
    "does_not_adjoin": gettext_noop(
        "It does not adjoin what was taken in of this account, from %(first)s with a balance of "
        "%(opening)s before it, to %(last)s with a balance of %(closing)s. Download a list that "
        "begins on %(last)s or earlier, and check the account."
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row; the header is row 1. `code` is one of REASONS."""

    row: int
    column: str
    code: str
    values: tuple[tuple[str, object], ...] = ()

    def text(self, translate: Callable[[str], str]) -> str:
        """What is wrong, in the language that `translate` puts it into."""
        return translate(REASONS[self.code]) % dict(self.values)

    def __str__(self) -> str:
        where = f"row {self.row}, {self.column}" if self.column else f"row {self.row}"
        return f"{where}: {self.text(str)}"


class FileRefused(Refused):
    """A file with problems. `problems` names them, of many the first."""

    message = gettext_noop("The file was refused as a whole: %(first)s")

    @property
    def problems(self) -> list[Problem]:
        return self.params["problems"]  # type: ignore[return-value]


def moment(value: str, pattern: str) -> datetime | None:
    """A day, with its time where the pattern has one; None where it is not written like that."""
    try:
        return datetime.strptime(value, pattern)  # noqa: DTZ007 (what a file says has no zone)
    except ValueError:
        return None


def day(value: str, pattern: str) -> date | None:
    """A day; None where it is not written like the pattern."""
    found = moment(value, pattern)
    return found and found.date()


def amount(value: str, exponent: int) -> int | None:
    """An amount in minor units; None where it is none in a currency of the exponent."""
    try:
        return money.parse(value, exponent)
    except Refused:
        return None
