"""The home page and the grade page of the seller centre."""

import re
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from insights import shop_home
from listings.models import Category, Listing, Revision
from marketplace import paging, tenancy
from marketplace.models import Marketplace, User
from orders import claims
from sellers import performance
from sellers.models import SellerMember
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
HOME, GRADE = "/s/jangteo/", "/s/jangteo/grade/"


@pytest.fixture
def client():
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def market():
    return make.market()


@pytest.fixture
def seller(market):
    with tenancy.use(market.pk):
        return make.seller("A")


def _member(seller, email="seller@example.org", role=SellerMember.Role.OWNER):
    user = User.objects.create_user(email)
    SellerMember.objects.create(
        marketplace_id=seller.marketplace_id, seller=seller, user=user, role=role
    )
    return user


def _text(response):
    return " ".join(response.content.decode().split())


def _busy(seller):
    """One of everything that the home page counts."""
    make.placed(seller, number="ship", status="paid", unit_price=100_000, category="gold")
    make.placed(seller, number="ship", line=2, status="preparing", category="gold")
    line = make.placed(seller, number="claimed", status="delivered", category="gold")
    claims.request(line, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
    listing = Listing.objects.create(seller=seller, code="X")
    Revision.objects.create(
        listing=listing,
        number=1,
        title="x",
        unit_price=1,
        state="blocked",
        category=Category.objects.get(code="gold"),
    )
    performance.record_days(
        [
            performance.DayFigures(
                seller_id=seller.pk, orders_confirmed=3, sales_confirmed=1_234_567
            )
        ],
        on=SEP_8,
    )


class TestOfSeller:
    def test_counts_what_waits_for_the_shop(self, market, seller):
        with tenancy.use(market.pk):
            _busy(seller)
            home = shop_home.of_seller(seller, market, on=SEP_8)
            assert (home.new.count, home.new.oldest) == (1, date(2026, 9, 1))
            assert (home.to_ship.count, home.to_ship.oldest) == (1, date(2026, 9, 1))
            assert (home.claims.count, home.claims.oldest) == (1, make.AT)
            assert home.findings.count == 1
            assert (home.days[-1].on, home.days[-1].sales) == (SEP_8, 1_234_567)
            assert len(home.days) == 30
            assert home.position.expected.held.lines == 1
            assert not home.is_new

    def test_counts_up_to_a_limit_the_longest_wait_first(self, market, seller, monkeypatch):
        monkeypatch.setattr(paging, "MOST_COUNTED", 2)
        with tenancy.use(market.pk):
            for number in range(5):
                for line in (1, 2):  # an order counts once
                    make.placed(
                        seller,
                        number=f"N{number}",
                        line=line,
                        status="paid",
                        paid_on=date(2026, 9, 1 + number),
                    )
            home = shop_home.of_seller(seller, market, on=SEP_8)
        assert (home.new.count, home.new.oldest) == (3, date(2026, 9, 1))

    def test_tells_nothing_of_another_seller(self, market, seller):
        with tenancy.use(market.pk):
            _busy(make.seller("B"))
            home = shop_home.of_seller(seller, market, on=SEP_8)
            assert home.is_new
            assert {home.new.count, home.to_ship.count, home.claims.count, home.findings.count} == {
                0
            }
            assert not any(day.sales for day in home.days)

    def test_says_why_money_cannot_be_told(self, market, seller):
        with tenancy.use(market.pk):
            home = shop_home.of_seller(seller, market, on=date(2099, 1, 1))
            assert home.position is None
            assert home.trouble.code


class TestHome:
    def test_begins_with_what_comes_next(self, client, market, seller):
        client.force_login(_member(seller))
        text = _text(client.get(HOME))
        assert "List your first product" in text
        assert "No payout has been recorded yet." in text

    def test_shows_money_grade_work_and_trend(self, client, market, seller):
        with tenancy.use(market.pk):
            _busy(seller)
            Marketplace.objects.filter(pk=market.pk).update(last_closed_on=SEP_8)
        client.force_login(_member(seller))
        text = _text(client.get(HOME))
        # 96,700 and 9,670 are to be shipped; 9,670 is held by the claim.
        assert text.count("₩106,370") == 2
        assert "1 line has an open claim: <span" in text
        assert "₩9,670" in text
        assert "1 new order to acknowledge" in text
        assert "1 order to ship" in text
        assert "1 claim to answer" in text
        assert "1 listing to correct" in text
        assert "₩1,234,567" in text
        assert "씨앗" in text
        assert "short of" not in text
        assert "Missing to 새싹:" in text
        assert "List your first product" not in text

    def test_names_the_four_figures_as_sellers_know_them(self, client, seller):
        client.force_login(_member(seller))
        page = _text(client.get(HOME, headers={"accept-language": "ko"}))
        names = re.findall(r'<h2 class="subheader" id="(\w+)">([^<]+)', page)
        assert [(code, name.strip()) for code, name in names] == [
            ("expected", "정산예정"),
            ("confirmed", "정산확정"),
            ("held", "보류"),
            ("paid", "지급완료"),
        ]

    def test_asks_the_same_whatever_was_sold(self, client, market, seller):
        client.force_login(_member(seller))
        with tenancy.use(market.pk):
            _busy(seller)
        client.get(HOME)
        with CaptureQueriesContext(connection) as few:
            client.get(HOME)
        with tenancy.use(market.pk):
            for number in range(60):
                make.placed(seller, number=f"N{number}", status="shipped", unit_price=number)
        with CaptureQueriesContext(connection) as many:
            client.get(HOME)
        assert len(many) == len(few) <= 45

    def test_another_marketplaces_seller_finds_nothing(self, client, market, seller):
        elsewhere = make.market("elsewhere")
        with tenancy.use(elsewhere.pk):
            stranger = make.seller("A")
        client.force_login(_member(stranger))
        for address in (HOME, GRADE):
            assert client.get(address).status_code == 404
            assert client.get(address.replace("jangteo", "elsewhere")).status_code == 200

    def test_an_operator_without_a_shop_finds_nothing(self, client, market):
        client.force_login(User.objects.create_user("operator@example.org", is_staff=True))
        for address in (HOME, GRADE):
            assert client.get(address).status_code == 404

    def test_staff_see_it_too(self, client, market, seller):
        client.force_login(_member(seller, role=SellerMember.Role.STAFF))
        for address in (HOME, GRADE):
            assert client.get(address).status_code == 200


class TestGrade:
    def test_shows_measures_steps_and_history(self, client, market, seller):
        with tenancy.use(market.pk):
            make.graded(seller, "sprout", effective_from=date(2026, 8, 2))
            make.graded(make.seller("B"), "platinum", effective_from=date(2026, 8, 3))
            Marketplace.objects.filter(pk=market.pk).update(last_closed_on=SEP_8)
            performance.record_days(
                [
                    performance.DayFigures(
                        seller_id=seller.pk, orders_confirmed=290, sales_confirmed=9_000_000
                    )
                ],
                on=SEP_8,
            )
        client.force_login(_member(seller))
        text = _text(client.get(GRADE))
        assert "Since 2026-08-02" in text
        assert "2026-06-09 – 2026-09-08" in text
        assert "<strong>Missing:</strong> 10 orders</p>" in text
        assert "구매확정 건수 at least 300 orders" in text
        assert "판매 수수료: 0.2 percentage points off the rate" in text
        assert "2026-08-03" not in text  # the other seller's

    def test_pins_its_queries(self, client, market, seller):
        client.force_login(_member(seller))
        client.get(GRADE)
        with CaptureQueriesContext(connection) as asked:
            client.get(GRADE)
        assert len(asked) <= 20
