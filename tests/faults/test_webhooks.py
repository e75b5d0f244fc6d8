"""Webhooks over TLS while the workers that send them are killed, and while nobody receives."""

import json
import random
import socket
import ssl
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection
from standardwebhooks.webhooks import Webhook

from marketplace import changes, embedded, scratch, tenancy
from marketplace.models import Change, WebhookDelivery, WebhookEndpoint
from marketplace.tests import certificates, make
from marketplace.tests.receiving import receiving
from marketplace.webhooks import endpoints
from settlements.crashes import broker
from settlements.crashes.workers import POOL_PROCESS, WORKER, Crew

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS, KILLS = 160, 6


@pytest.fixture
def tls(monkeypatch, tmp_path):
    """What a receiver presents, which the workers trust through OpenSSL's own variable."""
    authority, own = certificates.for_localhost()
    (tmp_path / "authority.pem").write_text(authority)
    (tmp_path / "own.pem").write_bytes(own)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    return context


def subscribed(market, url, settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    with tenancy.use(market.pk):
        return endpoints.create(url, by=None, at=datetime.now(UTC))


def tell(market, first, end):
    with tenancy.use(market.pk):
        for number in range(first, end):
            changes.announce("order.accepted", f"ord_{number}", at=make.NOON)


class TestSweeping:
    def test_loses_nothing_when_its_workers_are_killed(self, tls, tmp_path, settings):
        market, chance = make.marketplace(), random.Random(11)
        with receiving(context=tls) as receiver, crew(tmp_path) as workers:
            made = subscribed(market, receiver.url, settings)
            receiver.seconds = 0.02
            workers.start(2)
            for kill in range(KILLS):
                tell(market, kill * EVENTS // KILLS, (kill + 1) * EVENTS // KILLS)
                make.wait_until_told()
                seen = len(receiver.requests)
                until(lambda seen=seen: len(receiver.requests) > seen, workers)
                time.sleep(chance.uniform(0, 0.2))
                workers.kill((WORKER, POOL_PROCESS)[kill % 2], chance.choice)
                workers.start(2)
            until(lambda: not waiting(market), workers)
        acted = {}  # as a receiver does that knows an event by its id
        for headers, body in receiver.requests:
            event = Webhook(made.secret).verify(body, headers)
            acted.setdefault(headers["webhook-id"], event["data"]["id"])
        assert Counter(acted.values()) == Counter(f"ord_{n}" for n in range(EVENTS))
        assert len(receiver.requests) >= EVENTS

    def test_tries_again_until_somebody_listens(self, tls, tmp_path, settings):
        market = make.marketplace()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with crew(tmp_path) as workers:
            subscribed(market, f"https://localhost:{port}/hook", settings)
            tell(market, 0, 3)
            make.wait_until_told()
            workers.start(1)
            until(lambda: outcomes(market) == {"unreachable"}, workers)
            with receiving(context=tls, port=port) as receiver:
                receiver.answers = [(503, {}, b""), (500, {}, b""), (204, {}, b"")]
                until(lambda: not waiting(market), workers)
        told = Counter(json.loads(body)["data"]["id"] for _, body in receiver.requests)
        assert told.keys() == {"ord_0", "ord_1", "ord_2"}
        assert told.total() == 5  # two attempts were answered badly
        assert outcomes(market) == {"204"}

    def test_ends_where_the_receiver_is_gone_for_good(self, tls, tmp_path, settings):
        market = make.marketplace()
        with receiving(context=tls) as receiver, crew(tmp_path) as workers:
            receiver.answers = [(410, {}, b"")]
            subscribed(market, receiver.url, settings)
            tell(market, 0, 8)
            make.wait_until_told()
            workers.start(1)
            until(lambda: not waiting(market), workers)
        with tenancy.use(market.pk):
            endpoint = WebhookEndpoint.objects.get()
        assert (endpoint.state, endpoint.disabled_for) == ("disabled", "410")
        assert len(receiver.requests) <= 2  # what was under way at once


@contextmanager
def crew(folder):
    """Workers on the test's own database, ended and forgotten after the block."""
    if settings.EMBEDDED_BROKER:
        embedded.start_broker()
    database = connection.settings_dict["NAME"]
    name = f"{scratch.PREFIX}{database}_webhooks"
    with (folder / "workers.log").open("w") as log:
        workers = Crew(
            2,
            name=name,
            database=database,
            broker_url=settings.CELERY_BROKER_URL,
            clock=datetime.now(UTC),
            log=log,
            app="tests.faults.hasty_app",
        )
        try:
            with workers:
                yield workers
        finally:
            broker.forget(name, settings.CELERY_BROKER_URL)


def waiting(market):
    """Whether a change has no delivery yet, or a delivery is not over."""
    with tenancy.use(market.pk):
        made = WebhookDelivery.objects.count()
        return WebhookDelivery.objects.waiting().exists() or made < Change.objects.count()


def outcomes(market):
    with tenancy.use(market.pk):
        return set(WebhookDelivery.objects.values_list("last_outcome", flat=True))


def until(is_so, workers):
    """Play the beat until something is so."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        workers.check()
        workers.remind("marketplace.tasks.sweep_webhooks")
        time.sleep(0.3)
