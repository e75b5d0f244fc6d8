import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import fast

amounts = st.integers(0, 10**12)


class TestAdvanced:
    @pytest.mark.parametrize(
        ("net", "share_ppm", "amount"),
        [
            (8_680, 1_000_000, 8_680),
            (8_681, 900_000, 7_812),  # 7,812.9 is cut
            (8_680, 0, 0),
            (-500, 1_000_000, 0),
        ],
    )
    def test_is_a_share_of_the_expected_net(self, net, share_ppm, amount):
        assert fast.advanced(net, share_ppm) == amount


class TestKept:
    def test_falls_with_the_units(self):
        assert [fast.kept(1_000, 3, left) for left in (3, 2, 1, 0)] == [1_000, 666, 333, 0]

    @given(amounts, st.integers(1, 100), st.data())
    def test_never_grows_when_units_go(self, paid, units, data):
        left = data.draw(st.integers(0, units))
        fewer = data.draw(st.integers(0, left))
        assert fast.kept(paid, units, fewer) <= fast.kept(paid, units, left) <= paid


class TestShare:
    @pytest.mark.parametrize(
        ("agreed", "grade", "share_ppm"),
        [(None, "gold", 900_000), (None, "silver", 0), (0, "gold", 0), (500_000, None, 500_000)],
    )
    def test_is_the_contracts_and_else_that_of_the_grade(self, agreed, grade, share_ppm):
        assert fast.share_ppm(agreed, grade, ("gold",), 900_000) == share_ppm
