"""Where a seller's money stands, beside the nights that put it there."""

from datetime import date

import pytest

from marketplace import tenancy
from orders import claims
from settlements import nights, positions
from settlements.models import Statement
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8, DUE = date(2026, 9, 8), date(2026, 9, 11)


@pytest.fixture
def market():
    return make.market(first_open_on=SEP_8)


def _close(market, on):
    nights.close_day(market.pk, on, at=make.AT)


class TestOfSeller:
    def test_is_empty_before_the_first_sale(self, market):
        with tenancy.use(market.pk):
            position = positions.of_seller(make.seller(), on=SEP_8)
            assert position.is_empty
            assert (position.held, position.next_due_on) == (0, None)

    def test_follows_the_money_from_sale_to_payout(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            make.sold(seller, unit_price=100_000, category="gold")
            make.sold(make.seller("B"), number="O2", unit_price=777_000)
            position = positions.of_seller(seller, on=SEP_8)
            assert (position.expected.net, position.confirmed) == (96_700, 0)
        _close(market, SEP_8)
        with tenancy.use(market.pk):
            position = positions.of_seller(seller, on=SEP_8)
            assert (position.expected.net, position.confirmed) == (96_700, 0)
            assert (position.next_due_on, position.next_net) == (DUE, 96_700)
        _close(market, DUE)
        with tenancy.use(market.pk):
            position = positions.of_seller(seller, on=DUE)
            assert (position.expected.net, position.confirmed, position.paid) == (0, 96_700, 0)
            assert position.next_due_on is None

    def test_tells_a_debt_apart_from_what_is_held(self, market):
        with tenancy.use(market.pk):
            line = make.sold(make.seller(), unit_price=100_000, category="gold")
        _close(market, DUE)
        with tenancy.use(market.pk):
            make.returned(line, left=0, on=date(2026, 9, 14))
        _close(market, date(2026, 9, 18))
        with tenancy.use(market.pk):
            position = positions.of_seller(line.seller, on=date(2026, 9, 18))
            assert (position.carry, position.debt, position.held) == (-96_700, 96_700, 0)
            assert position.confirmed == 96_700

    def test_holds_what_is_claimed_kept_in_reserve_or_too_little_to_pay(self, market):
        with tenancy.use(market.pk):
            seller = make.seller()
            line = make.placed(seller, status="delivered", unit_price=100_000, category="gold")
            claims.request(line, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
            balance = positions.SellerBalance.objects.create(seller=seller, carry=900, reserve=70)
            position = positions.of_seller(seller, on=SEP_8)
            assert position.held == 96_700 + 70 + 900
            assert not position.is_empty
            assert balance.carry == position.carried
            assert not Statement.objects.exists()
