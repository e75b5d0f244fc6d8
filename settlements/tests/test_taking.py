"""What waits comes in blocks, and nothing of it is left out silently."""

from datetime import date

import pytest

from marketplace import tenancy
from settlements import taking
from settlements.tests import make

pytestmark = pytest.mark.django_db

ON = date(2026, 9, 10)
EVERYBODY = {"first": 0, "end": 2**62}


@pytest.fixture
def sales(market):
    """Five sales; the first was taken back in two steps, the second in one."""
    lines = [make.sold(make.seller(f"S{n}"), number=f"O{n}", quantity=2) for n in range(5)]
    make.returned(lines[0], left=1, on=date(2026, 9, 9))
    make.returned(lines[0], left=0, on=ON)
    make.returned(lines[1], left=0, on=ON)
    return taking.Sales({"marketplace": market.pk, "on": ON, **EVERYBODY})


@pytest.fixture
def market():
    market = make.market(first_open_on=date(2026, 9, 8))
    with tenancy.use(market.pk):
        yield market


def _read(source):
    while found := source.ask():
        yield source.read(found)


class TestSales:
    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    def test_come_once_whatever_the_size_of_blocks(self, sales, monkeypatch, size):
        monkeypatch.setattr(taking, "BLOCK", size)
        blocks = list(_read(sales))
        told = [
            (block.orders[block.lines[line_id][1]], sequence)
            for block in blocks
            for _, line_id, _, _, _, sequence, *_ in block.outcomes
        ]
        assert sorted(told) == [(f"O{n}", 0) for n in range(5)]
        assert sales.size == 8
        assert len(sales.reversals) == 3
        assert all(len(block.outcomes) <= size for block in blocks)

    def test_refuse_an_outcome_without_its_order(self, sales):
        found = sales.ask()
        nothing = sales.server.found("SELECT 1::bigint, 'O1' WHERE false")
        with pytest.raises(taking.NotFound, match=r"^5 of an outcome's rows are missing"):
            sales.read(found._replace(orders=nothing))


class TestReversals:
    @pytest.mark.parametrize("size", [1, 2, 100])
    def test_refuse_those_of_sales_without_a_line(self, sales, monkeypatch, size):
        monkeypatch.setattr(taking, "BLOCK", size)
        list(_read(sales))
        # Their sales are not settled, so nothing says by which terms.
        with pytest.raises(taking.NotFound):
            list(_read(taking.Reversals(sales)))

    def test_are_none_where_nothing_was_taken_back(self, market):
        make.sold(make.seller("A"), number="O1")
        sales = taking.Sales({"marketplace": market.pk, "on": ON, **EVERYBODY})
        assert len(list(_read(sales))) == 1
        assert taking.Reversals(sales).ask() is None
