"""A seller's sales of a month by both dates, on real rows and on the page."""

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone

from marketplace import tenancy
from orders import claims, return_shipping
from orders.models import Order, Payment
from settlements import sale_means, vat_view
from settlements.sale_means import CARD, OTHER, RECEIPT, Part
from settlements.tests import make
from settlements.tests.test_payout_pages import shopkeeper

pytestmark = pytest.mark.django_db

SEP, OCT = date(2026, 9, 1), date(2026, 10, 1)


@pytest.fixture
def market():
    return make.market("ours")


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        return make.seller()


def paid(number, *tenders):
    order = Order.objects.get(number=number)
    for sequence, (kind, amount, receipt) in enumerate(tenders, 1):
        Payment.objects.create(
            order=order, sequence=sequence, kind=kind, amount=amount, cash_receipt=receipt
        )


class TestOfMonth:
    def test_counts_a_sale_on_two_days(self, market, seller):
        with tenancy.use(market.pk):
            days = {"paid_on": date(2026, 9, 29), "confirmed_on": date(2026, 10, 6)}
            make.sold(seller, number="A", unit_price=11_000, **days)
            paid("A", ("card", 6_600, ""), ("transfer", 4_400, "010"))
            september, october = (vat_view.of_month(seller, month) for month in (SEP, OCT))
            assert september.approval.parts == {
                (CARD, "taxable"): Part(6_600, 600),
                (RECEIPT, "taxable"): Part(4_400, 400),
                (OTHER, "taxable"): Part(0, 0),
            }
            assert september.confirmation.parts == {}
            assert october.approval.parts == {}
            assert october.confirmation.parts == september.approval.parts
            assert (october.confirmation.lines, october.confirmation.total.sales) == (1, 11_000)

    def test_counts_a_return_on_its_own_day_by_either(self, market, seller):
        with tenancy.use(market.pk):
            line = make.sold(seller, number="A", unit_price=11_000, quantity=2)
            paid("A", ("card", 22_000, ""))
            make.returned(line, left=1, on=date(2026, 10, 2))
            october = vat_view.of_month(seller, OCT)
            for sales in (october.approval, october.confirmation):
                assert sales.of(CARD)["total"] == Part(-11_000, -1_000)

    def test_keeps_exempt_sales_apart(self, market, seller):
        with tenancy.use(market.pk):
            make.sold(seller, number="A", unit_price=5_000, tax_kind="exempt")
            make.sold(seller, number="A", line=2, unit_price=11_000)
            paid("A", ("card", 16_000, ""))
            sales = vat_view.of_month(seller, SEP).confirmation
            assert sales.of_kind("exempt") == Part(5_000, 0)
            assert sales.of_kind("taxable") == Part(11_000, 1_000)
            assert sales.total == Part(16_000, 1_000)

    def test_splits_payments_over_lines_of_others_too(self, market, seller):
        with tenancy.use(market.pk):
            make.sold(seller, number="A", unit_price=10_000)
            make.sold(make.seller("B"), number="A", line=2, unit_price=30_000)
            paid("A", ("card", 20_000, ""), ("points", 20_000, ""))
            sales = vat_view.of_month(seller, SEP).confirmation
            assert sales.of(CARD)["total"].sales == 5_000
            assert sales.of(OTHER)["total"].sales == 5_000
            assert sales.lines == 1

    def test_tells_what_is_not_confirmed_yet(self, market, seller):
        with tenancy.use(market.pk):
            make.placed(seller, number="A")
            view = vat_view.of_month(seller, SEP)
            assert (view.unconfirmed, view.approval.lines) == (1, 0)

    def test_puts_sales_without_payments_under_other(self, market, seller):
        with tenancy.use(market.pk):
            make.sold(seller, number="A", unit_price=10_000)
            sales = vat_view.of_month(seller, SEP).confirmation
            assert sales.of(sale_means.OTHER)["total"] == Part(10_000, 909)


class TestPage:
    def test_shows_both_tables_and_gives_the_same_as_a_file(self, market, seller, monkeypatch):
        with tenancy.use(market.pk):
            make.sold(seller, number="A", unit_price=11_000)
            paid("A", ("card", 11_000, ""))
        monkeypatch.setattr(timezone, "localdate", lambda timezone=None: date(2026, 9, 30))
        client = shopkeeper(seller, "a@example.org")
        page = client.get("/s/ours/tax/vat/").content.decode()
        assert "By date of payment" in page
        assert page.count("11,000") >= 4
        file = client.get("/s/ours/tax/vat/?month=2026-09&file=csv").content.decode("utf-8-sig")
        assert "By date of confirmation,Card,11000,1000,0,11000" in file
        assert client.get("/s/ours/tax/vat/?month=1999-01").status_code == 200

    def test_shows_nothing_of_others(self, market, seller):
        with tenancy.use(market.pk):
            make.sold(seller, number="A", unit_price=77_700)
            neighbour = make.seller("B")
        page = shopkeeper(neighbour, "b@example.org").get("/s/ours/tax/vat/?month=2026-09")
        assert "77,700" not in page.content.decode()


class TestReturnShipping:
    @pytest.mark.parametrize(
        ("way", "means"),
        [("deducted", {CARD: 3_000, OTHER: 0}), ("direct", {CARD: 0, OTHER: 3_000})],
    )
    def test_was_paid_like_the_order_or_by_itself(self, market, seller, way, means):
        """20,000 by card come back for 3,000: the card's sales are left at what was deducted."""
        with tenancy.use(market.pk):
            line = make.sold(seller, unit_price=20_000, number="R1")
            paid("R1", ("card", 20_000, ""))
            at = datetime(2026, 9, 14, 3, tzinfo=UTC)
            terms = return_shipping.Terms(3_000, 0, way)
            told = {"type": "return", "quantity": 1, "fault": "buyer", "by": None, "at": at}
            claim = claims.request(line, shipping_terms=terms, **told)
            claims.approve(claim, by=None, at=at)
            claims.complete(claim, by=None, at=at)
            sales = vat_view.of_month(seller, SEP).confirmation
            assert {name: sales.of(name)["total"].sales for name in means} == means
            assert sales.total == Part(3_000, 273)
