import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import withholding


class TestWithhold:
    @pytest.mark.parametrize(
        ("net", "carried", "taxes"),
        [
            (333_333, 0, (9_990, 990)),
            (33_300, 0, (990, 90)),
            (1_000_000, -1_000_000, (0, 0)),
            (0, 333, (0, 0)),
            (-5_000, 0, (0, 0)),
        ],
    )
    def test_cuts_both_taxes_below_ten(self, net, carried, taxes):
        tax = withholding.withhold(net, carried)
        assert (tax.income, tax.local) == taxes
        assert (tax.base, tax.total) == (net + carried, sum(taxes))

    @given(st.integers(0, 10**12))
    def test_is_at_most_3_3_percent(self, net):
        tax = withholding.withhold(net)
        assert tax.total * 1_000 <= net * 33
        assert tax.income % 10 == tax.local % 10 == 0


class TestCarried:
    @pytest.mark.parametrize(
        ("base", "is_paid", "left"), [(500, True, 0), (-500, True, -500), (500, False, 500)]
    )
    def test_leaves_a_negative_base_or_what_was_not_paid(self, base, is_paid, left):
        assert withholding.carried(withholding.Withholding(base), is_paid=is_paid) == left
