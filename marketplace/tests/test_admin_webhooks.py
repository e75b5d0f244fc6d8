"""The admin's pages of webhooks: the secret shown once, actions, strangers kept out."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace import tenancy
from marketplace.models import Membership, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from marketplace.tests import make
from marketplace.webhooks import deliveries, endpoints

pytestmark = pytest.mark.django_db
LIST = "/admin/marketplace/webhookendpoint/"
LOG = "/admin/marketplace/webhookdelivery/"
URL = "https://shop.example/hook"


@pytest.fixture
def market():
    return make.marketplace()


@pytest.fixture
def operator(client, market):
    user = make.user()
    make.membership(market, user)
    return entered(client, user, market)


def entered(client, user, market):
    client.force_login(user)
    client.post("/admin/choose-marketplace/", {"marketplace": market.slug})
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def endpoint(market):
    with tenancy.use(market.pk):
        return endpoints.create(URL, by=None, at=timezone.now()).endpoint


def act(client, url, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(url, data, follow=True)


class TestEndpoints:
    def test_are_made_and_show_their_secret_once(self, operator, market):
        page = operator.post(f"{LIST}add/", {"url": URL, "types": ["claim.requested"]}, follow=True)
        assert page.content.count(b"whsec_") == 1
        assert "messages" not in operator.cookies  # a secret has no business in a cookie
        assert "no-store" in page["Cache-Control"]
        with tenancy.use(market.pk):
            made = WebhookEndpoint.objects.get()
        assert (made.url, made.types) == (URL, ["claim.requested"])
        for url in (LIST, f"{LIST}{made.pk}/change/"):
            assert b"whsec_" not in operator.get(url).content

    def test_refuse_addresses_inside_by_a_form_error(self, operator, market):
        page = operator.post(f"{LIST}add/", {"url": "https://10.0.0.1/"})
        assert "Webhooks go to https://" in page.content.decode()
        with tenancy.use(market.pk):
            assert not WebhookEndpoint.objects.exists()

    def test_are_not_more_than_may_be(self, operator, market, monkeypatch):
        monkeypatch.setattr(endpoints, "MOST", 1)
        endpoint(market)
        page = operator.post(f"{LIST}add/", {"url": URL}, follow=True)
        assert "There are 1 endpoints already." in page.content.decode()
        with tenancy.use(market.pk):
            assert WebhookEndpoint.objects.count() == 1

    def test_are_changed_tested_and_switched(self, operator, market):
        made = endpoint(market)
        operator.post(f"{LIST}{made.pk}/change/", {"url": "https://new.example/"})
        act(operator, LIST, "send_test", made)
        page = act(operator, LIST, "rotate_secret", made)
        assert page.content.count(b"whsec_") == 1
        assert "no-store" in page["Cache-Control"]
        act(operator, LIST, "disable", made)
        with tenancy.use(market.pk):
            made.refresh_from_db()
            assert (made.url, made.state) == ("https://new.example/", "disabled")
            assert WebhookDelivery.objects.get().type == "webhook.test"
        act(operator, LIST, "enable", made)
        with tenancy.use(market.pk):
            made.refresh_from_db()
            assert made.state == "enabled"


class TestDeliveries:
    def test_are_shown_with_their_attempts_and_sent_again(self, operator, market):
        made = endpoint(market)
        with tenancy.use(market.pk):
            sent = deliveries.send_test(made, by=None, at=timezone.now())
            WebhookDelivery.objects.update(due_at=None, dead_at=timezone.now())
            WebhookAttempt.objects.create(
                delivery=sent, at=timezone.now(), outcome="500", milliseconds=7, answer="<b>x</b>"
            )
        assert sent.message_id in operator.get(f"{LOG}?progress=dead").content.decode()
        page = operator.get(f"{LOG}{sent.pk}/change/").content.decode()
        assert "webhook.test" in page
        assert "&lt;b&gt;x&lt;/b&gt;" in page
        act(operator, LOG, "replay", sent)
        with tenancy.use(market.pk):
            assert WebhookDelivery.objects.get().due_at is not None

    def test_are_told_in_words(self, operator, market):
        made = endpoint(market)
        with tenancy.use(market.pk):
            deliveries.send_test(made, by=None, at=timezone.now())
            WebhookDelivery.objects.update(
                due_at=None, dead_at=timezone.now(), type="claim.requested", last_outcome="503"
            )
        page = operator.get(LOG).content.decode()
        for text in ("A claim was made.", "The receiver had an error (503).", "Given up"):
            assert text in page

    def test_given_up_in_a_span_of_time_are_sent_again(self, operator, market):
        made, now = endpoint(market), timezone.now()
        with tenancy.use(market.pk):
            deliveries.send_test(made, by=None, at=now)
            WebhookDelivery.objects.update(due_at=None, dead_at=now)
        form = act(operator, LIST, "replay_dead", made).content.decode()
        assert made.url in form
        local = now.astimezone(market.tz)
        for hours, is_waiting in ((-3, False), (-1, True)):
            since, until = local + timedelta(hours=hours), local + timedelta(hours=hours + 2)
            data = {"action": "replay_dead", "_selected_action": [made.pk]}
            span = {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}
            operator.post(LIST, data | span)
            with tenancy.use(market.pk):
                assert (WebhookDelivery.objects.get().due_at is not None) is is_waiting

    def test_are_not_there_for_a_stranger(self, client, market):
        made = endpoint(market)
        with tenancy.use(market.pk):
            sent = deliveries.send_test(made, by=None, at=timezone.now())
        elsewhere, user = make.marketplace("elsewhere"), make.user("stranger@example.org")
        make.membership(elsewhere, user)
        entered(client, user, elsewhere)
        assert sent.message_id not in client.get(LOG).content.decode()
        for url in (f"{LOG}{sent.pk}/change/", f"{LIST}{made.pk}/change/"):
            assert client.get(url).status_code in (302, 404)
        act(client, LIST, "disable", made)
        act(client, LIST, "rotate_secret", made)
        with tenancy.use(market.pk):
            made.refresh_from_db()
            assert (made.state, made.old_secret) == ("enabled", None)

    def test_are_only_looked_at_by_a_viewer(self, client, market):
        made, user = endpoint(market), make.user("viewer@example.org")
        make.membership(market, user, Membership.Role.VIEWER)
        entered(client, user, market)
        act(client, LIST, "disable", made)
        assert client.post(f"{LIST}add/", {"url": URL}).status_code == 403
        with tenancy.use(market.pk):
            assert WebhookEndpoint.objects.get().state == "enabled"
