from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import money

amounts = st.integers(0, 10**15)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)
modes = st.sampled_from(money.MODES)


class TestRoundRatio:
    @pytest.mark.parametrize(
        ("mode", "rounded"),
        [
            (money.FLOOR, [0, 0, 0, 1, 1, 2]),
            (money.CEIL, [0, 1, 1, 1, 2, 3]),
            (money.HALF_UP, [0, 0, 1, 1, 2, 3]),
            (money.HALF_EVEN, [0, 0, 0, 1, 2, 2]),
        ],
    )
    def test_knows_each_mode(self, mode, rounded):
        quarters = [0, 1, 2, 4, 6, 10]
        assert [money.round_ratio(quarter, 4, mode) for quarter in quarters] == rounded

    def test_refuses_what_is_below_zero(self):
        with pytest.raises(money.NegativeAmount):
            money.round_ratio(-1, 2, money.FLOOR)

    @given(amounts, st.integers(1, 10**12), modes)
    def test_is_never_a_whole_unit_off(self, numerator, denominator, mode):
        exact = Fraction(numerator, denominator)
        off = money.round_ratio(numerator, denominator, mode) - exact
        limit = Fraction(1, 2) if mode in (money.HALF_UP, money.HALF_EVEN) else 1
        assert abs(off) <= limit
        assert abs(off) < 1

    @given(st.integers(0, 10**9))
    def test_agrees_with_exact_half_even(self, numerator):
        assert money.round_ratio(numerator, 6, money.HALF_EVEN) == round(Fraction(numerator, 6))


class TestProportion:
    @given(amounts, st.integers(0, 10**9), st.integers(1, 10**12), modes)
    def test_rounds_as_a_ratio_does(self, amount, numerator, denominator, mode):
        rounded = money.round_ratio(amount * numerator, denominator, mode)
        assert money.proportion(numerator, denominator, mode)(amount) == rounded


class TestShare:
    def test_takes_parts_per_million_and_cuts_once(self):
        assert money.share(33_333, 77_000, money.FLOOR) == 2_566


class TestIncludedVat:
    @pytest.mark.parametrize(("amount", "vat"), [(1_000, 91), (7_778, 707), (55_000, 5_000)])
    def test_finds_the_vat_inside(self, amount, vat):
        assert money.included_vat(amount, 100_000) == vat


class TestFloorTo:
    @pytest.mark.parametrize(("amount", "cut"), [(9, 0), (10, 10), (9_999, 9_990)])
    def test_cuts_below_the_unit(self, amount, cut):
        assert money.floor_to(amount, 10) == cut


class TestSplit:
    def test_gives_what_is_left_to_the_largest_fractions(self):
        assert money.split(5_000, [19_900, 7_700, 1]) == [3_605, 1_395, 0]

    def test_gives_ties_to_the_earlier_part(self):
        assert money.split(100, [1, 1, 1]) == [34, 33, 33]

    def test_takes_weights_that_are_all_zero_as_equal(self):
        assert money.split(10, [0, 0, 0]) == [4, 3, 3]

    def test_gives_nothing_to_nobody(self):
        assert money.split(0, []) == []

    @pytest.mark.parametrize(("total", "over"), [(-1, [1]), (1, [1, -1])])
    def test_refuses_what_is_below_zero(self, total, over):
        with pytest.raises(money.NegativeAmount):
            money.split(total, over)

    def test_refuses_a_total_without_weights(self):
        with pytest.raises(money.NothingToSplitOver):
            money.split(1, [])

    @given(amounts, weights)
    def test_sums_to_the_whole_and_strays_less_than_a_unit(self, total, over):
        parts = money.split(total, over)
        assert sum(parts) == total
        if whole := sum(over):
            for part, weight in zip(parts, over, strict=True):
                assert abs(part - Fraction(total * weight, whole)) < 1
                assert weight or not part

    @given(weights, st.data())
    def test_never_gives_a_part_more_than_its_weight(self, over, data):
        total = data.draw(st.integers(0, sum(over)))
        assert all(
            part <= weight for part, weight in zip(money.split(total, over), over, strict=True)
        )


class TestParse:
    @pytest.mark.parametrize(
        ("text", "exponent", "amount"),
        [
            ("12900", 0, 12_900),
            ("12,900", 0, 12_900),
            (" 12900.00 ", 0, 12_900),
            ("-12,900", 0, -12_900),
            ("-0", 0, 0),
            ("000012900", 0, 12_900),
            ("0.000", 0, 0),
            ("1,234.5", 2, 123_450),
            ("1234.56", 2, 123_456),
            ("1.234", 3, 1_234),
            ("9223372036854775807", 0, 2**63 - 1),
        ],
    )
    def test_reads_what_people_write(self, text, exponent, amount):
        assert money.parse(text, exponent) == amount

    def test_reads_a_decimal_comma_when_told(self):
        assert money.parse("1.234,56", 2, decimal_separator=",") == 123_456

    @pytest.mark.parametrize(
        "text",
        [
            *["", "-", ".", ".5", "5.", "--1", "+1", "1.2.3"],
            *["1,23", "1,2345", ",123", "1,234,", "1 000", "1_000"],
            *["12,900원", "₩1", "1e3", "0x1f", "nan", "inf", "１２", "٣", "1" * 65],
        ],
    )
    def test_refuses_what_is_no_amount(self, text):
        with pytest.raises(money.UnreadableAmount):
            money.parse(text, 0)

    @pytest.mark.parametrize(("text", "exponent"), [("12.5", 0), ("1.005", 2), ("1.2345", 3)])
    def test_refuses_decimals_the_currency_has_not(self, text, exponent):
        with pytest.raises((money.TooManyDecimals, money.AmbiguousAmount)):
            money.parse(text, exponent)

    @pytest.mark.parametrize(("text", "exponent"), [("1.000", 0), ("12.900", 0), ("1.000", 2)])
    def test_refuses_what_may_be_thousands(self, text, exponent):
        with pytest.raises(money.AmbiguousAmount):
            money.parse(text, exponent)

    def test_refuses_more_than_a_column_holds(self):
        with pytest.raises(money.AmountTooLarge):
            money.parse("9223372036854775808", 0)

    @given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from([0, 2, 3]))
    def test_reads_back_what_was_written(self, amount, exponent):
        text = money.format_amount(amount, currency="XXX", exponent=exponent, locale="en")
        assert money.parse(text.replace("XXX ", ""), exponent) == amount


class TestFormatAmount:
    @pytest.mark.parametrize(
        ("amount", "currency", "exponent", "locale", "text"),
        [
            (12_900, "KRW", 0, "ko", "12,900원"),
            (12_900, "KRW", 0, "ko-kr", "12,900원"),
            (-12_900, "KRW", 0, "ko", "-12,900원"),
            (12_900, "KRW", 0, "en", "₩12,900"),
            (-12_900, "KRW", 0, "en-us", "-₩12,900"),
            (123_450, "BRL", 2, "en", "R$1,234.50"),
            (5, "BRL", 2, "ko", "R$0.05"),
            (100, "USD", 2, "en", "$1.00"),
            (100, "USD", 2, "ko", "US$1.00"),
            (0, "KRW", 0, "ko", "0원"),
            (1_000, "CHF", 2, "en", "CHF 10.00"),
        ],
    )
    def test_writes_as_the_reader_expects(self, amount, currency, exponent, locale, text):
        written = money.format_amount(amount, currency=currency, exponent=exponent, locale=locale)
        assert written == text
