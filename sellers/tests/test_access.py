"""Who reaches a page of the seller centre, and for which shop."""

import pytest
from django.http import HttpResponse
from django.urls import include, path

from marketplace import tenancy
from marketplace.models import User
from marketplace.refusals import Refused
from sellers import access
from sellers.models import Seller, SellerMember
from sellers.tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.urls("sellers.tests.test_access")]


class Closed(Refused):
    code = "closed"
    message = "The counter is closed for <%(who)s>."


@access.seller_page
def shop(request, marketplace):
    return HttpResponse(f"{request.seller.code} {request.seller_role}")


@access.seller_page(owner_only=True)
def safe(request, marketplace):
    return HttpResponse(request.seller.code)


@access.seller_page(even_waiting=True)
def status(request, marketplace):
    return HttpResponse(request.seller.state)


@access.seller_page
def refuse(request, marketplace):
    Seller.objects.filter(pk=request.seller.pk).update(name="changed")
    raise Closed(who="you")


pages = [
    path("shop/", shop),
    path("safe/", safe),
    path("status/", status),
    path("refuse/", refuse),
    path("apply/", status, name="shop_apply"),
]
urlpatterns = [
    path("s/<slug:marketplace>/", include(pages)),
    path("", include("marketplace.urls")),
]


@pytest.fixture
def market():
    return make.marketplace("own")


def a_shop(market, code="apple", email="seller@example.org", role=SellerMember.Role.OWNER):
    with tenancy.use(market.pk):
        seller = make.seller(code)
        return seller, make.member(seller, email, role)


class TestSellerPage:
    def test_serves_the_only_shop_of_the_user(self, client, market):
        client.force_login(a_shop(market)[1])
        assert client.get("/s/own/shop/").content == b"apple owner"

    def test_asks_for_a_log_in_first(self, client, market):
        answer = client.get("/s/own/shop/")
        assert answer.status_code == 302
        assert answer.url == "/accounts/login/?next=/s/own/shop/"

    def test_does_not_exist_for_a_stranger(self, client, market):
        stranger = a_shop(make.marketplace("other"), "pear", "stranger@example.org")[1]
        a_shop(market)
        client.force_login(stranger)
        for method in (client.get, client.post):
            assert method("/s/own/shop/").status_code == 404
        assert client.get("/s/other/shop/").content == b"pear owner"

    def test_asks_a_user_with_several_shops_to_choose(self, client, market):
        seller, user = a_shop(market)
        a_shop(market, "melon")
        client.force_login(user)
        assert client.get("/s/own/shop/").url == "/s/own/choose/"
        client.post("/s/own/choose/", {"shop": seller.public_id})
        assert client.get("/s/own/shop/").content == b"apple owner"

    def test_forgets_a_chosen_shop_that_the_user_has_left(self, client, market):
        seller, user = a_shop(market)
        for code in ("melon", "plum"):
            a_shop(market, code)
        client.force_login(user)
        client.post("/s/own/choose/", {"shop": seller.public_id})
        SellerMember.objects.filter(seller=seller).delete()
        assert client.get("/s/own/shop/").url == "/s/own/choose/"

    def test_keeps_staff_from_what_is_for_owners(self, client, market):
        staff = a_shop(market, role=SellerMember.Role.STAFF)[1]
        client.force_login(staff)
        assert client.get("/s/own/shop/").content == b"apple staff"
        assert client.get("/s/own/safe/").status_code == 403

    def test_sends_a_business_that_waits_to_where_it_sees_that(self, client, market):
        user = a_shop(market)[1]
        with tenancy.use(market.pk):
            Seller.objects.update(state=Seller.State.ONBOARDING)
        client.force_login(user)
        assert client.get("/s/own/shop/").url == "/s/own/apply/"
        assert client.get("/s/own/status/").content == b"onboarding"

    def test_shows_a_refusal_and_changes_nothing(self, client, market):
        seller, user = a_shop(market)
        client.force_login(user)
        page = "http://testserver/s/own/shop/?page=2"
        posted = client.post("/s/own/refuse/", headers={"Referer": page})
        assert (posted.status_code, posted.url) == (302, page)
        posted = client.post("/s/own/refuse/", headers={"Referer": "https://elsewhere.example/"})
        assert (posted.status_code, posted.url) == (302, "/s/own/")
        shown = client.get("/s/own/refuse/")
        assert shown.status_code == 409
        assert shown.content.decode().count("The counter is closed for &lt;you&gt;.") == 3
        with tenancy.use(market.pk):
            assert Seller.objects.get(pk=seller.pk).name == "apple"

    def test_answers_htmx_with_the_refusal_alone(self, client, market):
        client.force_login(a_shop(market)[1])
        answer = client.post("/s/own/refuse/", headers={"HX-Request": "true"})
        assert (answer.status_code, answer["HX-Retarget"]) == (409, "#messages")
        assert b"<html" not in answer.content


class TestChoose:
    def test_takes_no_shop_of_others(self, client, market):
        user = a_shop(market)[1]
        a_shop(market, "melon")
        foreign = a_shop(market, "plum", "other@example.org")[0]
        client.force_login(user)
        assert client.post("/s/own/choose/", {"shop": foreign.public_id}).status_code == 404
        assert client.get("/s/own/shop/").url == "/s/own/choose/"

    def test_does_not_exist_for_a_stranger(self, client, market):
        client.force_login(a_shop(make.marketplace("other"), "pear", "stranger@example.org")[1])
        assert client.get("/s/own/choose/").status_code == 404


class TestWelcome:
    def test_greets_those_who_are_not_logged_in(self, client, market):
        answer = client.get("/")
        assert answer.status_code == 200
        assert b"/accounts/login/" in answer.content

    def test_sends_a_seller_to_the_only_shop(self, client, market):
        client.force_login(a_shop(market)[1])
        assert client.get("/").url == "/s/own/"

    def test_offers_every_place_of_a_user_with_several(self, client, market):
        user = a_shop(market)[1]
        a_shop(make.marketplace("other"), "pear")
        client.force_login(user)
        page = client.get("/").content.decode()
        assert 'href="/s/own/"' in page
        assert 'href="/s/other/"' in page

    def test_tells_a_user_without_a_place_what_comes_next(self, client, market):
        client.force_login(User.objects.create_user("nobody@example.org"))
        page = client.get("/", headers={"Accept-Language": "en"}).content
        assert b"belongs to no shop yet" in page
