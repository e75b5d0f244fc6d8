import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import remainders
from orders.remainders import Remainder


@st.composite
def sold_lines(draw):
    """(unit price, quantity, seller's, platform's, partner's discount) of a line."""
    unit_price, quantity = draw(st.integers(0, 5_000)), draw(st.integers(1, 8))
    left = unit_price * quantity
    discounts = []
    for _ in range(3):
        discounts.append(draw(st.integers(0, left)))
        left -= discounts[-1]
    return unit_price, quantity, *discounts


class TestUnitsOf:
    def test_splits_funder_by_funder_and_no_unit_goes_below_zero(self):
        units = remainders.units_of(2, 4, seller_discount=7, platform_discount=1)
        assert units.discounts == ((2, 0, 0), (2, 0, 0), (2, 0, 0), (1, 1, 0))

    def test_refuses_discounts_above_the_price(self):
        with pytest.raises(remainders.DiscountExceedsLine):
            remainders.units_of(10, 2, seller_discount=15, partner_discount=6)

    @given(sold_lines())
    def test_leaves_no_unit_below_zero_and_loses_nothing(self, sold):
        units = remainders.units_of(*sold)
        assert min(units.paid()) >= 0
        assert units.remainder() == Remainder(sold[1], sold[0] * sold[1], *sold[2:])


class TestTakeBack:
    def test_takes_the_last_units(self):
        units = remainders.take_back(remainders.units_of(5_000, 3, 100), 1)
        assert units.discounts == ((34, 0, 0), (33, 0, 0))

    @pytest.mark.parametrize("quantity", [-1, 4])
    def test_refuses_more_than_remains(self, quantity):
        with pytest.raises(remainders.MoreThanRemains):
            remainders.take_back(remainders.units_of(5_000, 3), quantity)


class TestReducePrice:
    def test_adds_to_what_the_funder_gives_and_keeps_the_units(self):
        units = remainders.units_of(5_000, 2, seller_discount=1_000)
        reduced = remainders.reduce_price(units, 301, remainders.PARTNER)
        assert reduced.remainder() == Remainder(2, 10_000, 1_000, 0, 301)

    def test_splits_by_what_the_buyer_still_pays(self):
        units = remainders.units_of(100, 3, seller_discount=200)
        assert units.paid() == [33, 33, 34]
        assert remainders.reduce_price(units, 100).paid() == [0, 0, 0]

    def test_goes_back_with_the_units_it_lies_on(self):
        units = remainders.reduce_price(remainders.units_of(1_000, 3), 100)
        assert remainders.take_back(units, 1).remainder() == Remainder(2, 2_000, 67)

    def test_refuses_more_than_the_buyer_pays(self):
        units = remainders.take_back(remainders.units_of(100, 3, 30), 1)
        with pytest.raises(remainders.ReductionExceedsPaid):
            remainders.reduce_price(units, 181)

    def test_refuses_to_reduce_nothing(self):
        units = remainders.take_back(remainders.units_of(100, 3), 3)
        with pytest.raises(remainders.ReductionExceedsPaid):
            remainders.reduce_price(units, 1)

    @given(sold_lines(), st.sampled_from(remainders.FUNDERS), st.data())
    def test_takes_exactly_the_amount_off_what_the_buyer_pays(self, sold, funder, data):
        units = remainders.units_of(*sold)
        amount = data.draw(st.integers(0, sum(units.paid())))
        reduced = remainders.reduce_price(units, amount, funder)
        assert min(reduced.paid()) >= 0
        assert sum(reduced.paid()) == sum(units.paid()) - amount
        assert reduced.remainder().list_amount == sold[0] * sold[1]


class TestRemaining:
    def test_is_the_sum_of_the_first_units(self):
        assert remainders.remaining(5_000, 2, 1_000, 500, 301, left=1) == Remainder(
            1, 5_000, 500, 250, 151
        )

    def test_is_nothing_without_units(self):
        assert remainders.remaining(5_000, 2, 1_000, 500, 301, left=0) == remainders.NOTHING

    @pytest.mark.parametrize("left", [-1, 3])
    def test_refuses_more_than_there_were(self, left):
        with pytest.raises(remainders.MoreThanRemains):
            remainders.remaining(5_000, 2, 0, 0, 0, left=left)

    @given(sold_lines(), st.data())
    def test_is_what_taking_back_leaves(self, sold, data):
        left = data.draw(st.integers(0, sold[1]))
        units = remainders.take_back(remainders.units_of(*sold), sold[1] - left)
        assert remainders.remaining(*sold, left=left) == units.remainder()


class TestRemainder:
    def test_says_what_the_buyer_paid(self):
        line = Remainder(2, 10_000, 1_000, 500, 301)
        assert (line.after_seller_discount, line.buyer_paid) == (9_000, 8_199)
