from insights import charts
from insights.charts import HEIGHT, WIDTH, Bar


class TestBars:
    def test_are_as_high_as_their_values(self):
        first, second, third = charts.bars([50, 100, 0])
        assert (first.height, second.height, third.height) == (HEIGHT // 2, HEIGHT, 0)
        assert (first.y, second.y, third.y) == (HEIGHT // 2, 0, HEIGHT)

    def test_hang_from_zero_when_below_it(self):
        above, below = charts.bars([10, -10])
        assert above == Bar(0, 0, WIDTH // 2 - 4, HEIGHT // 2)
        assert (below.y, below.height) == (HEIGHT // 2, HEIGHT // 2)

    def test_show_that_a_small_value_is_not_nothing(self):
        assert charts.bars([1, 10**9])[0].height == 1

    def test_of_nothing_are_flat(self):
        assert [bar.height for bar in charts.bars([0, 0])] == [0, 0]
        assert charts.bars([]) == []
