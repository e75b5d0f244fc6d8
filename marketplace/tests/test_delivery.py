"""Outbox, inbox and the tasks between them."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from celery.exceptions import Retry
from django.db import DatabaseError, connections, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from marketplace import handlers, inbox, outbox, tasks, tenancy
from marketplace.models import AuditEntry, InboxMessage, JobRun, OutboxMessage
from marketplace.tests import make

TOPIC = "test.happened"
NOW = make.NOON


def count_job(marketplace, *, at, key, fails=False):
    """A handler: its effect is one job run."""
    JobRun.objects.create(kind="handled", key=key)
    if fails:
        raise ZeroDivisionError("a secret of somebody's")


def fail(marketplace, **_):
    raise ZeroDivisionError


HANDLER = f"{__name__}.count_job"
FAILING = f"{__name__}.fail"


@pytest.fixture
def published(monkeypatch):
    """What reaches the broker; `fails` names messages that do not."""
    sent = []

    class Signature:
        def __init__(self, name, kwargs):
            self.name, self.kwargs = name, kwargs

        def apply_async(self):
            if failure := sent.failures.get(self.kwargs["topic"]):
                raise failure
            sent.append(self.kwargs)

    class Sent(list):
        failures = {}

    sent = Sent()
    sent.failures = {}
    monkeypatch.setattr(outbox.app, "signature", Signature)
    return sent


@pytest.fixture
def subscribe(monkeypatch):
    def subscribe(*names):
        monkeypatch.setitem(handlers.TOPICS, TOPIC, names)

    return subscribe


def add(market, topic=TOPIC, **payload):
    with tenancy.use(market.pk):
        return outbox.add(topic, **payload)


def stored(market, key):
    with tenancy.use(market.pk):
        return OutboxMessage.objects.get(pk=key)


def jobs(market):
    with tenancy.use(market.pk):
        return list(JobRun.objects.values_list("key", flat=True))


@pytest.mark.django_db
class TestAdd:
    def test_writes_in_the_transaction_of_its_cause(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            key = outbox.add(TOPIC, line_id=1)
            message = OutboxMessage.objects.get()
        assert isinstance(key, UUID)
        assert (message.pk, message.topic, message.payload) == (key, TOPIC, {"line_id": 1})
        assert (message.sent_at, message.attempts) == (None, 0)

    def test_goes_with_its_transaction(self):
        market = make.marketplace()
        with pytest.raises(ZeroDivisionError), tenancy.use(market.pk):  # noqa: PT012
            outbox.add(TOPIC)
            raise ZeroDivisionError
        with tenancy.use(market.pk):
            assert not OutboxMessage.objects.exists()

    def test_refuses_what_is_not_json(self):
        with pytest.raises(TypeError), tenancy.use(make.marketplace().pk):
            outbox.add(TOPIC, on=make.FIRST_OPEN_ON)


@pytest.mark.django_db(transaction=True)
class TestRelay:
    def test_publishes_messages_of_every_marketplace(self, published):
        ours, theirs = make.marketplace("ours"), make.marketplace("theirs")
        first, second = add(ours, n=1), add(theirs, n=2)
        assert outbox.relay(at=NOW) == 2
        assert published == [
            {
                "marketplace_id": market.pk,
                "message_id": str(key),
                "topic": TOPIC,
                "payload": {"n": number},
            }
            for market, key, number in [(ours, first, 1), (theirs, second, 2)]
        ]
        assert stored(ours, first).sent_at == NOW

    def test_publishes_once(self, published):
        add(make.marketplace())
        assert (outbox.relay(at=NOW), outbox.relay(at=NOW)) == (1, 0)
        assert len(published) == 1

    def test_stops_at_its_limit(self, published):
        market = make.marketplace()
        for number in range(3):
            add(market, n=number)
        assert outbox.relay(2, at=NOW) == 2
        assert [message["payload"]["n"] for message in published] == [0, 1]

    def test_waits_for_a_broker_that_is_down(self, published):
        market = make.marketplace()
        keys = [add(market) for _ in range(3)]
        published.failures[TOPIC] = OperationalError("down")
        for _ in range(outbox.PARK_AFTER + 1):
            assert outbox.relay(at=NOW) == 0
        message = stored(market, keys[0])
        assert (message.sent_at, message.attempts) == (None, 0)
        assert message.last_error == "OperationalError"
        published.failures.clear()
        assert outbox.relay(at=NOW) == 3
        assert stored(market, keys[0]).last_error == ""

    def test_parks_a_message_that_cannot_be_published(self, published):
        market = make.marketplace()
        bad, good = add(market, "test.bad"), add(market)
        published.failures["test.bad"] = ValueError("somebody's name")
        assert outbox.relay(at=NOW) == 1
        assert stored(market, good).sent_at == NOW
        for _ in range(outbox.PARK_AFTER):
            outbox.relay(at=NOW)
        message = stored(market, bad)
        assert (message.sent_at, message.attempts) == (None, outbox.PARK_AFTER)
        assert message.last_error == "ValueError"

    def test_sends_again_what_a_broker_forgot(self, published):
        market = make.marketplace()
        lost, begun = add(market), add(market)
        outbox.relay(at=NOW)
        outbox.begin(begun)
        assert outbox.relay(at=NOW + outbox.LOST_AFTER) == 0
        assert outbox.relay(at=NOW + outbox.LOST_AFTER + timedelta(seconds=1)) == 1
        assert published[-1]["message_id"] == str(lost)

    def test_leaves_rows_that_another_relay_holds(self, published):
        market = make.marketplace()
        held, free = add(market, n=1), add(market, n=2)
        holds, may_end = threading.Event(), threading.Event()

        def first():
            with transaction.atomic(using="platform"), connections["platform"].cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM marketplace_outboxmessage WHERE id = %s FOR UPDATE", [held]
                )
                holds.set()
                may_end.wait(10)

        with make.another_connection(first):
            holds.wait(10)
            assert outbox.relay(at=NOW) == 1
            may_end.set()
        assert published[0]["message_id"] == str(free)
        assert outbox.relay(at=NOW) == 1

    def test_publishes_again_after_a_crash_before_its_commit(self, published, monkeypatch):
        key = add(make.marketplace())

        def crash(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(outbox, "_note", crash)
            with pytest.raises(KeyboardInterrupt):
                outbox.relay(at=NOW)
        assert outbox.relay(at=NOW) == 1
        assert [message["message_id"] for message in published] == [str(key)] * 2


@pytest.mark.django_db
class TestRights:
    def test_the_app_role_records_no_delivery(self):
        market = make.marketplace()
        key = add(market)
        with pytest.raises(DatabaseError, match="permission denied"), tenancy.use(market.pk):
            OutboxMessage.objects.filter(pk=key).update(attempts=1)


@pytest.mark.django_db(transaction=True)
class TestReplay:
    def test_sends_a_parked_message_once_more(self, published):
        market, operator = make.marketplace(), make.user()
        key = add(market)
        outbox.park(key)
        assert outbox.relay(at=NOW) == 0
        with tenancy.use(market.pk):
            outbox.replay(OutboxMessage.objects.get(), by=operator, at=NOW, reason="repaired")
            entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor, entry.reason) == (
            "outboxmessage.replayed",
            operator,
            "repaired",
        )
        assert outbox.relay(at=NOW) == 1
        assert published[0]["message_id"] == str(key)


@pytest.mark.django_db(transaction=True)
class TestDeliver:
    def deliver(self, market, message_id, /, **payload):
        return tasks.deliver.apply(
            kwargs={
                "marketplace_id": market.pk,
                "message_id": str(message_id),
                "topic": TOPIC,
                "payload": payload,
            },
            throw=True,
        )

    def test_calls_every_handler_in_the_marketplace(self, subscribe):
        market = make.marketplace()
        subscribe(HANDLER)
        key = add(market)
        self.deliver(market, key, key="1")
        assert jobs(market) == ["1"]
        assert stored(market, key).attempts == 1

    def test_acts_once_on_a_message_that_comes_twice(self, subscribe):
        market = make.marketplace()
        subscribe(HANDLER)
        key = add(market)
        self.deliver(market, key, key="1")
        self.deliver(market, key, key="1")
        assert jobs(market) == ["1"]

    def test_does_nothing_where_nobody_listens(self):
        market = make.marketplace()
        key = add(market)
        self.deliver(market, key)
        assert stored(market, key).last_error == ""

    def test_undoes_a_handler_that_failed_and_no_other(self, subscribe, no_waiting):
        market = make.marketplace()
        subscribe(FAILING, HANDLER)
        key = add(market)
        with pytest.raises(Retry):
            self.deliver(market, key, key="1")
        assert jobs(market) == ["1"]
        with tenancy.use(market.pk):
            assert [message.consumer for message in InboxMessage.objects.all()] == [HANDLER]
        assert stored(market, key).last_error == "ZeroDivisionError"

    def test_parks_what_fails_to_the_end(self, subscribe, published, no_waiting):
        market = make.marketplace()
        subscribe(HANDLER)
        key = add(market)
        outbox.relay(at=NOW)
        for _ in range(outbox.PARK_AFTER - 1):
            with pytest.raises(Retry):
                self.deliver(market, key, key="1", fails=True)
        assert stored(market, key).sent_at == NOW
        self.deliver(market, key, key="1", fails=True)
        message = stored(market, key)
        assert (message.sent_at, message.attempts) == (None, outbox.PARK_AFTER)
        assert message.last_error == "ZeroDivisionError"
        assert jobs(market) == []

    def test_parks_what_kills_its_worker(self, subscribe):
        """A killed worker reports nothing: attempts are counted as they begin."""
        market = make.marketplace()
        subscribe(HANDLER)
        key = add(market)
        for _ in range(outbox.PARK_AFTER):
            assert outbox.begin(key)
        self.deliver(market, key, key="1")
        assert jobs(market) == []
        assert stored(market, key).sent_at is None

    def test_waits_longer_each_time_within_the_visibility_timeout(self, subscribe, no_waiting):
        market = make.marketplace()
        subscribe(FAILING)
        key = add(market)
        for retries, wait in [(0, 10), (1, 20), (5, 320), (6, 600), (7, 600)]:
            no_waiting.clear()
            tasks.deliver.push_request(retries=retries)
            with pytest.raises(Retry):
                tasks.deliver.run(
                    marketplace_id=market.pk, message_id=str(key), topic=TOPIC, payload={}
                )
            tasks.deliver.pop_request()
            assert no_waiting == [wait]
            with connections["platform"].cursor() as cursor:
                cursor.execute("UPDATE marketplace_outboxmessage SET attempts = 0")

    @pytest.fixture
    def no_waiting(self, monkeypatch):
        waits = []

        def retry(exc, countdown):
            waits.append(countdown)
            return Retry(exc=exc)

        monkeypatch.setattr(tasks.deliver, "retry", retry)
        return waits


@pytest.mark.django_db(transaction=True)
class TestOnce:
    def test_is_true_the_first_time(self):
        with tenancy.use(make.marketplace().pk):
            assert inbox.once("consumer", "1")
            assert not inbox.once("consumer", "1")
            assert inbox.once("consumer", "2")
            assert inbox.once("another", "1")

    def test_is_forgotten_with_its_transaction(self):
        market = make.marketplace()
        with pytest.raises(ZeroDivisionError), tenancy.use(market.pk):  # noqa: PT012
            inbox.once("consumer", "1")
            raise ZeroDivisionError
        with tenancy.use(market.pk):
            assert inbox.once("consumer", "1")

    def test_is_each_marketplaces_own(self):
        for slug in ("ours", "theirs"):
            with tenancy.use(make.marketplace(slug).pk):
                assert inbox.once("consumer", "1")

    def test_lets_a_second_delivery_wait_for_the_first(self):
        market = make.marketplace()
        answers, started = [], threading.Event()

        def second():
            with tenancy.use(market.pk):
                started.set()
                answers.append(inbox.once("consumer", "1"))

        with tenancy.use(market.pk):
            assert inbox.once("consumer", "1")
            thread = make.another_connection(second)
            thread.start()
            started.wait(10)
            thread.join(0.3)
            assert answers == []
        thread.join(10)
        assert answers == [False]


class TestTopics:
    def test_name_handlers_that_exist(self):
        for names in handlers.TOPICS.values():
            for name in names:
                assert callable(import_string(name))
                assert len(name) <= InboxMessage._meta.get_field("consumer").max_length


@pytest.mark.django_db(transaction=True)
class TestTasks:
    def test_relay_until_nothing_waits(self, subscribe, monkeypatch):
        monkeypatch.setattr(tasks, "BATCH", 2)
        market = make.marketplace()
        subscribe(HANDLER)
        for number in range(5):
            add(market, key=str(number))
        tasks.relay_outbox()
        assert sorted(jobs(market)) == ["0", "1", "2", "3", "4"]

    def test_seal_every_open_marketplace(self):
        market, archived = make.marketplace(), make.marketplace("old", state="archived")
        for each in (market, archived):
            with tenancy.use(each.pk, even_archived=True):
                tasks.audit.record("thing.done", by=None, at=timezone.now())
        tasks.seal_audit_everywhere()
        for each, sealed in ((market, 1), (archived, 0)):
            with tenancy.use(each.pk):
                assert tasks.audit.AuditSeal.objects.count() == sealed
