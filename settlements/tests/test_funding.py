import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import funding

amounts = st.integers(-(10**12), 10**12)


class TestCut:
    @pytest.mark.parametrize(
        ("discounts", "fees", "vat", "cut"),
        [
            (3_000, 3_960, 360, (2_727, 273)),  # 272.7 of VAT
            (3_960, 3_960, 360, (3_600, 360)),
            (-3_000, -3_960, -360, (-2_727, -273)),
            (-3_000, 3_960, 360, (-2_727, -273)),
            (1_000, 5_000, 0, (1_000, 0)),
            (0, 3_960, 360, (0, 0)),
            (500, 0, 0, (500, 0)),
        ],
    )
    def test_takes_vat_with_the_fees(self, discounts, fees, vat, cut):
        assert funding.cut(discounts, fees, vat) == cut

    @given(amounts, amounts, amounts)
    def test_is_the_whole_discount(self, discounts, fees, vat):
        assert funding.cut(discounts, fees, vat).whole == discounts

    @given(st.integers(1, 10**12), st.integers(0, 10**11))
    def test_of_all_fees_leaves_neither_fee_nor_vat(self, supply, vat):
        assert funding.cut(supply + vat, supply + vat, vat) == (supply, vat)
