import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import payables, withholding

amounts = st.integers(0, 10**9)
signed = st.integers(-(10**9), 10**9)


@st.composite
def settled(draw):
    asked = {
        "carry_in": draw(signed),
        "released_holds": draw(amounts),
        "new_holds": draw(amounts),
        "reserve_ppm": draw(st.integers(0, 999_999)),
        "reserve_released": draw(amounts),
        "minimum_payout": draw(st.sampled_from([0, 1, 10_000, 10**9])),
        "tax": withholding.withhold(draw(signed), draw(signed)),
    }
    return asked, payables.settle(draw(signed), **asked)


class TestSettle:
    def test_keeps_back_the_reserve(self):
        made = payables.settle(91_234, reserve_ppm=300_000)
        assert (made.reserve, made.payout, made.is_paid) == (27_370, 63_864, True)

    def test_makes_no_debt_by_a_hold(self):
        made = payables.settle(5_000, new_holds=8_000)
        assert (made.hold_taken, made.hold_unfilled, made.carry_out) == (5_000, 3_000, 0)

    def test_covers_debt_with_a_released_reserve_and_leaves_the_rest_released(self):
        made = payables.settle(-300, reserve_released=500, minimum_payout=1_000)
        assert (made.payout, made.carry_out, made.reserve_released_left) == (0, 0, 200)

    def test_carries_over_below_the_minimum(self):
        made = payables.settle(9_000, minimum_payout=10_000, reserve_ppm=100_000)
        assert (made.payout, made.reserve, made.carry_out) == (0, 0, 9_000)

    @pytest.mark.parametrize("ppm", [-1, 1_000_000])
    def test_refuses_a_reserve_of_everything(self, ppm):
        with pytest.raises(payables.ReserveOutOfRange):
            payables.settle(1, reserve_ppm=ppm)

    @pytest.mark.parametrize(
        "name", ["released_holds", "new_holds", "reserve_released", "minimum_payout"]
    )
    def test_refuses_amounts_below_zero(self, name):
        with pytest.raises(payables.AmountBelowZero):
            payables.settle(1, **{name: -1})

    @given(settled())
    def test_gives_out_what_came_in(self, case):
        asked, made = case
        withheld = made.withholding_income + made.withholding_local
        given_out = made.hold_taken + made.reserve + withheld + made.payout + made.carry_out
        came_in = made.gross + asked["reserve_released"]
        assert came_in == given_out + made.reserve_released_left

    @given(settled())
    def test_is_paid_whole_or_not_at_all(self, case):
        asked, made = case
        assert made.hold_taken + made.hold_unfilled == asked["new_holds"]
        assert 0 <= made.hold_taken <= max(made.gross, 0)
        assert 0 <= made.reserve_released_left <= asked["reserve_released"]
        if made.is_paid:
            assert made.payout >= max(asked["minimum_payout"], 1)
            assert (made.carry_out, made.reserve_released_left) == (0, 0)
            assert made.base_carried <= 0
        else:
            assert made.reserve == made.withholding_income == made.withholding_local == 0
            assert made.base_carried == asked["tax"].base
            assert made.carry_out <= 0 or made.payable > 0
