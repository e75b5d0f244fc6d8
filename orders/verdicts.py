"""What is said about each order or event that somebody sends: accepted, repeated or refused.

A verdict may be accepted and still carry a code: stored, and listed for a person to look at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from marketplace.refusals import Refused, gettext_noop

ACCEPTED: Final = "accepted"
REPEATED: Final = "repeated"
REFUSED: Final = "refused"

LARGEST_AMOUNT: Final = 10**15  # of one line or payment; ten thousand of them fit a bigint
LARGEST_QUANTITY: Final = 1_000_000
LARGEST_NUMBER: Final = 2**31 - 1
CLOCK_SKEW: Final = timedelta(minutes=5)  # a sender's clock may be ahead of ours
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class FieldNotUsable(Refused):
    code = "field_not_usable"
    message = gettext_noop("%(field)s is not usable: %(value)s.")


class FieldMissing(FieldNotUsable):
    code = "field_missing"
    message = gettext_noop("%(field)s is missing.")


class FieldTooLong(FieldNotUsable):
    code = "field_too_long"
    message = gettext_noop("%(field)s is longer than %(limit)s characters.")


class NotBetween(FieldNotUsable):
    code = "not_between"
    message = gettext_noop("%(field)s is %(value)s; it must lie between %(least)s and %(most)s.")


class InFuture(FieldNotUsable):
    code = "in_future"
    message = gettext_noop("%(field)s lies in the future: %(value)s.")


class DateNotUsable(FieldNotUsable):
    code = "date_not_usable"
    message = gettext_noop("%(field)s is no moment with a time zone since 1970: %(value)s.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`order` is the sender's number, `public_id` ours; `refusal` says why, or what to look at.

    `field` is what the sender has to look at, such as lines[2].seller_code.
    """

    order: str
    result: str
    refusal: Refused | None = None
    field: str = ""
    public_id: str = ""

    @property
    def code(self) -> str:
        return self.refusal.code if self.refusal else ""

    @property
    def message(self) -> str:
        return str(self.refusal) if self.refusal else ""

    def text(self, translate: Callable[[str], str]) -> str:
        """The message in the reader's language."""
        return self.refusal.text(translate) if self.refusal else ""

    @property
    def is_refused(self) -> bool:
        return self.result == REFUSED

    @property
    def is_listed(self) -> bool:
        """Accepted, but somebody should look at it."""
        return self.result != REFUSED and self.refusal is not None


def refused(order: object, refusal: Refused, field: str = "") -> Verdict:
    """The verdict of what was not stored; the field is the refusal's own if it names one."""
    return Verdict(str(order), REFUSED, refusal, field or str(refusal.params.get("field", "")))


def check_text(field: str, value: object, limit: int, *, needed: bool = False) -> None:
    """Refuse what a text column of `limit` characters cannot keep as it is."""
    if type(value) is not str:
        raise FieldNotUsable(field=field, value=repr(value)[:40])
    if needed and not value.strip():
        raise FieldMissing(field=field)
    if len(value) > limit:
        raise FieldTooLong(field=field, limit=limit)
    if "\x00" in value or not (value.isascii() or _is_storable(value)):
        raise FieldNotUsable(field=field, value=repr(value)[:40])


def check_between(field: str, value: object, least: int, most: int) -> None:
    """Refuse what is no whole number between two, both included."""
    if type(value) is not int or not least <= value <= most:
        shown = str(value) if type(value) is int and abs(value) < 10**30 else repr(value)[:40]
        raise NotBetween(field=field, value=shown, least=least, most=most)


def check_moment(field: str, value: object, at: datetime) -> None:
    """Refuse moments without a zone, before 1970, or later than now."""
    if not isinstance(value, datetime) or value.tzinfo is None or value < EARLIEST:
        raise DateNotUsable(field=field, value=str(value)[:40])
    if value > at + CLOCK_SKEW:
        raise InFuture(field=field, value=value.isoformat())


def business_date(moment: datetime, zone: tzinfo) -> date:
    """The date of a moment in the marketplace's zone."""
    return moment.astimezone(zone).date()


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
