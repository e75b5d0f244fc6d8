"""The Celery app: how tasks are delivered, and when the repeated ones run.

A task may run twice and must bear it: it is acknowledged after it ran, and given to another
worker when its own dies. Times are in seconds and only valid in this order: soft limit, hard
limit, visibility timeout (after which a Redis or Valkey broker takes a worker for dead).
"""

import os

from celery import Celery
from celery.signals import beat_init, before_task_publish, celeryd_init
from django.conf import settings

from marketplace import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

SOFT_LIMIT = 11 * 60
HARD_LIMIT = 12 * 60
VISIBILITY_TIMEOUT = 15 * 60

app = Celery("marketplace", broker=settings.CELERY_BROKER_URL)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_soft_time_limit=SOFT_LIMIT,
    task_time_limit=HARD_LIMIT,
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=500,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # Tried again for a moment only: no request may hang on a broker that is down. What must not
    # be lost is written to the outbox, in the transaction that caused it.
    task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2},
    timezone="UTC",
    enable_utc=True,
    # Tasks by name, because the floors above are not imported here. A tick asks every marketplace
    # what is due in its own zone; nothing about one marketplace is written here.
    beat_schedule={},
)
if settings.CELERY_BROKER_URL.startswith(("redis", "valkey")):
    app.conf.broker_transport_options = {
        "visibility_timeout": VISIBILITY_TIMEOUT,
        # The default sweeps abandoned messages only every hundred seconds.
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 5,
    }
app.autodiscover_tasks()


if settings.EMBEDDED_BROKER:

    @before_task_publish.connect(weak=False)
    @celeryd_init.connect(weak=False)
    @beat_init.connect(weak=False)
    def start_broker(**_):
        embedded.start_broker()
