"""The seller's simulator and coming payouts, as pages."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from listings.models import Category
from marketplace import tenancy
from marketplace.models import User
from marketplace.tests import make as people
from orders import claims
from orders.models import OrderLine
from sellers.models import SellerMember
from settlements import forecasts, nights
from settlements.models import PayoutForecast
from settlements.tests import make

pytestmark = pytest.mark.django_db

SEP_8 = date(2026, 9, 8)
SIMULATOR, COMING = "/s/jangteo/simulator/", "/s/jangteo/coming-payouts/"


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


@pytest.fixture
def shop(client, seller):
    client.force_login(_member(seller))
    return client


def _member(seller, email="seller@example.org"):
    user = User.objects.create_user(email)
    SellerMember.objects.create(
        marketplace_id=seller.marketplace_id, seller=seller, user=user, role="owner"
    )
    return user


def _text(answer):
    return " ".join(answer.content.decode().split())


class TestSimulator:
    @pytest.fixture
    def gold(self, market):
        with tenancy.use(market.pk):
            return Category.objects.get(code="gold").pk

    def test_begins_with_the_question_alone(self, shop):
        answer = shop.get(SIMULATOR)
        assert answer.status_code == 200
        assert answer.context["comparison"] is None

    def test_compares_an_item(self, shop, gold):
        asked = {"category": gold, "unit_price": "100,000", "quantity": 1}
        context = shop.get(SIMULATOR, asked).context
        assert context["estimate"].net == 96_700
        nets = {name: (each.net, difference) for name, _, each, difference in context["grades"]}
        assert nets["파워"] == (96_920, 220)
        assert [is_own for _, is_own, _, _ in context["channels"]] == [True, False]

    def test_works_a_price_out(self, shop, gold):
        asked = {"category": gold, "wanted": "96,700", "quantity": 1}
        answer = shop.get(SIMULATOR, asked)
        assert answer.context["estimate"].item.unit_price == 99_999
        assert "The smallest unit price that leaves you" in _text(answer)

    @pytest.mark.parametrize("asked", [{}, {"unit_price": "1,000", "wanted": "900"}])
    def test_asks_for_one_of_the_two(self, shop, asked):
        answer = shop.get(SIMULATOR, {"unit_price": "", "quantity": 1, **asked})
        assert "Give a price, or what you want to keep." in _text(answer)
        assert answer.context["comparison"] is None

    def test_refuses_discounts_beyond_the_price(self, shop):
        asked = {"unit_price": "100", "quantity": 1, "seller_discount": "101"}
        assert "Discounts are more than the price." in _text(shop.get(SIMULATOR, asked))

    def test_does_not_exist_for_strangers(self, client, seller):
        other = make.market("other")
        with tenancy.use(other.pk):
            stranger = make.seller("X")
        client.force_login(_member(stranger, "stranger@example.org"))
        assert client.get(SIMULATOR).status_code == client.get("/s/nowhere/simulator/").status_code


class TestComingPayouts:
    @pytest.fixture
    def line(self, market, seller):
        """Delivered, and confirmed by itself ten days from now, whenever that is."""
        with tenancy.use(market.pk):
            line = make.placed(
                seller,
                number="A-1",
                status="delivered",
                unit_price=100_000,
                category="gold",
                title="순금 반지",
            )
            due = timezone.localdate() + timedelta(days=10)
            OrderLine.objects.filter(pk=line.pk).update(confirm_due_on=due)
        return line

    def test_show_each_day_and_its_lines(self, shop, market, seller, line):
        answer = shop.get(COMING)
        [day] = answer.context["forecast"].days
        assert day.net == 96_700
        page = shop.get(f"{COMING}{day.due_on}/")
        assert page.context["lines"][0]["sold"] == line
        assert "순금 반지" in _text(page)
        assert "No forecast of this day is kept" in _text(page)

    def test_show_what_made_the_difference(self, shop, market, seller, line):
        today = timezone.localdate()
        with tenancy.use(market.pk):
            forecasts.keep(today - timedelta(days=1), first_seller=0, end_seller=2**62)
            [row] = PayoutForecast.objects.all()
            OrderLine.objects.filter(pk=line.pk).update(status="cancelled", units_left=0)
        page = shop.get(f"{COMING}{row.due_on}/")
        assert (page.context["compared"].was, page.context["compared"].now) == (96_700, 0)
        assert [amount for _, _, amount in page.context["reasons"]] == [-96_700]
        assert "Cancelled" in _text(page)

    def test_show_what_claims_hold(self, shop, market, line):
        with tenancy.use(market.pk):
            claims.request(line, type="return", quantity=1, fault="buyer", by=None, at=make.AT)
        answer = shop.get(COMING)
        assert answer.context["forecast"].days == ()
        [held] = answer.context["held"]
        assert held["expected"].item.net == 96_700
        assert f"/claims/{held['claim'].public_id}/" in _text(answer)

    def test_say_what_comes_next_where_nothing_is_on_its_way(self, shop):
        assert "The first payment day appears with your next sale." in _text(shop.get(COMING))

    @pytest.mark.parametrize("day", ["2026-13-01", "x", "20260101T"])
    def test_know_no_day_that_is_none(self, shop, day):
        assert shop.get(f"{COMING}{day}/").status_code == 404
        assert shop.get(f"{COMING}2026-09-11/?since={day}").status_code == 404

    def test_show_nothing_of_another_seller(self, shop, market, line):
        with tenancy.use(market.pk):
            neighbour = make.seller("B")
        other = Client(headers={"accept-language": "en"})
        other.force_login(_member(neighbour, "neighbour@example.org"))
        assert other.get(COMING).context["forecast"].days == ()

    def test_ask_the_same_for_many_lines(self, shop, market, seller, line):
        with tenancy.use(market.pk):
            make.placed(seller, number="M", status="delivered", unit_price=1_000)
        shop.get(COMING)
        with CaptureQueriesContext(connection) as few:
            shop.get(COMING)
        with tenancy.use(market.pk):
            for number in range(20):
                make.placed(seller, number=f"M{number}", status="delivered", unit_price=1_000)
        with CaptureQueriesContext(connection) as many:
            shop.get(COMING)
        assert len(many) == len(few)


class TestOperators:
    def test_see_what_has_to_be_paid_on_which_day(self, client, market, seller):
        nights.close_day(market.pk, SEP_8, at=make.AT)
        with tenancy.use(market.pk):
            line = make.placed(seller, status="delivered", unit_price=100_000, category="gold")
            OrderLine.objects.filter(pk=line.pk).update(confirm_due_on=SEP_8 + timedelta(days=2))
            forecasts.keep(SEP_8, first_seller=0, end_seller=2**62)
            row = PayoutForecast.objects.get()
        user = people.user("viewer@example.org")
        people.membership(market, user, "viewer")
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        answer = client.get("/admin/settlements/payoutforecast/coming/")
        assert [(day["due_on"], day["net"]) for day in answer.context["days"]] == [
            (row.due_on, 96_700)
        ]
        page = client.get(f"/admin/settlements/payoutforecast/{row.pk}/change/")
        assert page.context["compared"].was == 96_700
        assert client.get("/admin/settlements/payoutforecast/").status_code == 200
