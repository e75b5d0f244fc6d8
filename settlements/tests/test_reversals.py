from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import remainders
from orders.remainders import MoreThanRemains, Remainder
from orders.tests.test_remainders import sold_lines
from settlements import reversals
from settlements.tests.test_fees import any_rules, rule, terms

parts_of_a_line = st.lists(st.integers(1, 4), max_size=6)


def numbers(value):
    """All quantities of a value but its bases, in one flat list."""
    charged = [amount for _, fee, vat in value.charged for amount in (fee, vat)]
    return [*value[:6], *charged, value.net]


def taken_in_parts(sold, parts):
    """Remainders from the whole line down, taking units back in parts, then all that is left."""
    left = [sold[1]]
    for part in parts:
        if part < left[-1]:
            left.append(left[-1] - part)
    return [remainders.remaining(*sold, left=units) for units in (*left, 0)]


class TestValue:
    def test_is_the_sale_for_the_whole_line(self):
        value = reversals.value(terms(rule(rate_ppm=77_000)), Remainder(3, 33_333))
        assert value == (3, 33_333, 0, 0, 0, 33_333, ((33_333, 2_566, 257),), 30_510)

    def test_keeps_what_is_kept_on_a_refund_and_nothing_else(self):
        pinned = terms(rule(), rule("payment", 30_000, id=2, keep_on_refund=True))
        kept = reversals.value(pinned, Remainder(3, 3_000)).charged
        value = reversals.value(pinned, remainders.NOTHING, kept)
        assert value.charged == ((0, 0, 0), (3_000, 90, 9))
        assert value.net == -99

    def test_takes_a_fee_on_a_kept_fee_from_the_kept_one(self):
        kept_rule = rule("payment", 30_000, id=2, keep_on_refund=True)
        pinned = terms(kept_rule, rule("live", 500_000, id=3, base="fee:payment"))
        original = Remainder(2, 2_000)
        kept = reversals.value(pinned, original).charged
        assert reversals.value(pinned, Remainder(1, 1_000), kept).charged[1] == (60, 30, 3)
        assert reversals.value(pinned, remainders.NOTHING, kept).charged[1] == (0, 0, 0)


class TestReversedBetween:
    def test_leaves_nothing_behind_where_rounding_each_part_would(self):
        pinned = terms(rule(rate_ppm=77_000))
        steps = [Remainder(left, 11_111 * left) for left in (3, 2, 1, 0)]
        fees = [
            reversals.reversed_between(pinned, steps[0], before, after).charged[0][1:]
            for before, after in pairwise(steps)
        ]
        assert fees == [(855, 86), (856, 85), (855, 86)]

    def test_keeps_a_minimum_whole_until_the_last_unit(self):
        pinned = terms(rule(rate_ppm=10_000, min_amount=500))
        original = Remainder(2, 2_000)
        one = Remainder(1, 1_000)
        assert reversals.reversed_between(pinned, original, original, one).charged[0][1] == 0
        last = reversals.reversed_between(pinned, original, one, remainders.NOTHING)
        assert last.charged[0][1] == 500

    def test_gives_back_fees_of_a_price_reduction_and_the_discount_grows(self):
        pinned = terms(rule(base="after_seller_discount", rate_ppm=100_000))
        before, after = Remainder(2, 10_000), Remainder(2, 10_000, seller_discount=1_000)
        value = reversals.reversed_between(pinned, before, before, after)
        assert (value.quantity, value.seller_discount, value.buyer_paid) == (0, -1_000, 1_000)
        assert (value.charged, value.net) == (((1_000, 100, 10),), 890)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (Remainder(1, 1_000), Remainder(2, 2_000)),
            (Remainder(2, 2_000, 500), Remainder(2, 2_000)),
            (Remainder(4, 4_000), Remainder(1, 1_000)),
        ],
    )
    def test_refuses_more_than_remains(self, before, after):
        with pytest.raises(MoreThanRemains):
            reversals.reversed_between(terms(), Remainder(3, 3_000), before, after)

    @given(sold_lines(), any_rules(), any_rules(), parts_of_a_line)
    def test_of_all_parts_is_the_sale(self, sold, one, other, parts):
        pinned = terms(one, other)
        steps = taken_in_parts(sold, parts)
        total = [0] * 11
        for before, after in pairwise(steps):
            taken = numbers(reversals.reversed_between(pinned, steps[0], before, after))
            total = [sum(pair) for pair in zip(total, taken, strict=True)]
        assert total == numbers(reversals.value(pinned, steps[0]))

    @given(sold_lines(), any_rules(), parts_of_a_line)
    def test_in_two_steps_is_the_same_as_in_one(self, sold, any_rule, parts):
        pinned = terms(any_rule)
        steps = taken_in_parts(sold, parts)
        at_once = numbers(reversals.reversed_between(pinned, steps[0], steps[0], steps[-1]))
        middle = steps[len(steps) // 2]
        first = numbers(reversals.reversed_between(pinned, steps[0], steps[0], middle))
        second = numbers(reversals.reversed_between(pinned, steps[0], middle, steps[-1]))
        assert at_once == [sum(pair) for pair in zip(first, second, strict=True)]
