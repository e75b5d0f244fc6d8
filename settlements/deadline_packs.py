"""Legal deadlines of payouts as data: how many days after confirmation, from which source, when.

A pack is a draft until its text was read as enacted law; one that is a draft says so wherever it
is shown. Which pack a marketplace watches is its operator's decision (settlements.deadlines).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from marketplace import documents, money
from marketplace.calendars import Calendar
from marketplace.documents import Part
from marketplace.refusals import Refused, gettext_noop
from settlements import due_dates
from settlements.due_dates import DueTerms

FILE: Final = Path(__file__).with_suffix(".json")
DRAFT: Final = "draft"
ENACTED: Final = "enacted"


class UnknownPack(Refused):
    code = "unknown_deadline_pack"
    message = gettext_noop("There are no legal deadlines “%(code)s”. There are: %(codes)s.")


@dataclass(frozen=True, slots=True)
class Pack:
    """The latest day of payout, in calendar days after confirmation, and what is kept apart."""

    code: str
    name: str
    days: int
    apart_ppm: int  # share of sellers' proceeds that is to be kept apart or insured
    status: str
    source: str
    source_on: date

    def latest_on(self, basis_on: date) -> date:
        """Return the last day on which what was confirmed on a day may be paid."""
        return basis_on + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Breach:
    """A day of confirmation that settlement terms would pay too late."""

    basis_on: date
    due_on: date
    latest_on: date


def packs() -> tuple[Pack, ...]:
    """All packs that come with the project."""
    return parse(FILE.read_bytes(), FILE.name)


def pack(code: str) -> Pack:
    """The pack with a code. Raises UnknownPack."""
    known = _by_code()
    if code not in known:
        raise UnknownPack(code=code, codes=", ".join(known))
    return known[code]


def breaches(
    pack: Pack, terms: DueTerms, calendar: Calendar, days: Iterable[date]
) -> Iterator[Breach]:
    """Yield the days of confirmation among `days` whose due date lies after the latest one."""
    for basis_on in days:
        due_on = due_dates.due_on(basis_on, terms, calendar)
        if due_on > (latest_on := pack.latest_on(basis_on)):
            yield Breach(basis_on, due_on, latest_on)


def parse(text: str | bytes, name: str) -> tuple[Pack, ...]:
    """Read the text of a file of packs; refuses what cannot be used, naming the field."""
    with documents.reading(documents.parse(text, name), name) as part:
        return tuple(_pack(entry) for entry in part.parts("packs"))


@cache
def _by_code() -> dict[str, Pack]:
    return {each.code: each for each in packs()}


def _pack(part: Part) -> Pack:
    found = Pack(
        code=part.text("code", longest=40),
        name=part.text("name", longest=100),
        days=part.integer("days", low=1, high=366),
        apart_ppm=part.integer("apart_ppm", high=money.MILLION),
        status=part.choice("status", (DRAFT, ENACTED)),
        source=part.text("source", longest=300),
        source_on=part.day("source_on"),
    )
    part.done()
    return found
