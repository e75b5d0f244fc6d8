"""What the API's processes see of each other: one key in two requests, one limit in two workers."""

import multiprocessing
import threading
import time

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from marketplace import tenancy
from marketplace.api import limits
from marketplace.models import IdempotencyKey, JobRun
from marketplace.tests import make

pytestmark = pytest.mark.urls("marketplace.tests.api_pages")


class Elsewhere(threading.Thread):
    """A request in a session of its own, as another worker serves it."""

    def __init__(self, client, lock_timeout="30s"):
        super().__init__()
        self.client, self.lock_timeout = client, lock_timeout
        self.answer = self.process = None
        self.is_connected = threading.Event()

    def run(self):
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{self.lock_timeout}'")
                cursor.execute("SELECT pg_backend_pid()")
                [self.process] = cursor.fetchone()
            self.is_connected.set()
            self.answer = self.client.send("jobs/", {"kind": "a"}, key="one")
        finally:
            connections.close_all()


@pytest.fixture
def market(transactional_db):
    return make.marketplace()


@pytest.fixture
def client(market):
    return make.ApiClient(make.api_key(market))


def hold_key():
    """Be the first of two requests, and still at work."""
    IdempotencyKey.objects.create(key="one", fingerprint="x", created_at=timezone.now())


def has_begun_to_wait(process) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", [process])
        return cursor.fetchone() is not None


def jobs(market):
    with tenancy.use(market.pk):
        return JobRun.objects.count()


def test_a_request_at_work_is_named_and_then_done(market, client):
    with tenancy.use(market.pk):
        hold_key()
        second = Elsewhere(client, lock_timeout="100ms")
        second.start()
        second.join(30)
        transaction.set_rollback(True)
    answer = second.answer
    assert (answer.status_code, answer.json()["code"]) == (409, "request_in_progress")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "1"
    assert jobs(market) == 0
    assert client.send("jobs/", {"kind": "a"}, key="one").status_code == 201
    assert jobs(market) == 1


def test_a_lost_connection_is_told_and_leaves_nothing(market, client):
    with tenancy.use(market.pk):
        hold_key()
        second = Elsewhere(client)
        second.start()
        assert second.is_connected.wait(30)
        deadline = time.monotonic() + 30
        while not has_begun_to_wait(second.process):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [second.process])
        second.join(30)
        transaction.set_rollback(True)
    answer = second.answer
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "1"
    assert jobs(market) == 0
    assert client.send("jobs/", {"kind": "a"}, key="one").status_code == 201


def test_two_workers_count_one_limit(settings):
    backend = "marketplace.embedded_cache.EmbeddedCache"
    settings.CACHES = {"default": {"BACKEND": backend}}
    settings.API_REQUESTS_A_MINUTE, settings.API_MARKETPLACE_REQUESTS_A_MINUTE = 20, 10
    marketplace_id = -time.time_ns()  # nobody's bucket
    fork = multiprocessing.get_context("fork")
    gate, told = fork.Barrier(2), fork.SimpleQueue()

    def work(key_id):
        gate.wait(30)
        began = time.monotonic()
        taken = [limits.take(key_id=key_id, marketplace_id=marketplace_id) for _ in range(9)]
        told.put((sum(one.is_allowed for one in taken), began, time.monotonic()))

    workers = [fork.Process(target=work, args=(-time.time_ns(),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    allowed, began, ended = zip(*(told.get() for _ in workers), strict=True)
    for worker in workers:
        worker.join(30)
    # The bucket fills up by one in six seconds while they take.
    assert 10 <= sum(allowed) <= 10 + (max(ended) - min(began)) / 6
