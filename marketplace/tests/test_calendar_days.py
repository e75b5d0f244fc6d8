import csv
import json
from datetime import date
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from marketplace import calendar_days, tenancy, versions
from marketplace.models import AuditEntry, ClosedDay
from marketplace.tests import make

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
SEOLLAL = date(2026, 2, 17)
CHUSEOK = date(2026, 9, 25)
CHILDRENS_DAY = date(2026, 5, 5)


@pytest.fixture
def market(db):
    with tenancy.use(make.marketplace().pk) as marketplace:
        yield marketplace


def draft(valid_from=FIRST, **words):
    return calendar_days.draft("KR", FIRST, LAST, valid_from=valid_from, by=None, **words)


def published(**kwargs):
    return calendar_days.publish(draft(**kwargs), by=None, at=make.NOON)


class TestPropose:
    def test_names_public_holidays_in_the_language_of_the_country(self):
        days = calendar_days.propose("KR", SEOLLAL, SEOLLAL)
        assert days == {SEOLLAL: "설날"}

    def test_takes_both_ends(self):
        assert calendar_days.propose("KR", date(2026, 2, 16), SEOLLAL).keys() == {
            date(2026, 2, 16),
            SEOLLAL,
        }

    def test_knows_parts_of_a_country(self):
        revolution = date(2026, 7, 9)
        assert revolution in calendar_days.propose("BR-SP", FIRST, LAST)
        assert revolution not in calendar_days.propose("BR", FIRST, LAST)

    @pytest.mark.parametrize("country", ["XX", "BR-ZZ", "", "kr-"])
    def test_refuses_what_it_does_not_know(self, country):
        with pytest.raises(calendar_days.UnknownCountry):
            calendar_days.propose(country, FIRST, LAST)

    def test_agrees_with_the_official_gazette(self, data_dir):
        """Day by day for ten years. The preset's overrides are empty: nothing differs."""
        with (data_dir / "calendar/kr_public_holidays_gazette_2018_2027.csv").open() as file:
            gazette = {date.fromisoformat(row["date"]) for row in csv.DictReader(file)}
        assert len(gazette) == 191
        overrides = json.loads(
            (Path(calendar_days.__file__).parent / "presets/calendars/kr.json").read_text(
                encoding="utf-8"
            )
        )
        closed = set(calendar_days.propose("KR", date(2018, 1, 1), date(2027, 12, 31)))
        closed |= {date.fromisoformat(day["on"]) for day in overrides["add"]}
        closed -= {date.fromisoformat(day["on"]) for day in overrides["remove"]}
        assert closed == gazette


class TestDraft:
    def test_stores_the_proposal(self, market):
        version = draft()
        assert version.closed_days.get(on=SEOLLAL).source == "proposed"
        assert version.closed_days.count() == len(calendar_days.propose("KR", FIRST, LAST))

    def test_keeps_the_word_of_the_operator(self, market):
        own = date(2026, 5, 20)
        first = draft(add={own: "창립기념일"}, remove={SEOLLAL: "설 특별 영업"})
        calendar_days.publish(first, by=None, at=make.NOON)
        second = draft(valid_from=date(2026, 3, 1))
        words = second.closed_days.exclude(source="proposed")
        assert set(words.values_list("on", "name", "source")) == {
            (own, "창립기념일", "operator"),
            (SEOLLAL, "설 특별 영업", "kept_open"),
        }

    def test_lets_a_newer_word_win_over_an_older_one(self, market):
        published(remove={SEOLLAL: "open"})
        calendar_days.publish(
            draft(valid_from=date(2026, 2, 1), add={SEOLLAL: "closed"}), by=None, at=make.NOON
        )
        assert calendar_days.load(date(2026, 1, 31)).is_business_day(SEOLLAL)
        assert not calendar_days.load(date(2026, 2, 1)).is_business_day(SEOLLAL)

    def test_refuses_a_word_about_a_day_it_does_not_cover(self, market):
        with pytest.raises(calendar_days.OutsideCalendar):
            draft(add={date(2027, 1, 1): "New Year"})


class TestAddAndRemoveDay:
    def test_win_over_the_proposal(self, market):
        version, operator, own = draft(), make.user(), date(2026, 5, 20)
        calendar_days.add_day(version, own, "창립기념일", by=operator, at=make.NOON)
        calendar_days.remove_day(version, SEOLLAL, "설 특별 영업", by=operator, at=make.NOON)
        calendar_days.publish(version, by=operator, at=make.NOON)
        calendar = calendar_days.load(FIRST)
        assert calendar.is_business_day(SEOLLAL)
        assert not calendar.is_business_day(own)
        actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
        assert list(actions) == [
            "calendarversion.day_operator",
            "calendarversion.day_kept_open",
            "calendarversion.published",
        ]

    def test_refuse_a_published_version(self, market):
        version = published()
        with pytest.raises(versions.NotADraft):
            calendar_days.add_day(version, date(2026, 5, 20), "x", by=None, at=make.NOON)
        with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
            ClosedDay.objects.filter(version=version).delete()
        with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
            version.closed_days.create(on=date(2026, 5, 20))

    def test_refuse_a_day_outside(self, market):
        with pytest.raises(calendar_days.OutsideCalendar):
            calendar_days.remove_day(draft(), date(2025, 1, 1), "x", by=None, at=make.NOON)


class TestPublish:
    def test_refuses_a_calendar_that_does_not_cover_its_first_day(self, market):
        with pytest.raises(calendar_days.OutsideCalendar):
            published(valid_from=date(2025, 12, 31))


class TestLoad:
    def test_gives_the_calendar_in_force(self, market):
        published()
        calendar = calendar_days.load(CHUSEOK)
        assert not calendar.is_business_day(CHUSEOK)
        assert calendar.add_business_days(date(2026, 9, 23), 1) == date(2026, 9, 28)

    def test_refuses_where_none_is_in_force(self, market):
        draft()
        with pytest.raises(calendar_days.NoCalendar):
            calendar_days.load(FIRST)

    def test_refuses_a_day_beyond_what_is_covered(self, market):
        published()
        with pytest.raises(calendar_days.OutsideCalendar, match="2027-01-01"):
            calendar_days.load(date(2027, 1, 1))

    def test_refuses_to_count_beyond_what_is_covered(self, market):
        published()
        calendar = calendar_days.load(LAST)
        assert calendar.on_or_before(LAST) == LAST
        with pytest.raises(calendar_days.OutsideCalendar, match="2027-01-01"):
            calendar.add_business_days(LAST, 1)
