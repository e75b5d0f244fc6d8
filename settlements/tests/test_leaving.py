"""What keeps a seller's contract from ending, from the first order to the last payout."""

from datetime import date

import pytest
from django.utils import translation

from marketplace import tenancy
from orders import claims
from orders.models import OrderLine
from sellers import deciding, leaving
from sellers.models import Seller
from settlements import ledger, nights
from settlements.models import Adjustment, SellerBalance
from settlements.tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    market = make.market("leaving")
    with tenancy.use(market.pk), translation.override("en"):
        yield market


def test_nothing_does_where_nothing_was_sold(market):
    seller = make.seller()
    Seller.objects.update(state=Seller.State.TERMINATING)
    assert leaving.obstacles(seller) == []
    deciding.finish_termination(seller, by=None, at=make.AT, reason="It asked to leave")
    assert Seller.objects.get().state == "terminated"


def test_orders_and_claims_do_until_they_are_over(market):
    seller = make.seller()
    line = make.placed(seller, quantity=2)
    OrderLine.objects.update(status=OrderLine.Status.DELIVERED)
    assert leaving.obstacles(seller) == ["1 open order line"]
    claims.request(line, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
    assert leaving.obstacles(seller) == ["1 open order line", "1 open claim"]
    assert leaving.obstacles(make.seller("other")) == []


def test_sales_that_it_brought_do_until_they_are_settled(market):
    hosting, other = make.seller("host"), make.seller()
    line = make.placed(other, number="open", brought_by=hosting)
    assert leaving.obstacles(hosting) == ["1 open order line brought by it"]
    OrderLine.objects.filter(pk=line.pk).update(status=OrderLine.Status.CANCELLED)
    assert leaving.obstacles(hosting) == []
    make.sold(other, number="sold", brought_by=hosting)
    assert leaving.obstacles(hosting) == ["1 unsettled commission"]
    assert leaving.obstacles(other) == ["1 unsettled outcome"]


def test_money_does_until_it_is_paid():
    market = make.market("leaving")

    def found():
        with tenancy.use(market.pk), translation.override("en"):
            return leaving.obstacles(Seller.objects.get())

    with tenancy.use(market.pk):
        make.sold(make.seller(), unit_price=100_000, category="gold")
    assert found() == ["1 unsettled outcome"]
    nights.close_day(market.pk, date(2026, 9, 8), at=make.AT)
    assert found() == ["1 open statement"]
    for day in (9, 10, 11):
        nights.close_day(market.pk, date(2026, 9, day), at=make.AT)
    # 3 % of 100,000 and the VAT on it are kept.
    assert found() == ["₩96,700 not paid out yet"]
    with tenancy.use(market.pk), translation.override("en"):
        Seller.objects.update(state=Seller.State.TERMINATING)
        seller = Seller.objects.get()
        with pytest.raises(deciding.StillOpen, match="₩96,700 not paid out yet"):
            deciding.finish_termination(seller, by=None, at=make.AT, reason="It asked to leave")
        paid = ledger.Draft("payout", "p-1", date(2026, 9, 11), seller.pk)
        paid.debit(ledger.PAYOUT_PAYABLE, 96_700)
        paid.credit(ledger.CLEARING, 96_700)
        ledger.post([paid])
    assert found() == []


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ({"held": 400}, "₩400 held back"),
        ({"reserve": 700}, "₩700 in reserve"),
        ({"receivable": 600}, "₩600 invoiced to the seller"),
        ({"carry": 900}, "₩900 carried to the next statement"),
        ({"carry": -300}, "₩300 owed by the seller"),
    ],
)
def test_what_is_kept_back_or_owed_does(market, amounts, told):
    seller = make.seller()
    SellerBalance.objects.create(seller=seller, **amounts)
    assert leaving.obstacles(seller) == [told]


def test_an_approved_adjustment_does_until_it_is_settled(market):
    seller = make.seller()
    Adjustment.objects.create(
        seller=seller,
        state=Adjustment.State.APPROVED,
        amount=-10_000,
        tax_kind="exempt",
        reason_code=Adjustment.Reason.PENALTY,
        reason="Shipped late",
        basis_on=make.FIRST_OPEN_ON,
        requested_at=make.AT,
    )
    assert leaving.obstacles(seller) == ["1 unsettled adjustment"]
