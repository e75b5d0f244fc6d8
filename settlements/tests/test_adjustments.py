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


class TestSplit:
    COMPONENTS = {
        "sales": [3_000, 300, 300],
        "payment": [1_100, 100, 0],  # its VAT is contained
        "sale_vat": [9_091, 0, 0],
        "adj_service": [10_000, 1_000, 1_000],
        "adj_fee_cut": [-500, -50, -50],
        "adj_fast_advance": [-8_680, 0, 0],
        "adj_host_commission": [-20_000, -2_000, -2_000],
        "adj_penalty": [5_000, 0, 0],
    }

    def test_tells_fees_from_what_else_is_added_and_deducted(self):
        split = adjustments.split(self.COMPONENTS)
        assert split == (13_600, 1_350, 1_250, 30_680, 5_000)
        assert (split.fee_with_vat, split.other) == (14_850, 25_680)

    def test_of_nothing_is_nothing(self):
        assert adjustments.split({}) == (0, 0, 0, 0, 0)

    @given(
        st.dictionaries(st.sampled_from(sorted(COMPONENTS)), st.tuples(amounts, amounts, amounts))
    )
    def test_leaves_no_component_out_and_counts_none_twice(self, components):
        split = adjustments.split(components)
        taken = sum(fee + on_top for fee, _, on_top in components.values())
        sale_vat = sum(components.get("sale_vat", (0, 0, 0))[::2])
        assert split.fee_with_vat - split.other == taken - sale_vat
        assert min(split.additions, split.deductions) >= 0


class TestSplitLine:
    def test_goes_by_the_reason(self):
        assert adjustments.split_line(3_000, 300, 96_700) == (3_000, 300, 0)
        assert adjustments.split_line(-20_000, -2_000, 22_000, "host_commission") == (0, 0, 22_000)
        assert adjustments.split_line(10_000, 1_000, -11_000, "monthly_fee") == (10_000, 1_000, 0)
