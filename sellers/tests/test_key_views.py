"""A shop's API keys as its people meet them, and on the operators' pages."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from marketplace import api_keys, tenancy
from marketplace.models import ApiKey
from marketplace.tests import make as floor
from marketplace.tests.make import ApiClient
from sellers.tests import make

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"mpk_test_[0-9a-z]{8}_[0-9A-Za-z]{43}")
ASKED = {"name": "warehouse", "scopes": ["orders:read"], "days": "90", "networks": ""}


@pytest.fixture
def market():
    return make.marketplace("own")


def owner_of(market, code="apple", role="owner"):
    with tenancy.use(market.pk):
        user = make.member(make.seller(code), f"{role}@{code}.example", role)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(getattr(user, "user", user))
    return client


class TestSellersPage:
    def test_makes_a_key_and_shows_it_once(self, market):
        client = owner_of(market)
        page = client.post("/s/own/api-keys/", ASKED, headers={"Accept-Encoding": "gzip"})
        [secret] = SECRET.findall(page.content.decode())
        assert "no-store" in page["Cache-Control"]
        key = ApiKey.objects.get()
        assert (key.name, key.scopes, key.last_four) == ("warehouse", ["orders:read"], secret[-4:])
        assert secret not in str(vars(key))
        caller = ApiClient()
        caller.secret = secret
        assert caller.read("orders/").status_code == 200
        assert not SECRET.search(client.get("/s/own/api-keys/").content.decode())

    def test_replaces_and_revokes(self, market):
        client = owner_of(market)
        client.post("/s/own/api-keys/", ASKED)
        key = ApiKey.objects.get()
        page = client.post(f"/s/own/api-keys/{key.code}/rotate/", {"days": "7"})
        assert SECRET.search(page.content.decode())
        key.refresh_from_db()
        assert key.successor_id
        assert key.expires_at < timezone.now() + timedelta(days=8)
        assert client.post(f"/s/own/api-keys/{key.code}/revoke/").status_code == 302
        key.refresh_from_db()
        assert key.revoked_at is not None
        assert ApiKey.objects.filter(revoked_at=None).count() == 1

    def test_says_why_a_key_is_not_replaced(self, market):
        client = owner_of(market)
        client.post("/s/own/api-keys/", ASKED)
        address = f"/s/own/api-keys/{ApiKey.objects.get().code}/rotate/"
        client.post(address, {"days": "7"})
        page = client.post(address, {"days": "7"}).content.decode()
        assert "The key has been replaced already." in page
        assert not SECRET.search(page)
        assert ApiKey.objects.count() == 2

    def test_makes_none_of_what_cannot_be_asked_for(self, market):
        client = owner_of(market)
        scopes = (["everything:write"], ["ledger:read"], [])
        for wrong in (*({"scopes": each} for each in scopes), {"networks": "nowhere"}):
            answer = client.post("/s/own/api-keys/", ASKED | wrong)
            assert answer.status_code == 422
            assert 'value="warehouse"' in answer.content.decode()
        assert not ApiKey.objects.exists()

    def test_says_at_the_key_what_is_wrong_with_its_replacement(self, market):
        client = owner_of(market)
        for name in ("warehouse", "ledger"):
            client.post("/s/own/api-keys/", ASKED | {"name": name})
        code = ApiKey.objects.get(name="ledger").code
        answer = client.post(f"/s/own/api-keys/{code}/rotate/", {"days": "999"})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert page.count("999 is not one of the available choices.") == 1
        for key in ApiKey.objects.all():
            assert page.count(f'id="id_{key.code}_days"') == 1

    def test_explains_each_scope_as_it_is_for_a_seller(self, market):
        page = owner_of(market).get("/s/own/api-keys/").content.decode()
        assert "Acknowledge orders and record parcels. <code>orders:write</code>" in page
        offered = api_keys.SCOPES.keys() - api_keys.OF_MARKETPLACE
        assert page.count("form-check-description") == len(offered)
        assert "ledger:read" not in page

    def test_is_for_this_shops_owner_alone(self, market):
        owner = owner_of(market)
        owner.post("/s/own/api-keys/", ASKED)
        code = ApiKey.objects.get().code
        make.marketplace("other")
        other_market = owner_of(make.marketplace("third"), "pear")
        strangers = {
            owner_of(market, "apple", "staff"): 403,
            owner_of(market, "plum"): 404,
            other_market: 404,
        }
        for stranger, status in strangers.items():
            for path in (f"{code}/rotate/", f"{code}/revoke/"):
                answer = stranger.post(f"/s/own/api-keys/{path}", {"days": "7"})
                assert answer.status_code == status, path
        key = ApiKey.objects.get()
        assert key.revoked_at is None
        assert key.successor_id is None


class TestAdmin:
    def operator(self, market, role="owner"):
        user = floor.user(f"{role}@{market.slug}.example")
        floor.membership(market, user, role)
        client = Client(headers={"Accept-Language": "en"})
        client.force_login(user)
        client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
        return client

    def test_makes_replaces_and_revokes(self, market):
        client = self.operator(market)
        page = client.post("/admin/marketplace/apikey/add/", ASKED)
        assert len(SECRET.findall(page.content.decode())) == 1
        key = ApiKey.objects.get()
        assert (key.seller, key.marketplace) == ("", market)
        rotate = f"/admin/marketplace/apikey/{key.pk}/rotate"
        shown = client.get(f"/admin/marketplace/apikey/{key.pk}/change/").content.decode()
        assert rotate in shown
        assert "Works" in shown
        page = client.post(f"{rotate}/", {"days": "1"})
        assert len(SECRET.findall(page.content.decode())) == 1
        assert client.post(f"{rotate}/", {"days": "1"}).status_code == 403
        shown = client.get(f"/admin/marketplace/apikey/{key.pk}/change/").content.decode()
        assert rotate not in shown
        assert "Being replaced" in shown
        chosen = {"action": "revoke", "_selected_action": [key.pk]}
        client.post("/admin/marketplace/apikey/", chosen)
        key.refresh_from_db()
        assert key.revoked_at is not None
        assert "Revoked" in client.get("/admin/marketplace/apikey/").content.decode()
        for address in ("", f"{key.pk}/change/"):
            page = client.get(f"/admin/marketplace/apikey/{address}").content.decode()
            assert key.digest not in page
            assert not SECRET.search(page)

    def test_is_for_owners_of_this_marketplace(self, market):
        made = floor.api_key(market).key
        viewer = self.operator(market, "viewer")
        assert viewer.post("/admin/marketplace/apikey/add/", ASKED).status_code == 403
        stranger = self.operator(make.marketplace("other"))
        for path in (f"{made.pk}/change/", f"{made.pk}/rotate/"):
            assert stranger.get(f"/admin/marketplace/apikey/{path}").status_code in (302, 404)
        stranger.post(
            "/admin/marketplace/apikey/", {"action": "revoke", "_selected_action": [made.pk]}
        )
        made.refresh_from_db()
        assert made.revoked_at is None
        assert ApiKey.objects.count() == 1
