import json
from datetime import date

import pytest

from marketplace import documents
from settlements import published_rates

RATE = {
    "marketplace": "X",
    "what": "category",
    "from_ppm": 30_000,
    "to_ppm": 120_000,
    "as_of": "2026-05-01",
    "source": "somewhere",
}


def parse(**changes):
    return published_rates.parse(json.dumps({"rates": [RATE | changes]}), "rates.json")


class TestKnown:
    def test_tells_nothing_older_than_a_year(self):
        told = {rate.marketplace for rate in published_rates.known(date(2027, 4, 30))}
        assert {"G마켓", "옥션", "쿠팡", "11번가"} == told
        assert published_rates.known(date(2027, 5, 1)) == ()

    def test_keeps_live_shows_apart(self):
        [naver] = published_rates.known(date(2022, 4, 30), what="live")
        assert (naver.from_ppm, naver.as_of) == (50_000, date(2021, 5, 1))
        assert published_rates.known(date(2026, 6, 1), what="live") == ()


class TestParse:
    def test_reads_a_range_with_its_source_and_day(self):
        [rate] = parse()
        assert (rate.from_ppm, rate.to_ppm, rate.source) == (30_000, 120_000, "somewhere")
        assert rate.left_of(10_000) == (8_800, 9_700)

    @pytest.mark.parametrize(
        "changes",
        [{"as_of": "May"}, {"to_ppm": 29_999}, {"what": "x"}, {"source": None}, {"vat": 1}],
    )
    def test_refuses_what_says_something_else(self, changes):
        with pytest.raises(documents.BadDocument):
            parse(**changes)
