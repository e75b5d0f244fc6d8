"""Webhooks from the change to the receiver: signed, repeated, given up, replayed."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from marketplace import changes, resealing, sealing, states, tenancy
from marketplace.models import AuditEntry, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from marketplace.tests import make
from marketplace.tests.receiving import receiving
from marketplace.webhooks import deliveries, endpoints, sending, signing, sweeping
from marketplace.webhooks.deliveries import WAITS
from tests.faults.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """A time that moves when told; it begins now, because a verifier looks at its own clock."""

    def __init__(self):
        self.at = datetime.now(UTC)

    def __call__(self):
        return self.at

    def forward(self, **words):
        self.at += timedelta(**words)


@pytest.fixture
def now(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    return Clock()


@pytest.fixture
def market():
    return make.marketplace()


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


def subscribed(market, receiver, now, **words):
    with tenancy.use(market.pk):
        return endpoints.create(receiver.url, by=None, at=now(), **words)


def tell(market, *names, type_="order.accepted", seller=None, **data):
    with tenancy.use(market.pk):
        for name in names:
            seller_id = seller and seller.pk
            changes.announce(type_, name, at=make.NOON, seller_id=seller_id, **data)
    make.wait_until_told()


def seller(market, code):
    with tenancy.use(market.pk):
        return apps.get_model("sellers", "Seller").objects.create(
            code=code, name=code, joined_on=make.FIRST_OPEN_ON
        )


def only(market, model=WebhookDelivery):
    with tenancy.use(market.pk):
        return model.objects.get()


class TestSweep:
    def test_sends_a_change_once_signed_and_thin(self, market, receiver, now):
        made = subscribed(market, receiver, now)
        tell(market, "ord_1", lines=[2])
        assert sweeping.sweep(now=now) == 1
        assert sweeping.sweep(now=now) == 0
        [(headers, body)] = receiver.requests
        message = Webhook(made.secret).verify(body, headers)
        assert message == {
            "type": "order.accepted",
            "timestamp": "2026-03-02T03:00:00.000Z",
            "data": {"id": "ord_1", "lines": [2]},
        }
        delivery = only(market)
        assert headers["webhook-id"] == delivery.message_id
        assert (delivery.delivered_at, delivery.due_at) == (now(), None)
        attempt = only(market, WebhookAttempt)
        assert (attempt.outcome, attempt.delivery_id) == ("204", delivery.pk)

    def test_signs_so_that_another_body_id_or_secret_is_found_out(self, market, receiver, now):
        made = subscribed(market, receiver, now)
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        [(headers, body)] = receiver.requests
        for secret, forged, text in (
            (signing.new_secret(), headers, body),
            (made.secret, headers | {"webhook-id": "evt_2"}, body),
            (made.secret, headers, body.replace(b"ord_1", b"ord_2")),
        ):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(text, forged)

    def test_sends_only_the_types_that_were_asked_for(self, market, receiver, now):
        subscribed(market, receiver, now, types=["claim.requested"])
        tell(market, "ord_1")
        tell(market, "clm_1", type_="claim.requested")
        assert sweeping.sweep(now=now) == 1
        assert json.loads(receiver.requests[0][1])["data"] == {"id": "clm_1"}

    def test_sends_a_seller_only_what_is_its_own(self, market, receiver, now):
        mine, other = seller(market, "mine"), seller(market, "other")
        subscribed(market, receiver, now, seller_id=mine.pk)
        tell(market, "ord_1", seller=mine)
        tell(market, "ord_2", seller=other)
        tell(market, "2026-03-02", type_="night.closed")
        assert sweeping.sweep(now=now) == 1
        data = json.loads(receiver.requests[0][1])["data"]
        assert data == {"id": "ord_1", "seller": mine.public_id}

    def test_sends_nothing_of_another_marketplace_or_of_before(self, market, receiver, now):
        tell(market, "before")
        subscribed(market, receiver, now)
        elsewhere = make.marketplace("elsewhere")
        tell(elsewhere, "theirs")
        assert sweeping.sweep(now=now) == 0

    def test_sends_once_when_two_sweep_at_the_same_time(self, market, receiver, now):
        subscribed(market, receiver, now)
        names = [f"ord_{number}" for number in range(30)]
        tell(market, *names)
        receiver.seconds = 0.01
        at_once(lambda: sweeping.sweep(now=now), lambda: sweeping.sweep(now=now))
        while sweeping.sweep(now=now):
            pass
        told = [json.loads(body)["data"]["id"] for _, body in receiver.requests]
        assert sorted(told) == sorted(names)
        assert receiver.most_at_once <= deliveries.AT_ONCE

    def test_lets_a_slow_receiver_hold_up_no_other(self, market, receiver, now):
        with receiving() as slow:
            slow.seconds = 1
            subscribed(market, slow, now)
            subscribed(market, receiver, now)
            tell(market, *"abcdefgh")
            sweeping.sweep(now=now)
            assert len(receiver.requests) == 8
            assert slow.most_at_once == deliveries.AT_ONCE

    def test_goes_on_after_a_worker_died_in_between(self, market, receiver, now):
        subscribed(market, receiver, now)
        tell(market, "ord_1")
        endpoint = only(market, WebhookEndpoint)
        with tenancy.use(market.pk):
            deliveries.fan_out(endpoint.pk, at=now())
            assert deliveries.claim(endpoint.pk, at=now()) is not None  # and then it died
        assert sweeping.sweep(now=now) == 0
        now.at += deliveries.CLAIMED_FOR
        assert sweeping.sweep(now=now) == 1
        assert only(market).attempts == 2

    def test_makes_no_delivery_twice_when_its_place_was_lost(self, market, receiver, now):
        subscribed(market, receiver, now)
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        with tenancy.use(market.pk):
            WebhookEndpoint.objects.update(after_transaction=0, after_change=0)
        assert sweeping.sweep(now=now) == 0

    def test_passes_an_archived_marketplace_by(self, market, receiver, now):
        subscribed(market, receiver, now)
        tell(market, "ord_1")
        with tenancy.use(market.pk):
            type(market).objects.filter(pk=market.pk).update(state="archived")
        assert sweeping.sweep(now=now) == 0


class TestRetry:
    @pytest.mark.parametrize("status", [500, 404, 302])
    def test_follows_the_schedule_to_its_end(self, market, receiver, now, status):
        subscribed(market, receiver, now)
        receiver.answers = [(status, {}, b"")]
        tell(market, "ord_1")
        for number, wait in enumerate(WAITS, 1):
            if number > 1:
                now.forward(seconds=wait * 0.89)
                assert sweeping.sweep(now=now) == 0
                now.forward(seconds=wait * 0.22)
                now.forward(hours=1)  # whatever pause there is
            assert sweeping.sweep(now=now) == 1
        delivery = only(market)
        assert (delivery.attempts, delivery.dead_at, delivery.due_at) == (10, now(), None)
        assert delivery.last_outcome == str(status)
        now.forward(days=2)
        assert sweeping.sweep(now=now) == 0
        assert set(receiver.ids) == {delivery.message_id}
        with tenancy.use(market.pk):
            assert WebhookAttempt.objects.count() == 10

    def test_is_not_needed_when_the_second_attempt_arrives(self, market, receiver, now):
        subscribed(market, receiver, now)
        receiver.answers = [(500, {}, b"down"), (200, {}, b"")]
        tell(market, "ord_1")
        assert sweeping.sweep(now=now) == 1
        now.forward(seconds=6)
        assert sweeping.sweep(now=now) == 1
        assert only(market).delivered_at == now()
        assert only(market, WebhookEndpoint).failures == 0
        first, second = (headers["webhook-timestamp"] for headers, _ in receiver.requests)
        assert first < second

    @pytest.mark.parametrize("status", [429, 503])
    def test_waits_as_long_as_it_is_asked_to(self, market, receiver, now, status):
        subscribed(market, receiver, now)
        receiver.answers = [(status, {"Retry-After": "600"}, b""), (204, {}, b"")]
        tell(market, "ord_1", "ord_2")
        assert sweeping.sweep(now=now) in (1, 2)  # two may be on their way at once
        now.forward(seconds=590)
        assert sweeping.sweep(now=now) == 0
        now.forward(seconds=20)
        sweeping.sweep(now=now)
        assert len(set(receiver.ids)) == 2

    def test_ends_where_the_receiver_is_gone(self, market, receiver, now):
        subscribed(market, receiver, now)
        receiver.answers = [(410, {}, b"")]
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        endpoint = only(market, WebhookEndpoint)
        assert (endpoint.state, endpoint.disabled_for) == ("disabled", "410")
        assert only(market).dead_at == now()
        tell(market, "ord_2")
        now.forward(days=1)
        assert sweeping.sweep(now=now) == 0
        assert only(market).type == "order.accepted"

    def test_is_rare_while_the_receiver_keeps_failing(self, market, receiver, now):
        subscribed(market, receiver, now)
        receiver.answers = [(500, {}, b"")]
        tell(market, *"abcdefghijkl")
        sweeping.sweep(now=now)
        endpoint = only(market, WebhookEndpoint)
        assert deliveries.PAUSED_AFTER <= endpoint.failures <= deliveries.PAUSED_AFTER + 1
        assert endpoint.paused_until > now()
        asked = len(receiver.requests)
        assert sweeping.sweep(now=now) == 0
        now.at = endpoint.paused_until
        assert sweeping.sweep(now=now) == 1  # one at a time, until one arrives
        assert len(receiver.requests) == asked + 1
        now.forward(hours=2)
        receiver.answers = [(204, {}, b"")]
        while sweeping.sweep(now=now):
            now.forward(hours=2)
        with tenancy.use(market.pk):
            assert not WebhookDelivery.objects.filter(delivered_at=None).exists()


class TestReplay:
    def dead(self, market, receiver, now):
        subscribed(market, receiver, now)
        receiver.answers = [(410, {}, b"")]
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        receiver.answers = [(204, {}, b"")]
        receiver.requests.clear()
        with tenancy.use(market.pk):
            endpoint = WebhookEndpoint.objects.get()
            delivery = WebhookDelivery.objects.get()
            with pytest.raises(deliveries.EndpointDisabled):
                deliveries.replay(delivery, by=None, at=now())
            endpoints.enable(endpoint, by=None, at=now())
        return endpoint, delivery

    def test_sends_the_same_message_again_with_a_new_time(self, market, receiver, now):
        _, delivery = self.dead(market, receiver, now)
        now.forward(seconds=30)
        with tenancy.use(market.pk):
            deliveries.replay(delivery, by=None, at=now())
            with pytest.raises(deliveries.StillWaiting):
                deliveries.replay(delivery, by=None, at=now())
        assert sweeping.sweep(now=now) == 1
        [(headers, _)] = receiver.requests
        assert headers["webhook-id"] == delivery.message_id
        assert headers["webhook-timestamp"] == str(int(now().timestamp()))

    def test_of_a_span_sends_what_is_dead_in_it(self, market, receiver, now):
        endpoint, delivery = self.dead(market, receiver, now)
        at = {"by": None, "at": now()}
        with tenancy.use(market.pk):
            delivery.refresh_from_db()
            made = delivery.created_at
            second = timedelta(seconds=1)
            assert deliveries.replay_range(endpoint, since=made - second, until=made, **at) == 0
            assert deliveries.replay_range(endpoint, since=made, until=made + second, **at) == 1
        assert sweeping.sweep(now=now) == 1
        with tenancy.use(market.pk):
            again = {"since": made, "until": made + second, **at}
            assert deliveries.replay_range(endpoint, **again) == 0
            assert deliveries.replay_range(endpoint, only_dead=False, **again) == 1


class TestEndpoints:
    def test_keep_their_secret_sealed(self, market, receiver, now):
        made = subscribed(market, receiver, now)
        endpoint = only(market, WebhookEndpoint)
        assert made.secret.startswith("whsec_")
        assert made.secret.encode() not in bytes(endpoint.secret)
        assert sealing.reveal(endpoint, "secret") == made.secret

    def test_sign_with_both_secrets_while_one_is_replaced(self, market, receiver, now):
        old = subscribed(market, receiver, now).secret
        with tenancy.use(market.pk):
            new = endpoints.rotate_secret(
                WebhookEndpoint.objects.get(), by=None, at=now() - timedelta(hours=23)
            ).secret
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        headers, body = receiver.requests[0]
        assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
        with tenancy.use(market.pk):
            later = now() + timedelta(hours=1)
            assert endpoints.secrets_of(WebhookEndpoint.objects.get(), at=later) == [new]

    def test_send_a_test_message(self, market, receiver, now):
        made = subscribed(market, receiver, now, types=["claim.requested"])
        with tenancy.use(market.pk):
            deliveries.send_test(made.endpoint, by=None, at=now())
        assert sweeping.sweep(now=now) == 1
        assert json.loads(receiver.requests[0][1])["type"] == "webhook.test"

    def test_refuse_addresses_inside_and_unknown_types(self, market, settings):
        at = {"by": None, "at": make.NOON}
        with tenancy.use(market.pk):
            for url in ("http://127.0.0.1/", "https://10.0.0.1/", "https://localhost/"):
                with pytest.raises(endpoints.targets.NotATarget):
                    endpoints.create(url, **at)
            with pytest.raises(changes.UnknownType):
                endpoints.create("https://shop.example/", types=["order.acepted"], **at)
            assert not WebhookEndpoint.objects.exists()

    def test_are_limited_in_number(self, market, monkeypatch):
        monkeypatch.setattr(endpoints, "MOST", 1)
        with tenancy.use(market.pk):
            endpoints.create("https://shop.example/", by=None, at=make.NOON)
            with pytest.raises(endpoints.TooMany):
                endpoints.create("https://shop.example/", by=None, at=make.NOON)

    def test_give_up_what_waits_when_disabled(self, market, receiver, now):
        made = subscribed(market, receiver, now)
        tell(market, "ord_1")
        with tenancy.use(market.pk):
            deliveries.fan_out(made.endpoint.pk, at=now())
            endpoints.disable(made.endpoint, by=None, at=now(), reason="not needed")
            with pytest.raises(states.IllegalMove):
                endpoints.disable(made.endpoint, by=None, at=now())
        assert only(market).last_outcome == "endpoint_disabled"
        assert sweeping.sweep(now=now) == 0

    def test_are_forgotten_with_what_was_sent(self, market, receiver, now):
        made = subscribed(market, receiver, now)
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        with tenancy.use(market.pk):
            endpoints.delete(made.endpoint, by=None, at=now())
            assert not WebhookDelivery.objects.exists()
            assert AuditEntry.objects.filter(action="webhookendpoint.deleted").exists()


class TestForgetOld:
    def test_keeps_thirty_days(self, market, receiver, now):
        subscribed(market, receiver, now)
        tell(market, "ord_1")
        sweeping.sweep(now=now)
        with tenancy.use(market.pk):
            assert deliveries.forget_old(at=now() + timedelta(days=29)) == 0
            assert deliveries.forget_old(at=now() + timedelta(days=31)) == 1
            assert not WebhookAttempt.objects.exists()


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("outcome", "text", "seconds"),
        [
            ("503", "120", 120),
            ("429", "Mon, 02 Mar 2026 03:10:00 GMT", 600),
            ("429", "Mon, 02 Mar 2026 02:00:00 GMT", 0),
            ("429", "soon", None),
            ("429", "-5", None),
            ("500", "120", None),
        ],
    )
    def test_reads_seconds_and_dates(self, outcome, text, seconds):
        answer = sending.Answer(outcome, 1, headers={"retry-after": text})
        assert sending.retry_after(answer, at=make.NOON) == seconds


class TestResealing:
    def test_seals_anew_what_an_older_key_sealed(self, market, receiver, now, settings):
        old, new = b"o" * 32, b"n" * 32
        settings.FIELD_KEYS = [old]
        made = subscribed(market, receiver, now)
        settings.FIELD_KEYS = [new, old]
        name = "marketplace.WebhookEndpoint.secret"
        with tenancy.use(market.pk):
            assert list(resealing.counts()[name].values()) == [1]
            assert resealing.rotate() == {name: 1}
            assert resealing.rotate() == {}
            assert resealing.counts()[name] == {sealing.newest_key_id(): 1}
        settings.FIELD_KEYS = [new]
        assert sealing.reveal(only(market, WebhookEndpoint), "secret") == made.secret

    def test_leaves_and_counts_what_it_cannot_read(self, market, receiver, now, settings):
        settings.FIELD_KEYS = [b"o" * 32]
        subscribed(market, receiver, now)
        settings.FIELD_KEYS = [b"n" * 32]
        with tenancy.use(market.pk):
            assert resealing.rotate() == {"marketplace.WebhookEndpoint.secret: unreadable": 1}
