from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import vat
from settlements.vat import Charged, Rounding

MOST = 10**12


class TestRatio:
    @pytest.mark.parametrize(
        ("kind", "ratio"),
        [
            (vat.EXCLUSIVE, (100_000, 1_000_000)),
            (vat.INCLUSIVE, (100_000, 1_100_000)),
            (vat.EXEMPT, (0, 1)),
        ],
    )
    def test_says_by_what_a_fee_is_multiplied(self, kind, ratio):
        assert vat.ratio(kind, 100_000) == ratio


class TestOnInvoice:
    @pytest.mark.parametrize(
        ("kind", "tax"), [(vat.EXCLUSIVE, 11), (vat.INCLUSIVE, 10), (vat.EXEMPT, 0)]
    )
    def test_rounds_the_sum_once(self, kind, tax):
        assert vat.on_invoice(105, kind, 100_000) == tax

    @given(st.integers(-MOST, MOST), st.sampled_from(vat.KINDS), st.integers(0, 300_000))
    def test_is_the_same_below_zero(self, fees, kind, rate_ppm):
        assert vat.on_invoice(-fees, kind, rate_ppm) == -vat.on_invoice(fees, kind, rate_ppm)


class TestRounding:
    def test_is_what_the_lines_have_lost_or_won(self):
        """Three fees of 14: 1 of VAT each, but 4 of 42. Three of 15: 2 each, but 5 of 45."""
        assert vat.rounding([Charged(vat.EXCLUSIVE, 100_000, 42, 3)]) == (1, 0)
        assert vat.rounding([Charged(vat.EXCLUSIVE, 100_000, 45, 6)]) == (-1, 0)
        assert vat.rounding([Charged(vat.INCLUSIVE, 100_000, 48, 3)]) == (0, 1)
        assert vat.rounding([Charged(vat.EXEMPT, 100_000, 42, 0)]) == (0, 0)
        assert vat.rounding([]) == Rounding()

    def test_keeps_kinds_and_rates_apart(self):
        parts = [
            Charged(vat.EXCLUSIVE, 100_000, 14, 1),
            Charged(vat.EXCLUSIVE, 100_000, 28, 2),
            Charged(vat.EXCLUSIVE, 80_000, 8, 0),
            Charged(vat.INCLUSIVE, 100_000, 48, 3),
        ]
        assert {vat.rounding(order) for order in permutations(parts)} == {(2, 1)}

    pieces = st.lists(st.tuples(st.integers(-MOST, MOST), st.integers(-MOST, MOST)), max_size=6)

    @given(pieces)
    def test_makes_the_lines_come_to_the_invoice(self, pieces):
        charged = [Charged(vat.EXCLUSIVE, 100_000, *piece) for piece in pieces]
        fees, tax = sum(one.fees for one in charged), sum(one.vat for one in charged)
        found = vat.rounding(charged)
        assert tax + found.on_top == vat.on_invoice(fees, vat.EXCLUSIVE, 100_000)


class TestOfPayee:
    def test_is_added_for_a_registered_payee_only(self):
        assert vat.of_payee(15, 100_000, is_registered=True) == 2
        assert vat.of_payee(15, 100_000, is_registered=False) == 0
