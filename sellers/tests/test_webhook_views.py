"""A shop's webhooks as its people meet them."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from marketplace import tenancy
from marketplace.models import WebhookDelivery, WebhookEndpoint
from sellers.tests import make

pytestmark = pytest.mark.django_db
PAGE = "/s/own/webhooks/"
SECRET = re.compile(r"whsec_[0-9A-Za-z+/=]{44}")


@pytest.fixture
def market():
    return make.marketplace("own")


def member_of(market, code="apple", role="owner"):
    with tenancy.use(market.pk):
        user = make.member(make.seller(code), f"{role}@{code}.example", role)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(getattr(user, "user", user))
    return client


def added(client, market):
    client.post(PAGE, {"url": "https://shop.example/hook", "types": ["order.accepted"]})
    with tenancy.use(market.pk):
        return WebhookEndpoint.objects.get()


def delivery(market):
    with tenancy.use(market.pk):
        return WebhookDelivery.objects.get()


class TestPage:
    def test_adds_an_address_and_shows_its_secret_once(self, market):
        client = member_of(market)
        page = client.post(PAGE, {"url": "https://shop.example/hook"})
        assert len(SECRET.findall(page.content.decode())) == 1
        assert "no-store" in page["Cache-Control"]
        assert not SECRET.search(client.get(PAGE).content.decode())

    def test_says_what_is_wrong_with_an_address(self, market):
        page = member_of(market).post(PAGE, {"url": "https://10.0.0.1/"})
        assert page.status_code == 422
        assert "Webhooks go to https://" in page.content.decode()

    def test_tests_sends_again_disables_and_deletes(self, market):
        client = member_of(market)
        endpoint = added(client, market)
        own = f"{PAGE}{endpoint.public_id}/"
        client.post(f"{own}test/")
        sent = delivery(market)
        assert sent.type == "webhook.test"
        with tenancy.use(market.pk):
            WebhookDelivery.objects.update(due_at=None, dead_at=timezone.now())
        client.post(f"{own}messages/{sent.message_id}/replay/")
        assert delivery(market).due_at is not None
        assert sent.message_id in client.get(PAGE).content.decode()
        client.post(f"{own}disable/")
        assert delivery(market).last_outcome == "endpoint_disabled"
        client.post(f"{own}delete/")
        with tenancy.use(market.pk):
            assert not WebhookEndpoint.objects.exists()

    def test_is_for_owners_alone(self, market):
        assert member_of(market, role="staff").get(PAGE).status_code == 403

    def test_shows_and_changes_nothing_of_another_seller(self, market):
        endpoint = added(member_of(market), market)
        other = member_of(market, "pear")
        assert endpoint.url not in other.get(PAGE).content.decode()
        for deed in ("test", "disable", "delete"):
            assert other.post(f"{PAGE}{endpoint.public_id}/{deed}/").status_code == 404
        with tenancy.use(market.pk):
            assert WebhookEndpoint.objects.get().state == "enabled"
            assert not WebhookDelivery.objects.exists()

    def test_costs_the_same_however_much_was_sent(self, market, django_assert_max_num_queries):
        client = member_of(market)
        endpoint = added(client, market)
        for _ in range(30):
            client.post(f"{PAGE}{endpoint.public_id}/test/")
        with django_assert_max_num_queries(20):
            client.get(PAGE)
