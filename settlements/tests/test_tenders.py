"""Whose money a payment is, and what of a line each account brings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import chart, tenders

CLEARING, POINTS = chart.CLEARING, chart.POINTS_USED


class TestAccountOf:
    @pytest.mark.parametrize(
        ("kind", "provider_id", "account"),
        [
            ("card", "P1", chart.CLEARING),
            ("points", "P1", chart.CLEARING),  # its provider pays it out
            ("card", "", chart.CLEARING),  # somebody has to say whose it is
            ("points", "", chart.POINTS_USED),
            ("mileage", "", chart.POINTS_USED),
            ("voucher", "", chart.VOUCHERS_USED),
            ("return_shipping", "", chart.BUYER_TRANSFERS),
            ("bank_transfer", "", chart.BUYER_TRANSFERS),
        ],
    )
    def test_goes_by_the_providers_id_and_then_by_kind(self, kind, provider_id, account):
        assert tenders.account_of(kind, provider_id) == account


class TestChange:
    def test_of_a_sale_is_what_each_paid(self):
        paid_by = [(CLEARING, 9_000), (POINTS, 1_000)]
        assert tenders.change(0, 10_000, paid_by) == {CLEARING: 9_000, POINTS: 1_000}

    def test_of_a_part_that_comes_back_keeps_the_proportions_to_the_won(self):
        paid_by = [(CLEARING, 6_667), (POINTS, 3_333)]  # 3,333 of 10,000 remain
        assert tenders.change(10_000, 3_333, paid_by) == {CLEARING: -4_445, POINTS: -2_222}

    def test_of_what_came_back_before_its_sale_was_settled_is_below_zero(self):
        paid_by = [(CLEARING, 9_000), (POINTS, 1_000)]
        assert tenders.change(0, -10_000, paid_by) == {CLEARING: -9_000, POINTS: -1_000}

    @pytest.mark.parametrize("paid_by", [(), [(POINTS, 0)]])
    def test_of_a_line_that_no_payment_fits_is_the_providers(self, paid_by):
        assert tenders.change(100, 300, paid_by) == {CLEARING: 200}

    @given(
        st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=5),
        st.lists(
            st.tuples(st.sampled_from([CLEARING, POINTS, chart.VOUCHERS_USED]), st.integers(0, 9)),
            max_size=4,
        ),
    )
    def test_adds_up_however_often_a_line_changes(self, steps, paid_by):
        whole = tenders.change(0, steps[-1], paid_by)
        assert sum(whole.values()) == steps[-1]
        added: dict[str, int] = {}
        for before, now in zip([0, *steps], steps, strict=False):
            for account, part in tenders.change(before, now, paid_by).items():
                added[account] = added.get(account, 0) + part
        assert added == whole
