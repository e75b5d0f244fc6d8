import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import percents


class TestParse:
    @pytest.mark.parametrize(
        ("text", "rate_ppm"),
        [("12 %", 120_000), ("3.3", 33_000), ("0.0001%", 1), (" 100 % ", 1_000_000), ("0", 0)],
    )
    def test_reads_what_people_type(self, text, rate_ppm):
        assert percents.parse(text) == rate_ppm

    @pytest.mark.parametrize("text", ["", "twelve", "-1", "100.1", "1e3", "1,5", "12 % %", "٣"])
    def test_refuses_what_is_no_percentage(self, text):
        with pytest.raises(percents.NotAPercent):
            percents.parse(text)

    def test_never_rounds(self):
        with pytest.raises(percents.PercentTooFine):
            percents.parse("3.33333")


class TestShow:
    @given(st.integers(0, 1_000_000))
    def test_is_read_back_as_the_same_rate(self, rate_ppm):
        assert percents.parse(percents.show(rate_ppm)) == rate_ppm

    def test_shows_no_needless_decimals(self):
        assert [percents.show(rate) for rate in (120_000, 33_000, 1)] == [
            "12 %",
            "3.3 %",
            "0.0001 %",
        ]


class TestWithVat:
    @pytest.mark.parametrize(
        ("rate_ppm", "told"), [(120_000, "13.2 %"), (77_000, "8.47 %"), (0, "0 %")]
    )
    def test_adds_the_vat_on_top(self, rate_ppm, told):
        assert percents.with_vat(rate_ppm, 100_000) == told

    def test_marks_what_it_cuts(self):
        assert percents.with_vat(1, 123_457) == "0.000112… %"
