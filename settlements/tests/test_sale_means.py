"""Sales by means of payment: exact figures, and parts that always add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import pricing
from settlements import sale_means
from settlements.sale_means import CARD, MEANS, NOTHING, OTHER, RECEIPT, Part, Sold


class TestMeansOf:
    @pytest.mark.parametrize(
        ("kind", "receipt", "means"),
        [
            ("card", "", CARD),
            ("CARD", "123", CARD),
            ("transfer", "010-1", RECEIPT),
            ("transfer", "", OTHER),
            ("points", "", OTHER),
        ],
    )
    def test_goes_by_kind_and_cash_receipt(self, kind, receipt, means):
        assert sale_means.means_of(kind, receipt) == means


class TestChange:
    def test_of_a_sale_is_all_of_it_with_discounts_of_others_under_other(self):
        # 11,000 sold for, of which 1,000 is the platform's discount: 6,000 card, 4,000 cash
        paid_by = sale_means.shares([(CARD, 6_000), (RECEIPT, 4_000)])
        assert sale_means.change(NOTHING, Sold(11_000, 10_000), paid_by, (0, 1_000)) == {
            CARD: Part(6_000, 545),
            RECEIPT: Part(4_000, 364),
            OTHER: Part(1_000, 91),
        }

    def test_of_a_reversal_is_below_zero_in_the_same_proportions(self):
        paid_by = sale_means.shares([(CARD, 7_500), (RECEIPT, 2_500)])
        changed = sale_means.change(Sold(10_000, 10_000), Sold(5_000, 5_000), paid_by, (909, 455))
        assert {means: part.sales for means, part in changed.items()} == {
            CARD: -3_750,
            RECEIPT: -1_250,
            OTHER: 0,
        }

    def test_counts_as_other_what_no_payment_fits(self):
        changed = sale_means.change(NOTHING, Sold(500, 500), sale_means.shares([]), (0, 45))
        assert changed[OTHER] == Part(500, 45)

    amounts = st.integers(0, 10**9)

    @given(
        st.tuples(amounts, amounts),
        st.tuples(amounts, amounts),
        st.lists(amounts, min_size=3, max_size=3),
    )
    def test_adds_up_to_the_whole(self, old, new, weights):
        before, now = Sold(sum(old), old[0]), Sold(sum(new), new[0])
        vat = tuple(pricing.sale_vat(each.after_seller_discount, 100_000) for each in (before, now))
        paid_by = dict(zip(MEANS, weights, strict=True))
        changed = sale_means.change(before, now, paid_by, vat)
        assert sum(part.sales for part in changed.values()) == sum(new) - sum(old)
        assert sum(part.vat for part in changed.values()) == vat[1] - vat[0]
        back = sale_means.change(now, before, paid_by, vat[::-1])
        for means in MEANS:
            assert changed[means].sales == -back[means].sales
