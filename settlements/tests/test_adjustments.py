import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import adjustments, vat

amounts = st.integers(-(10**15), 10**15)
rates = st.integers(0, 1_000_000)


class TestFigures:
    @pytest.mark.parametrize(
        ("amount", "tax_kind", "figures"),
        [
            (-10_000, "outside_scope", (10_000, 0, -10_000)),
            (-50_000, "taxable", (50_000, 5_000, -55_000)),
            (7_778, "taxable", (-7_778, -778, 8_556)),
            (5, "taxable", (-5, -1, 6)),  # half of a won goes away from zero, on both sides
            (-5, "taxable", (5, 1, -6)),
            (3_000, "exempt", (-3_000, 0, 3_000)),
        ],
    )
    def test_are(self, amount, tax_kind, figures):
        assert adjustments.figures(amount, tax_kind, 100_000) == figures

    @given(amounts, st.sampled_from(["taxable", "exempt", "outside_scope"]), rates)
    def test_are_taken_back_exactly_by_the_opposite(self, amount, tax_kind, rate_ppm):
        there = adjustments.figures(amount, tax_kind, rate_ppm)
        back = adjustments.figures(-amount, tax_kind, rate_ppm)
        assert [a + b for a, b in zip(there, back, strict=True)] == [0, 0, 0]

    @given(amounts, rates)
    def test_add_up_as_a_fee_does(self, amount, rate_ppm):
        fee, tax, net = adjustments.figures(amount, "taxable", rate_ppm)
        assert net == -fee - tax
        assert abs(tax) == vat.on_invoice(abs(amount), "exclusive", rate_ppm)
