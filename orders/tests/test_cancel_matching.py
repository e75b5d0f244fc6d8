"""Which sale a cancel takes back."""

import pytest

from marketplace.refusals import Refused
from orders.cancel_matching import Cancel, Sale, choose
from orders.tests import make


def cancel(quantity=2, buyer="kim", at=10):
    return Cancel("C-1:1", buyer, "green-tea", 10_000, quantity, make.day(at))


def sale(order="A-1", line=1, at=1, left=5):
    return Sale(order, line, make.day(at), left)


class TestChoose:
    def test_takes_the_latest_sale_before(self):
        sales = [sale("A-1", at=1), sale("A-3", at=11), sale("A-2", at=9)]
        assert choose(cancel(), sales).order == "A-2"

    def test_takes_a_sale_of_the_same_instant(self):
        assert choose(cancel(at=3), [sale(at=3)]).order == "A-1"

    def test_goes_back_to_the_latest_with_enough_units(self):
        sales = [sale("A-1", at=1), sale("A-2", at=9, left=1)]
        assert choose(cancel(), sales).order == "A-1"

    def test_takes_the_last_line_among_equals(self):
        assert choose(cancel(), [sale(line=1), sale(line=3), sale(line=2)]).line == 3

    @pytest.mark.parametrize(
        ("asked", "sales", "code"),
        [
            (cancel(buyer=""), [sale()], "no_buyer"),
            (cancel(), [], "no_sale"),
            (cancel(at=0), [sale(at=1)], "no_sale"),
            (cancel(quantity=6), [sale(left=5), sale(line=2, left=5)], "not_enough_units"),
        ],
    )
    def test_says_why_there_is_none(self, asked, sales, code):
        found = choose(asked, sales)
        assert isinstance(found, Refused)
        assert found.code == code
