"""Payouts through a provider's API: sent once whatever it answers, and told of by its events."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from marketplace import approvals, sealing, states, tenancy, versions
from marketplace.models import Approval, InboxMessage, OutboxMessage
from marketplace.tests import make as people
from settlements import payout_connections, payout_events, payout_sending, payouts, tasks
from settlements.gateways.interface import Answer, NoAnswer, Outcome
from settlements.gateways.payout_api import PayoutApi
from settlements.models import (
    Payout,
    PayoutBatch,
    PayoutConnection,
    PayoutException,
    PayoutPolicy,
)
from settlements.payout_connections import Access
from settlements.tests import make, payout_provider
from settlements.tests.payout_provider import SECRET_KEY, SECURITY_KEY
from settlements.tests.test_payout_pages import operator, shopkeeper
from settlements.transfer_files import Transfer

pytestmark = pytest.mark.django_db

AT = make.AT
ON = make.FIRST_OPEN_ON + timedelta(days=1)
SOON = AT + timedelta(minutes=11)
OTHER_KEY = "ab" * 32
CONNECTIONS = "/admin/settlements/payoutconnection/"


@pytest.fixture
def provider(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    with payout_provider.providing() as found:
        yield found


@pytest.fixture
def market(provider):
    return connected(make.market("ours"), provider.url)


def connected(market, url, security_key=SECURITY_KEY):
    with tenancy.use(market.pk):
        entered(market, url, security_key=security_key)
        draft = versions.draft(
            PayoutPolicy, valid_from=ON, by=None, gateway="payout_api", memo="모두의마켓정산"
        )
        versions.publish(draft, by=None, at=AT)
    return market


def entered(market, url, *, security_key=SECURITY_KEY, secret_key=SECRET_KEY):
    """A connection in use, by two people."""
    asker, decider = (
        people.user(f"{name}-{market.slug}@example.org")
        for name in (f"a{timezone.now().timestamp()}", f"b{timezone.now().timestamp()}")
    )
    row = payout_connections.enter(
        url=url, secret_key=secret_key, security_key=security_key, by=asker, at=AT, reason="계약"
    )
    approvals.approve(Approval.objects.waiting().about(row).get(), by=decider, at=AT)
    row.refresh_from_db()
    return row


def launched(market, *endings, amount=96_700):
    with tenancy.use(market.pk):
        for number, ending in enumerate(endings):
            row = make.seller(f"S{number}")
            make.account(row, ending=ending)
            make.payable(row, amount)
        [batch] = payouts.prepare(on=ON, at=AT + timedelta(days=1))
        states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
        payouts.execute(batch, by=None, at=AT)
        return list(batch.rows.order_by("pk").values_list("pk", flat=True))


def serve(market, payout_id, at=AT):
    payout_sending.serve(market.pk, payout_id, now=lambda: at)


def seen(market, payout_id):
    with tenancy.use(market.pk):
        payout = Payout.objects.get(pk=payout_id)
        [state] = payout.items.values_list("statement__state", flat=True)
        return payout.state, state


def exceptions(market):
    with tenancy.use(market.pk):
        rows = PayoutException.objects.order_by("pk")
        return list(rows.values_list("kind", "expected", "found"))


def transfer(**changed):
    given = {"reference": "pay_1", "bank": "088", "number": "110123451234", "holder": "김상인"}
    return Transfer(**{**given, "amount": 96_700, "memo": "모두의마켓정산금", **changed})


class TestPayoutApi:
    def test_sends_what_only_the_provider_can_read(self, provider):
        gateway = PayoutApi(Access(provider.url, SECRET_KEY, SECURITY_KEY))
        assert gateway.send(transfer()) == Answer(Outcome.PAID, amount=96_700)
        assert provider.sent == [
            {
                "refPayoutId": "pay_1",
                "destination": {
                    "bankCode": "088",
                    "accountNumber": "110123451234",
                    "holderName": "김상인",
                },
                "scheduleType": "EXPRESS",
                "amount": {"currency": "KRW", "value": 96_700},
                "transactionDescription": "모두의마켓정산",
            }
        ]
        [head] = provider.headers
        assert (head["alg"], head["enc"]) == ("dir", "A256GCM")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", head["iat"])
        assert re.fullmatch("[0-9a-f-]{36}", head["nonce"])
        assert head["Idempotency-Key"] == "pay_1"
        assert head["Authorization"] == "Basic dGVzdF9za19wcm92aWRlcl8xMjM0Og=="

    @pytest.mark.parametrize(
        "deed", ["lose the answer", "lose the transfer", "be slow", "break", "mumble"]
    )
    def test_takes_what_is_no_clear_answer_for_none(self, provider, deed):
        provider.plan["1234"] = deed
        with pytest.raises(NoAnswer):
            PayoutApi(Access(provider.url, SECRET_KEY, SECURITY_KEY), 0.3).send(transfer())
        assert len(provider.sent) == 1

    @pytest.mark.parametrize(
        ("code", "outcome"), [("INVALID_ACCOUNT_NUMBER", "failed"), ("TOO_MANY_REQUESTS", None)]
    )
    def test_believes_a_refusal_only_where_nothing_was_surely_taken(self, provider, code, outcome):
        provider.plan["1234"] = f"refuse {code}"
        gateway = PayoutApi(Access(provider.url, SECRET_KEY, SECURITY_KEY))
        if outcome:
            assert gateway.send(transfer()) == Answer(Outcome.FAILED, code, "거절되었습니다.")
        else:
            with pytest.raises(NoAnswer):
                gateway.send(transfer())

    def test_believes_no_answer_under_another_key(self, provider):
        gateway = PayoutApi(Access(provider.url, SECRET_KEY, SECURITY_KEY))
        gateway.send(transfer())
        provider.security_key = OTHER_KEY
        with pytest.raises(NoAnswer):
            gateway.ask("pay_1")

    def test_takes_a_second_transfer_of_one_reference_for_no_failure(self, provider):
        gateway = PayoutApi(Access(provider.url, SECRET_KEY, SECURITY_KEY))
        gateway.send(transfer())
        with pytest.raises(NoAnswer):
            gateway.send(transfer())

    @pytest.mark.parametrize(
        ("amount", "won"),
        [
            ({"currency": "KRW", "value": 96_700}, 96_700),
            ({"currency": "KRW", "value": 96_700.0}, 96_700),
            ({"currency": "KRW", "value": "96700"}, 96_700),
            ({"currency": "KRW", "value": 967.5}, 0),
            ({"currency": "KRW", "value": 1e400}, 0),
            ({"currency": "KRW", "value": True}, 0),
            ({"currency": "KRW", "value": -96_700}, 0),
            ({"currency": "USD", "value": 96_700}, 0),
            (96_700, 0),
            (None, 0),
        ],
    )
    def test_reads_whole_won_or_nothing(self, provider, amount, won):
        gateway = PayoutApi(Access(provider.url, SECRET_KEY, SECURITY_KEY))
        gateway.send(transfer())
        provider.says("COMPLETED", amount=amount)
        assert gateway.ask("pay_1") == Answer(Outcome.PAID, amount=won)

    def test_shows_its_keys_to_no_log(self):
        assert repr(PayoutApi(Access("https://a.kr", SECRET_KEY, SECURITY_KEY))) == (
            "PayoutApi(access=Access('https://a.kr'), seconds=60)"
        )


class TestServe:
    def test_pays_once_however_often_it_is_called(self, market, provider):
        [payout] = launched(market, "1234")
        for _ in range(3):
            serve(market, payout)
        assert seen(market, payout) == ("paid", "paid")
        assert len(provider.sent) == 1
        assert exceptions(market) == []

    @pytest.mark.parametrize("deed", ["lose the answer", "break"])
    def test_asks_about_a_lost_answer_and_sends_nothing_again(self, market, provider, deed):
        provider.plan["1234"] = deed
        [payout] = launched(market, "1234")
        serve(market, payout)
        assert seen(market, payout) == ("unknown", "in_payout")
        with tenancy.use(market.pk):
            assert payout_sending.left_behind(at=AT) == []
            assert payout_sending.left_behind(at=SOON) == [payout]
        serve(market, payout, at=SOON)
        assert seen(market, payout) == ("paid", "paid")
        assert (len(provider.sent), provider.asked) == (1, [reference(market, payout)])

    def test_sends_nothing_again_that_the_provider_does_not_know(self, market, provider):
        provider.plan["1234"] = "lose the transfer"
        [payout] = launched(market, "1234")
        for _ in range(3):
            serve(market, payout)
        assert seen(market, payout) == ("unknown", "in_payout")
        assert len(provider.sent) == 1

    def test_asks_again_while_the_provider_is_silent(self, market, provider):
        provider.plan["1234"] = "delay"
        [payout] = launched(market, "1234")
        serve(market, payout)
        assert seen(market, payout) == ("sent", "in_payout")
        provider.is_silent = True
        serve(market, payout)
        assert seen(market, payout) == ("sent", "in_payout")
        provider.is_silent = False
        provider.says("COMPLETED")
        serve(market, payout)
        assert seen(market, payout) == ("paid", "paid")

    def test_gives_back_what_was_refused(self, market, provider):
        provider.plan["1234"] = "refuse INVALID_ACCOUNT_HOLDER"
        [payout] = launched(market, "1234")
        serve(market, payout)
        assert seen(market, payout) == ("failed", "payable")
        with tenancy.use(market.pk):
            row = Payout.objects.get()
            assert (row.reason, row.said) == (
                "holder_differs",
                "INVALID_ACCOUNT_HOLDER 거절되었습니다.",
            )

    def test_books_what_is_paid_after_it_had_failed(self, market, provider):
        provider.plan["1234"] = "fail"
        [payout] = launched(market, "1234")
        serve(market, payout)
        assert seen(market, payout) == ("failed", "payable")
        provider.says("COMPLETED")
        serve(market, payout)
        assert seen(market, payout) == ("paid", "paid")
        assert exceptions(market) == [("paid_after_failed", 96_700, 96_700)]

    @pytest.mark.parametrize(
        ("value", "found"), [(967, 967), (9_670_000, 9_670_000), (96_700.5, 0)]
    )
    def test_leaves_another_amount_to_people(self, market, provider, value, found):
        provider.plan["1234"] = "delay"
        [payout] = launched(market, "1234")
        serve(market, payout)
        provider.says("COMPLETED", amount={"currency": "KRW", "value": value})
        serve(market, payout)
        assert seen(market, payout) == ("sent", "in_payout")
        assert exceptions(market) == [("amount_differs", 96_700, found)]


def reference(market, payout_id):
    with tenancy.use(market.pk):
        return Payout.objects.get(pk=payout_id).public_id


def event(about, status="COMPLETED", **more):
    """An event's body; its status is what the provider said then, not what counts."""
    body = {"refPayoutId": about, "status": status}
    return json.dumps({"eventType": "payout.changed", "entityBody": body, **more}).encode()


def told(market, body, *, key=SECURITY_KEY, sent=None, slug=None, signature=None):
    """Send an event as the provider does."""
    sent_at = (sent or timezone.now()).isoformat()
    headers = {
        "tosspayments-webhook-transmission-time": sent_at,
        "tosspayments-webhook-signature": signature or payout_events.sign(body, sent_at, key),
    }
    address = f"/api/v1/payout-events/{slug or market.slug}/"
    return Client(enforce_csrf_checks=True, headers=headers).post(
        address, body, content_type="application/json"
    )


def asked_for(market):
    with tenancy.use(market.pk):
        return OutboxMessage.objects.filter(topic=payout_events.TOPIC).count()


def deliver(market):
    """Ask about each payout that an event named, as workers do."""
    with tenancy.use(market.pk):
        rows = OutboxMessage.objects.filter(topic=payout_events.TOPIC).order_by("created_at")
        keys = list(rows.values_list("payload__payout_id", flat=True))
    for payout_id in keys:
        tasks.ask_about_payout(marketplace_id=market.pk, payout_id=payout_id)


class TestEvents:
    @pytest.fixture
    def payout(self, market, provider):
        provider.plan["1234"] = "delay"
        [payout] = launched(market, "1234")
        serve(market, payout)
        return payout

    def test_have_us_ask(self, market, provider, payout):
        provider.says("COMPLETED")
        assert told(market, event(reference(market, payout))).status_code == 200
        assert seen(market, payout) == ("sent", "in_payout")  # an event alone moves nothing
        deliver(market)
        assert seen(market, payout) == ("paid", "paid")

    def test_count_once(self, market, provider, payout):
        body = event(reference(market, payout))
        moments = [timezone.now() - timedelta(minutes=n) for n in (0, 3, 0)]
        assert [told(market, body, sent=sent).status_code for sent in moments] == [200] * 3
        assert asked_for(market) == 1

    @pytest.mark.parametrize("order", [("FAILED", "COMPLETED"), ("COMPLETED", "FAILED")])
    def test_may_come_in_any_order(self, market, provider, payout, order):
        provider.says("COMPLETED")  # it failed at first
        for status in order:
            told(market, event(reference(market, payout), status))
            deliver(market)
        assert seen(market, payout) == ("paid", "paid")
        assert exceptions(market) == []

    def test_may_come_before_the_answer(self, market, provider, payout):
        provider.says("COMPLETED")
        told(market, event(reference(market, payout)))
        deliver(market)
        with tenancy.use(market.pk):
            late = payout_sending.record(payout, Answer(Outcome.ACCEPTED), at=AT)
        assert (late, seen(market, payout)) == ("repeated", ("paid", "paid"))

    def test_that_a_paid_one_has_failed_are_left_to_people(self, market, provider, payout):
        provider.says("COMPLETED")
        serve(market, payout)
        provider.says("FAILED")
        told(market, event(reference(market, payout), "FAILED"))
        deliver(market)
        assert seen(market, payout) == ("paid", "paid")
        assert exceptions(market) == [("failed_after_paid", None, 96_700)]

    def test_are_refused_alike_whatever_is_wrong(self, market, provider, payout):
        stranger = connected(make.market("theirs"), provider.url, OTHER_KEY)
        body = event(reference(market, payout))
        now = timezone.now()
        known = payout_events.sign(body, now.isoformat(), SECURITY_KEY)
        refused = [
            told(market, body, key=OTHER_KEY),
            told(market, body, sent=now - timedelta(minutes=11)),
            told(market, body, sent=now + timedelta(minutes=11)),
            told(market, event("pay_of_nobody")),
            told(market, body.replace(b"COMPLETED", b"FAILED"), sent=now, signature=known),
            told(market, body, signature="v2:" + known[3:], sent=now),
            told(market, body, signature="v1:"),
            told(market, body, slug="nowhere"),
            told(stranger, body, key=OTHER_KEY),  # a payout of another marketplace
            Client().post("/api/v1/payout-events/ours/", body, content_type="application/json"),
            told(market, b"x" * (payout_events.MOST_BYTES + 1)),
        ]
        assert {answer.status_code for answer in refused} == {404}
        texts = [json.loads(answer.content) for answer in refused]
        for text in texts:
            text.pop("instance", None), text.pop("request_id", None)
        assert texts == texts[:1] * len(texts)
        assert asked_for(market) == asked_for(stranger) == 0
        assert exceptions(market) == exceptions(stranger) == [("unknown_id", None, None)]

    def test_about_something_else_are_taken_and_do_nothing(self, market, provider, payout):
        for body in (b"[]", b"no json", b'{"eventType": "seller.changed"}', b"{}"):
            assert told(market, body).status_code == 200
        with tenancy.use(market.pk):
            assert not InboxMessage.objects.filter(consumer=payout_events.CONSUMER).exists()

    def test_signed_with_a_replaced_key_count_for_a_day(self, market, provider, payout):
        with tenancy.use(market.pk):
            entered(market, provider.url, security_key=OTHER_KEY)
            old = PayoutConnection.objects.get(state="retired")
            PayoutConnection.objects.filter(pk=old.pk).update(retired_at=timezone.now())
        assert told(market, event(reference(market, payout))).status_code == 200
        with tenancy.use(market.pk):
            long_ago = timezone.now() - timedelta(days=1, seconds=1)
            PayoutConnection.objects.filter(pk=old.pk).update(retired_at=long_ago)
        assert told(market, event(reference(market, payout), "FAILED")).status_code == 404

    def test_are_sent_and_not_looked_at(self, market):
        assert Client().get("/api/v1/payout-events/ours/").status_code == 405


class TestConnections:
    def test_keep_their_keys_sealed(self, market):
        with tenancy.use(market.pk), connection.cursor() as cursor:
            cursor.execute(
                "SELECT c::text, encode(secret_key, 'escape') || encode(security_key, 'escape') "
                "FROM settlements_payoutconnection c"
            )
            [stored] = cursor.fetchall()
            cursor.execute("SELECT string_agg(a::text, '') FROM marketplace_auditentry a")
            [[trail]] = cursor.fetchall()
            row = PayoutConnection.objects.get()
            assert sealing.reveal(row, "security_key") == SECURITY_KEY
            waiting = str(list(Approval.objects.values()))
        for text in (*stored, trail, waiting):
            assert SECRET_KEY not in text
            assert SECURITY_KEY not in text

    def test_are_used_once_a_second_person_agrees(self, provider):
        market = make.market("ours")
        with tenancy.use(market.pk):
            asker = people.user("asker@example.org")
            given = {"url": provider.url, "secret_key": SECRET_KEY, "security_key": SECURITY_KEY}
            row = payout_connections.enter(**given, by=asker, at=AT, reason="계약")
            assert row.state == "proposed"
            with pytest.raises(payout_connections.NoConnection):
                payout_connections.access()
            approval = Approval.objects.waiting().about(row).get()
            with pytest.raises(approvals.SamePerson):
                approvals.approve(approval, by=asker, at=AT)
            payout_connections.discard(row, by=asker, at=AT, reason="오타")
            assert not Approval.objects.waiting().about(row).exists()
            row.refresh_from_db()
            assert row.state == "retired"
            with pytest.raises(states.IllegalMove):
                payout_connections.discard(row, by=asker, at=AT, reason="오타")

    def test_let_nothing_be_executed_before_there_is_one(self, provider):
        market = make.market("ours")
        with tenancy.use(market.pk):
            draft = versions.draft(PayoutPolicy, valid_from=ON, by=None, gateway="payout_api")
            versions.publish(draft, by=None, at=AT)
            make.account(row := make.seller())
            make.payable(row)
            [batch] = payouts.prepare(on=ON, at=AT + timedelta(days=1))
            states.move(batch, PayoutBatch.State.APPROVED, by=None, at=AT)
            with pytest.raises(payout_connections.NoConnection):
                payouts.execute(batch, by=None, at=AT)
            batch.refresh_from_db()
            assert batch.state == "approved"

    def test_replace_one_another_at_one_provider(self, market, provider):
        provider.plan["1234"] = "delay"
        [payout] = launched(market, "1234")
        serve(market, payout)
        with tenancy.use(market.pk):
            entered(market, provider.url, secret_key="test_sk_newer_9999")
            states_ = PayoutConnection.objects.order_by("pk").values_list("state", "ending")
            assert list(states_) == [("retired", "1234"), ("in_use", "9999")]
            with pytest.raises(payout_connections.ConnectionBusy):
                entered(market, "https://api.example.com/v2")

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"url": "http://api.example.com"}, payout_connections.BadAddress),
            ({"url": "https://10.0.0.1/v2"}, payout_connections.BadAddress),
            ({"url": "https://api.example.com/v2?x=1"}, payout_connections.BadAddress),
            ({"secret_key": "short"}, payout_connections.BadSecretKey),
            ({"security_key": "0g" * 32}, payout_connections.BadSecurityKey),
        ],
    )
    def test_refuse_what_cannot_work(self, market, given, refusal):
        usual = {
            "url": "https://api.example.com/v2",
            "secret_key": SECRET_KEY,
            "security_key": SECURITY_KEY,
        }
        with tenancy.use(market.pk), pytest.raises(refusal) as found:
            payout_connections.enter(**{**usual, **given}, by=None, at=AT, reason="계약")
        assert found.value.params["field"] == next(iter(given))

    def test_pay_in_won_alone(self, provider):
        market = make.market("ours", currency="USD", exponent=2)
        given = {"url": provider.url, "secret_key": SECRET_KEY, "security_key": SECURITY_KEY}
        with tenancy.use(market.pk), pytest.raises(payout_connections.OnlyWon):
            payout_connections.enter(**given, by=None, at=AT, reason="계약")


class TestPages:
    GIVEN = {
        "url": "https://api.example.com/v2",
        "secret_key": SECRET_KEY,
        "security_key": SECURITY_KEY,
        "reason": "계약",
    }

    def test_take_keys_and_show_none(self):
        market = make.market("ours")
        client, second = operator(market), operator(market, "second")
        page = client.post(f"{CONNECTIONS}enter/", self.GIVEN, follow=True).content.decode()
        assert "A second person was asked." in page
        assert "/api/v1/payout-events/ours/" in page
        assert SECRET_KEY not in page
        assert SECURITY_KEY not in page
        with tenancy.use(market.pk):
            approval = Approval.objects.get()
            assert approval.kind == payout_connections.APPROVAL
        address = f"/admin/marketplace/approval/{approval.pk}/change/"
        second.post(address, {"decision": "approve", "reason": ""}, follow=True)
        with tenancy.use(market.pk):
            assert PayoutConnection.objects.get().state == "in_use"

    def test_say_what_is_wrong_and_forget_the_keys(self):
        client = operator(make.market("ours"))
        bad = self.GIVEN | {"url": "http://api.example.com"}
        page = client.post(f"{CONNECTIONS}enter/", bad)
        assert "begins with https://" in page.content.decode()
        assert SECRET_KEY not in page.content.decode()

    def test_are_for_those_who_may_and_have_just_logged_in(self):
        market = make.market("ours")
        late = operator(market, "late", is_fresh=False).get(f"{CONNECTIONS}enter/")
        assert "/accounts/reauthenticate/" in late["Location"]
        viewer = operator(market, "viewer", role="viewer")
        assert viewer.post(f"{CONNECTIONS}enter/", self.GIVEN).status_code == 403
        with tenancy.use(market.pk):
            keeper = shopkeeper(make.seller(), "shop@example.org")
        assert keeper.get(CONNECTIONS).status_code in (302, 403)

    def test_are_not_there_for_another_marketplace(self, market):
        stranger = operator(make.market("theirs"), "stranger")
        with tenancy.use(market.pk):
            row = PayoutConnection.objects.get()
        assert stranger.get(f"{CONNECTIONS}{row.pk}/change/").status_code in (302, 404)
        answer = stranger.post(
            f"{CONNECTIONS}{row.pk}/decide/discard/", {"reason": "x"}, follow=False
        )
        assert answer.status_code in (302, 404)
        with tenancy.use(market.pk):
            assert PayoutConnection.objects.get().state == "in_use"
