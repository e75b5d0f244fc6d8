"""The feed and webhook endpoints over the API."""

import pytest
from django.apps import apps
from django.utils import timezone

from marketplace import changes, tenancy
from marketplace.models import IdempotencyKey, Marketplace, WebhookDelivery, WebhookEndpoint
from marketplace.tests import make
from marketplace.webhooks import deliveries

URL = "https://shop.example/hook"


@pytest.fixture
def market():
    return make.marketplace()


@pytest.fixture
def client(market):
    return make.ApiClient(make.api_key(market))


def seller(market, code):
    with tenancy.use(market.pk):
        return apps.get_model("sellers", "Seller").objects.create(
            code=code, name=code, joined_on=make.FIRST_OPEN_ON, state="active"
        )


def of_seller(market, one):
    return make.ApiClient(make.api_key(market, seller=one.public_id))


@pytest.mark.django_db(transaction=True)
class TestFeed:
    def test_is_followed_from_page_to_page(self, market, client):
        with tenancy.use(market.pk):
            for name in "abc":
                changes.announce("order.accepted", name, at=make.NOON, lines=[1])
        make.wait_until_told()
        first = client.read("events/?limit=2").json()
        assert [row["data"]["id"] for row in first["data"]] == ["a", "b"]
        assert first["has_more"] is True
        assert first["data"][0].keys() == {"id", "type", "timestamp", "data"}
        path = first["next"].partition("/api/v1/")[2]
        second = client.read(path).json()
        assert [row["data"]["id"] for row in second["data"]] == ["c"]
        again = second["next"].partition("/api/v1/")[2]
        third = client.read(again).json()
        assert (third["data"], third["has_more"]) == ([], False)

    def test_tells_a_seller_what_concerns_it_and_a_stranger_nothing(self, market):
        mine, other = seller(market, "mine"), seller(market, "other")
        with tenancy.use(market.pk):
            changes.announce("order.accepted", "a", at=make.NOON, seller_id=mine.pk)
            changes.announce("night.closed", "2026-03-02", at=make.NOON)
        make.wait_until_told()
        told = of_seller(market, mine).read("events/").json()["data"]
        assert [row["data"] for row in told] == [{"id": "a", "seller": mine.public_id}]
        stranger = make.ApiClient(make.api_key(make.marketplace("elsewhere")))
        for client in (of_seller(market, other), stranger):
            assert client.read("events/").json()["data"] == []

    def test_refuses_a_cursor_of_its_own_making(self, client):
        response = client.read("events/?cursor=1-x")
        assert (response.status_code, response.json()["code"]) == (422, "bad_cursor")

    def test_tells_a_reader_who_comes_too_late_how_to_begin_anew(self, market, client):
        with tenancy.use(market.pk):
            Marketplace.objects.filter(pk=market.pk).update(
                forgotten_transaction=700, forgotten_change=3
            )
        response = client.read("events/?cursor=700-2")
        assert (response.status_code, response.json()["code"]) == (410, "cursor_too_old")
        assert "without a cursor" in response.json()["detail"]
        for query in ("", "?cursor=700-3"):
            assert client.read(f"events/{query}").status_code == 200

    def test_needs_its_scope(self, market):
        client = make.ApiClient(make.api_key(market, "orders:read"))
        assert client.read("events/").json()["code"] == "scope_missing"


@pytest.mark.django_db
class TestEndpoints:
    def made(self, client, **words):
        response = client.send("webhook-endpoints/", {"url": URL, **words})
        assert response.status_code == 201, response.content
        return response.json()

    def test_are_made_and_their_secret_is_kept_out_of_what_is_stored(self, client, market):
        endpoint = self.made(client, types=["claim.requested"])
        assert endpoint["url"] == URL
        assert (endpoint["state"], endpoint["types"]) == ("enabled", ["claim.requested"])
        secret = client.read(f"webhook-endpoints/{endpoint['id']}/secret/").json()["secret"]
        assert secret.startswith("whsec_")
        with tenancy.use(market.pk):
            assert "whsec_" not in IdempotencyKey.objects.get().body

    def test_are_made_once_under_one_key(self, client, market):
        first = client.send("webhook-endpoints/", {"url": URL}, key="k")
        second = client.send("webhook-endpoints/", {"url": URL}, key="k")
        assert first.json() == second.json()
        with tenancy.use(market.pk):
            assert WebhookEndpoint.objects.count() == 1

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            ({"url": "https://10.0.0.1/"}, "webhook_target_refused"),
            ({"url": "http://shop.example/"}, "webhook_target_refused"),
            ({"url": URL, "types": ["order.acepted"]}, "unknown_event_type"),
        ],
    )
    def test_are_refused(self, client, words, code):
        response = client.send("webhook-endpoints/", words)
        assert (response.status_code, response.json()["code"]) == (422, code)

    def test_take_no_field_that_is_not_theirs(self, client):
        response = client.send("webhook-endpoints/", {"url": URL, "secret": "whsec_x"})
        assert response.status_code == 400

    def test_are_changed_by_who_has_read_them(self, client):
        endpoint = self.made(client)
        path = f"webhook-endpoints/{endpoint['id']}/"
        etag = client.read(path)["ETag"]
        words = {"url": "https://other.example/", "state": "disabled"}
        assert client.call("patch", path, words).status_code == 428
        changed = client.call("patch", path, words, if_match=etag)
        assert (changed.json()["url"], changed.json()["state"]) == (words["url"], "disabled")
        assert client.call("patch", path, words, if_match=etag).status_code == 412
        assert client.call("delete", path, if_match=changed["ETag"]).status_code == 204
        assert client.read(path).status_code == 404

    def test_get_another_secret(self, client):
        endpoint = self.made(client)
        path = f"webhook-endpoints/{endpoint['id']}"
        before = client.read(f"{path}/secret/").json()
        assert client.send(f"{path}/secret-rotations/", None).status_code == 201
        assert client.read(f"{path}/secret/").json() != before

    def test_are_tested_and_their_log_is_read(self, client):
        endpoint = self.made(client)
        path = f"webhook-endpoints/{endpoint['id']}"
        sent = client.send(f"{path}/tests/", None)
        assert (sent.status_code, sent.json()["type"]) == (202, "webhook.test")
        [row] = client.read(f"{path}/deliveries/?progress=waiting,dead").json()["data"]
        assert (row["id"], row["progress"]) == (sent.json()["id"], "waiting")
        assert client.read(f"{path}/deliveries/?progress=delivered").json()["data"] == []
        assert client.read(f"{path}/deliveries/?progress=lost").status_code == 400

    def test_are_sent_again_what_was_given_up(self, client, market):
        endpoint = self.made(client)
        path = f"webhook-endpoints/{endpoint['id']}"
        message = client.send(f"{path}/tests/", None).json()["id"]
        waiting = client.send(f"{path}/replays/", {"message": message})
        assert (waiting.status_code, waiting.json()["code"]) == (409, "webhook_delivery_waiting")
        with tenancy.use(market.pk):
            WebhookDelivery.objects.update(due_at=None, dead_at=timezone.now())
        assert client.send(f"{path}/replays/", {"message": message}).json() == {"count": 1}
        with tenancy.use(market.pk):
            WebhookDelivery.objects.update(due_at=None, dead_at=timezone.now())
        span = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        assert client.send(f"{path}/replays/", span).json() == {"count": 1}
        assert client.send(f"{path}/replays/", {"since": span["since"]}).status_code == 400

    def test_are_nobody_elses(self, client, market):
        mine, other = seller(market, "mine"), seller(market, "other")
        own = self.made(of_seller(market, mine))
        path = f"webhook-endpoints/{own['id']}/"
        stranger = make.ApiClient(make.api_key(make.marketplace("elsewhere")))
        for somebody in (of_seller(market, other), client, stranger):
            assert somebody.read("webhook-endpoints/").json()["data"] == []
            assert somebody.read(path).status_code == 404
            assert somebody.read(f"{path}secret/").status_code == 404
            assert somebody.read(f"{path}deliveries/").status_code == 404
            assert somebody.send(f"{path}tests/", None).status_code == 404
            assert somebody.send(f"{path}secret-rotations/", None).status_code == 404
            assert somebody.send(f"{path}replays/", {"message": "evt"}).status_code == 404
            assert somebody.call("patch", path, {"url": URL}, if_match="*").status_code == 404
            assert somebody.call("delete", path, if_match="*").status_code == 404
        assert of_seller(market, mine).read(path).json() == own

    def test_show_their_secret_to_no_reader(self, market, client):
        endpoint = self.made(client)
        reader = make.ApiClient(make.api_key(market, "webhooks:read"))
        assert reader.read(f"webhook-endpoints/{endpoint['id']}/").status_code == 200
        refused = reader.read(f"webhook-endpoints/{endpoint['id']}/secret/")
        assert refused.json()["code"] == "scope_missing"
        assert refused.status_code == 403

    def test_list_at_a_constant_cost(self, client, market, django_assert_max_num_queries):
        endpoint = self.made(client)
        with tenancy.use(market.pk):
            for _ in range(60):
                deliveries.send_test(WebhookEndpoint.objects.get(), by=None, at=make.NOON)
        with django_assert_max_num_queries(12):
            page = client.read(f"webhook-endpoints/{endpoint['id']}/deliveries/").json()
        assert len(page["data"]) == 50
        assert page["next"]
