"""Which days a marketplace is closed: public holidays as proposed, and the operator's word.

The package `holidays` only proposes. What the operator adds or keeps open stands in the calendar
version beside the proposal, wins over it, and is carried into the versions that follow. What the
days mean is in marketplace.calendars; the life of a version in marketplace.versions.
"""

from dataclasses import dataclass
from datetime import date
from itertools import chain

import holidays
from django.db import transaction

from marketplace import audit, calendars, versions
from marketplace.models import CalendarVersion, ClosedDay
from marketplace.refusals import Refused, gettext_noop

Source = ClosedDay.Source


class UnknownCountry(Refused):
    code = "unknown_country"
    message = gettext_noop(
        "No public holidays are known for “%(country)s”. Use codes such as KR or BR-SP."
    )


class NoCalendar(Refused):
    code = "no_calendar"
    message = gettext_noop("No published calendar is in force on %(on)s.")


class OutsideCalendar(Refused):
    code = "outside_calendar"
    message = gettext_noop(
        "The calendar covers %(first_on)s to %(last_on)s, and %(on)s is outside of it. "
        "Publish a calendar that covers more days."
    )


def propose(country: str, first: date, last: date) -> dict[date, str]:
    """The public holidays of a country, or of a part of it ("BR-SP"), both days included."""
    code, _, subdivision = country.partition("-")
    try:
        kind = type(holidays.country_holidays(code))
        # By name and language of the country: the default is the locale of this process.
        days = kind(
            subdiv=subdivision or None,
            years=range(first.year, last.year + 1),
            language=kind.default_language,
        )
    except NotImplementedError as error:
        raise UnknownCountry(country=country) from error
    return {day: name for day, name in sorted(days.items()) if first <= day <= last}


@transaction.atomic
def draft(
    country: str, first: date, last: date, *, valid_from, by, at=None, add=None, remove=None
) -> CalendarVersion:
    """Draft the next calendar: the proposal, the operator's word so far, then `add` and `remove`.

    `add` and `remove` map days to names; they are the operator's word from now on.
    """
    days = {day: (name, Source.PROPOSED) for day, name in propose(country, first, last).items()}
    days |= {day.on: (day.name, day.source) for day in _word_so_far() if first <= day.on <= last}
    for named, source in ((add or {}, Source.OPERATOR), (remove or {}, Source.KEPT_OPEN)):
        days |= {day: (name, source) for day, name in named.items()}
    for day in chain(add or {}, remove or {}):
        _refuse_outside(day, first, last)
    version = versions.draft(
        CalendarVersion,
        valid_from=valid_from,
        by=by,
        at=at,
        country=country,
        first_on=first,
        last_on=last,
    )
    ClosedDay.objects.bulk_create(
        ClosedDay(version=version, on=day, name=name[:100], source=source)
        for day, (name, source) in sorted(days.items())
    )
    return version


def add_day(version: CalendarVersion, on: date, name: str, *, by, at) -> None:
    """Close the marketplace on a day of a draft, whatever was proposed."""
    _say(version, on, name, Source.OPERATOR, by, at)


def remove_day(version: CalendarVersion, on: date, name: str, *, by, at) -> None:
    """Keep the marketplace open on a day of a draft, whatever was proposed."""
    _say(version, on, name, Source.KEPT_OPEN, by, at)


def publish(version: CalendarVersion, *, by, at) -> CalendarVersion:
    """Bring a draft into force. A calendar covers the day it begins on."""
    _refuse_outside(version.valid_from, version.first_on, version.last_on)
    return versions.publish(version, by=by, at=at)


def load(on: date) -> calendars.Calendar:
    """The calendar in force on a business day. It refuses every day outside what it covers."""
    version = CalendarVersion.objects.all().on(on)
    if version is None:
        raise NoCalendar(on=on)
    _refuse_outside(on, version.first_on, version.last_on)
    return of(version)


def of(version: CalendarVersion) -> calendars.Calendar:
    """What a version says, published or not. It refuses every day outside what it covers."""
    closed = version.closed_days.exclude(source=Source.KEPT_OPEN).values_list("on", flat=True)
    return _Covered(closed=frozenset(closed), first=version.first_on, last=version.last_on)


@dataclass(frozen=True, slots=True)
class _Covered(calendars.Calendar):
    """Beyond its last day a calendar would take every holiday for a business day."""

    first: date = date.min
    last: date = date.max

    def is_business_day(self, day: date) -> bool:
        _refuse_outside(day, self.first, self.last)
        # By name: slots make a new class, which super() without arguments would not know.
        return calendars.Calendar.is_business_day(self, day)


def _word_so_far():
    last = CalendarVersion.objects.published().order_by("-number").first()
    return last.closed_days.exclude(source=Source.PROPOSED) if last else []


@transaction.atomic
def _say(version, on, name, source, by, at):
    stored = CalendarVersion.objects.select_for_update().get(pk=version.pk)
    if stored.state != CalendarVersion.State.DRAFT:
        raise versions.NotADraft(number=stored.number)
    _refuse_outside(on, stored.first_on, stored.last_on)
    ClosedDay.objects.update_or_create(
        version=stored, on=on, defaults={"name": name, "source": source}
    )
    audit.record(
        f"calendarversion.day_{source}",
        by=by,
        at=at,
        obj=stored,
        reason=name,
        data={"on": on.isoformat()},
    )


def _refuse_outside(day, first, last):
    if not first <= day <= last:
        raise OutsideCalendar(on=day, first_on=first, last_on=last)
