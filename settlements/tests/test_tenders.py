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


PAID = {CLEARING: 9_000, POINTS: 1_000}


def parts(amount, paid=PAID, given_back=0):
    """Of an order of one line."""
    return tenders.parts(paid, [(amount, [*paid.items()])], given_back=given_back)


class TestParts:
    def test_of_a_sale_are_what_each_paid(self):
        assert parts(10_000) == PAID

    def test_of_what_remains_keep_the_proportions_to_the_won(self):
        paid = {CLEARING: 6_667, POINTS: 3_333}
        assert parts(3_333, paid) == {CLEARING: 2_222, POINTS: 1_111}

    @pytest.mark.parametrize(
        ("given_back", "card"),
        [
            (0, 4_500),  # not given back yet
            (4_000, 4_500),  # the rest may come
            (4_500, 4_500),
            (5_000, 4_000),  # all of it by card, no points
            (4_700, 4_300),
            (8_000, 4_000),  # beyond what was to be given back: no points were
        ],
    )
    def test_follow_what_providers_say_they_gave_back(self, given_back, card):
        """Half of 9,000 by card and 1,000 in points comes back."""
        found = parts(5_000, given_back=given_back)
        assert found == {CLEARING: card, POINTS: 5_000 - card}

    def test_never_give_back_more_than_was_paid(self):
        assert parts(2_000, {CLEARING: 1_000, POINTS: 9_000}, given_back=5_000) == {
            CLEARING: 0,
            POINTS: 2_000,
        }

    def test_share_among_several_what_they_have_left(self):
        paid = {CLEARING: 6_000, POINTS: 3_000, chart.VOUCHERS_USED: 1_000}
        assert parts(5_000, paid, given_back=5_000) == {
            CLEARING: 1_000,
            POINTS: 3_000,
            chart.VOUCHERS_USED: 1_000,
        }

    def test_of_what_came_back_before_its_sale_was_settled_are_below_zero(self):
        assert parts(-10_000) == {CLEARING: -9_000, POINTS: -1_000}

    @pytest.mark.parametrize("paid_by", [(), [(POINTS, 0)]])
    def test_of_a_line_that_no_payment_fits_are_the_providers(self, paid_by):
        found = tenders.parts({}, [(200, paid_by)], given_back=0)
        assert {account: part for account, part in found.items() if part} == {CLEARING: 200}

    @given(
        st.lists(
            st.tuples(
                st.integers(-(10**9), 10**9),
                st.lists(
                    st.tuples(
                        st.sampled_from([CLEARING, POINTS, chart.VOUCHERS_USED]), st.integers(0, 9)
                    ),
                    max_size=4,
                ),
            ),
            max_size=4,
        ),
        st.dictionaries(st.sampled_from([CLEARING, POINTS]), st.integers(0, 10**9)),
        st.integers(0, 10**9),
    )
    def test_add_up_to_what_counts(self, lines, paid, given_back):
        found = tenders.parts(paid, lines, given_back=given_back)
        assert sum(found.values()) == sum(amount for amount, _ in lines)
