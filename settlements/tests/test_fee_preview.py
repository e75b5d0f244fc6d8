"""The fee beside the form in which a seller names a price."""

import pytest

from marketplace import tenancy
from sellers.models import Seller
from sellers.tests.make import member
from settlements.tests import make

pytestmark = pytest.mark.django_db
ADDRESS = "/s/jangteo/fee-preview/"


@pytest.fixture
def market(client):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    market = make.market()
    with tenancy.use(market.pk):
        user = member(make.seller())
        Seller.objects.update(state=Seller.State.ACTIVE)
    client.force_login(user)
    return market


def asked(client, **given):
    return client.get(ADDRESS, given, headers={"HX-Request": "true"}).content.decode()


class TestPreview:
    def test_shows_what_the_settlement_would_charge(self, client, market):
        page = asked(client, unit_price="99,999", category="gold")
        # 3 % of 99,999 is 2,999.97, cut to 2,999; VAT 299.9.
        for figure in ("₩99,999", "3%", "₩2,999", "₩300", "₩96,700"):
            assert figure in page
        assert "<html" not in page
        assert asked(client, unit_price="99999", category="gold", minor="1") == page

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "Enter a price and choose a category"),
            ({"unit_price": "1000", "category": "nothing"}, "Enter a price and choose a category"),
            ({"unit_price": "<b>", "category": "gold"}, "“&lt;b&gt;” is not an amount of money."),
            ({"unit_price": "-1", "category": "gold"}, "must lie between"),
        ],
    )
    def test_says_why_there_is_none(self, client, market, given, said):
        assert said in asked(client, **given)

    def test_is_a_page_of_its_own_without_scripts(self, client, market):
        page = client.get(ADDRESS, {"unit_price": "1000", "category": "gold"})
        assert b"<html" in page.content

    def test_does_not_exist_for_a_stranger(self, client, market):
        other = make.market("other")
        with tenancy.use(other.pk):
            stranger = member(make.seller(), "stranger@example.org")
        client.force_login(stranger)
        assert client.get(ADDRESS, {"unit_price": "1000", "category": "gold"}).status_code == 404
