"""Relays that are killed: every message arrives, and what arrives twice acts once."""

import multiprocessing
import random
import time
from collections import Counter

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from django_scopes import scopes_disabled

from marketplace import embedded, handlers, outbox, scratch, tasks, tenancy
from marketplace.models import JobRun, OutboxMessage
from marketplace.tests import make
from settlements.crashes import broker
from tests.faults import relaying
from tests.faults.at_once import at_once

TOPIC = "test.counted"
RELAYS, KILLS, MESSAGES = 3, 12, 40  # messages between two kills


def count(marketplace, *, at, number):
    """A handler whose effect is a row for each time that it acts."""
    JobRun.objects.create(kind="counted", key=f"{number}/{at.isoformat()}")


@pytest.fixture
def queue():
    if settings.EMBEDDED_BROKER:
        embedded.start_broker()
    name = f"{scratch.PREFIX}{connection.settings_dict['NAME']}_outbox"
    yield name
    broker.forget(name, settings.CELERY_BROKER_URL)


@pytest.fixture
def relays(queue):
    """Calls that start a relay and that kill one; at the end all are killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([relaying.__name__])
    running = []

    def start():
        words = (connection.settings_dict["NAME"], queue)
        process = context.Process(target=relaying.relay_for_ever, args=words)
        process.start()
        running.append(process)

    def kill(which):
        process = running.pop(which)
        process.kill()
        process.join()
        process.close()

    yield start, kill
    while running:
        kill(0)


@pytest.mark.django_db(transaction=True)
class TestRelay:
    def test_loses_nothing_when_killed_and_repeats_harmlessly(self, queue, relays, monkeypatch):
        start, kill = relays
        market = make.marketplace()
        chance = random.Random(7)
        for _ in range(RELAYS):
            start()
        written = 0
        for _ in range(KILLS):
            with tenancy.use(market.pk):
                for _ in range(MESSAGES):
                    written += 1
                    outbox.add(TOPIC, number=written)
            time.sleep(chance.uniform(0, 0.08))
            kill(chance.randrange(RELAYS))
            start()
        deadline = time.monotonic() + 60
        while _waiting():
            assert time.monotonic() < deadline
            time.sleep(0.02)

        arrived = _fetch(queue)
        numbers = [message["payload"]["number"] for message in arrived]
        assert set(numbers) == set(range(1, written + 1))

        monkeypatch.setitem(handlers.TOPICS, TOPIC, (f"{__name__}.count",))
        repeated = [m for m in arrived if Counter(numbers)[m["payload"]["number"]] > 1]
        for message in [*arrived, *arrived[:20]]:
            tasks.deliver(**message)
        # The same message in the hands of two consumers at the same moment.
        for message in [*repeated, *arrived][:5]:
            at_once(*[lambda message=message: tasks.deliver(**message)] * 2)
        with tenancy.use(market.pk):
            keys = JobRun.objects.filter(kind="counted").values_list("key", flat=True)
            acted = Counter(int(key.partition("/")[0]) for key in keys)
        assert acted == Counter(range(1, written + 1))


def _waiting():
    with scopes_disabled():
        return OutboxMessage.objects.using("platform").filter(sent_at=None).exists()


def _fetch(name):
    """All that the relays have published: the arguments of each task."""
    app = Celery(set_as_current=False)
    app.conf.broker_read_url = settings.CELERY_BROKER_URL
    broker.isolate(app, name, settings.CELERY_BROKER_URL)
    found = []
    with app.connection_for_read() as link, link.SimpleQueue(app.amqp.queues[name]) as simple:
        while True:
            try:
                message = simple.get(timeout=1)
            except simple.Empty:
                return found
            _, words, _ = message.payload
            found.append(words)
            message.ack()
