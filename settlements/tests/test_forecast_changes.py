from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import forecast_changes
from settlements.forecast_changes import Item

DAY = date(2026, 9, 14)
NEXT, BEFORE = DAY + timedelta(7), DAY - timedelta(7)

days = st.sampled_from([None, BEFORE, DAY, NEXT])
items = st.builds(Item, days, st.integers(-100, 100), st.integers(-100, 100))
sides = st.dictionaries(st.tuples(st.integers(1, 6), st.integers(0, 2)), items)


def reason(old, new, key=(1, 0)):
    before = {} if old is None else {key: old}
    after = {} if new is None else {key: new}
    [change] = forecast_changes.explain(DAY, before, after)
    return change.reason, change.amount


class TestExplain:
    @given(sides, sides)
    def test_adds_up_to_the_difference_exactly(self, before, after):
        changes = forecast_changes.explain(DAY, before, after)
        was = forecast_changes.total(DAY, before.values())
        now = forecast_changes.total(DAY, after.values())
        assert sum(change.amount for change in changes) == now - was
        assert all(change.amount for change in changes)
        assert len({change.key for change in changes}) == len(changes)
        told = forecast_changes.sums(changes)
        assert sum(amount for _, amount in told.values()) == now - was
        assert sum(count for count, _ in told.values()) == len(changes)

    @given(sides)
    def test_finds_nothing_where_nothing_changed(self, side):
        assert forecast_changes.explain(DAY, side, side) == []

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (None, Item(DAY, 10, 9), ("new_sale", 9)),
            (Item(DAY, 10, 9), None, ("cancelled", -9)),
            (Item(DAY, 10, 9), Item(DAY, 5, 4), ("reduced", -5)),
            (Item(DAY, 10, 9), Item(DAY, 10, 8), ("fees", -1)),
            (Item(DAY, 10, 9), Item(None, 10, 9), ("held", -9)),
            (Item(None, 10, 9), Item(DAY, 10, 9), ("released", 9)),
            (Item(DAY, 10, 9), Item(NEXT, 10, 9), ("later", -9)),
            (Item(DAY, 10, 9), Item(BEFORE, 10, 9), ("earlier", -9)),
            (Item(BEFORE, 10, 9), Item(DAY, 10, 9), ("came_later", 9)),
            (Item(NEXT, 10, 9), Item(DAY, 10, 9), ("came_earlier", 9)),
        ],
    )
    def test_names_the_reason(self, old, new, expected):
        assert reason(old, new) == expected

    def test_tells_a_return_from_a_sale(self):
        assert reason(None, Item(DAY, -10, -9), key=(1, 1)) == ("returned", -9)

    def test_tells_an_amount_beside_sales_from_them(self):
        assert reason(None, Item(DAY, 0, -9), key=(-1, 0)) == ("adjusted", -9)

    def test_takes_no_notice_of_other_days(self):
        assert forecast_changes.explain(DAY, {(1, 0): Item(NEXT, 1, 1)}, {}) == []
