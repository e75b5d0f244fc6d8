import json
from datetime import date, timedelta

import pytest

from marketplace import documents
from marketplace.calendars import Calendar
from settlements import deadline_packs
from settlements.due_dates import DueTerms

SEP_1 = date(2026, 9, 1)
TWENTY = deadline_packs.pack("kr-intermediary-20")


def breaches(terms, days=31):
    period = (SEP_1 + timedelta(count) for count in range(days))
    return list(deadline_packs.breaches(TWENTY, terms, Calendar(), period))


class TestPacks:
    def test_say_where_they_come_from_and_that_they_are_drafts(self):
        assert [pack.days for pack in deadline_packs.packs()] == [40, 30, 20]
        for pack in deadline_packs.packs():
            assert (pack.status, pack.source_on) == ("draft", date(2024, 10, 1))
            assert pack.source

    def test_refuse_a_code_that_there_is_none_of(self):
        with pytest.raises(deadline_packs.UnknownPack, match="kr-intermediary-20"):
            deadline_packs.pack("kr-5")

    @pytest.mark.parametrize("changes", [{"days": 0}, {"status": "law"}, {"source_on": "soon"}])
    def test_refuse_a_file_that_says_something_else(self, changes):
        told = {
            "code": "x",
            "name": "x",
            "days": 20,
            "apart_ppm": 500_000,
            "status": "draft",
            "source": "x",
            "source_on": "2024-10-01",
        }
        with pytest.raises(documents.BadDocument):
            deadline_packs.parse(json.dumps({"packs": [told | changes]}), "packs.json")


class TestBreaches:
    def test_are_none_where_terms_pay_in_time(self):
        assert breaches(DueTerms(3, "business")) == []
        assert breaches(DueTerms(20, holiday="none")) == []

    def test_name_the_days_that_are_paid_too_late(self):
        assert len(breaches(DueTerms(21, holiday="none"))) == 31
        monthly = breaches(DueTerms(0, cycle="monthly", cycle_arg=31, holiday="none"))
        # Confirmed from the 1st to the 9th, paid on the 30th: more than 20 days later.
        assert [each.basis_on.day for each in monthly[:9]] == list(range(1, 10))
        assert monthly[0].due_on == date(2026, 9, 30)
        assert monthly[0].latest_on == date(2026, 9, 21)

    def test_count_the_days_that_a_holiday_adds(self):
        # 2026-09-25 is a Friday; 20 days later it is a Thursday, of which none is moved.
        late = breaches(DueTerms(20, holiday="next"))
        assert late
        assert all(each.due_on.weekday() < 5 for each in late)
