"""The Celery app: how tasks are delivered, and when the repeated ones run.

A task may run twice and must bear it: it is acknowledged after it ran, and given to another
worker when its own dies. Times are in seconds and only valid in this order: soft limit, hard
limit, visibility timeout (after which a Redis or Valkey broker takes a worker for dead).

There are two queues: webhooks wait for receivers outside, which must not hold the processes that a
night needs. A worker serves both unless `-Q` names one.
"""

import os

from celery import Celery
from celery.exceptions import WorkerShutdown
from celery.schedules import crontab
from celery.signals import (
    beat_init,
    before_task_publish,
    celeryd_init,
    worker_init,
    worker_ready,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from marketplace import checks, embedded, watchdog

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

SOFT_LIMIT = 11 * 60
HARD_LIMIT = 12 * 60
VISIBILITY_TIMEOUT = 15 * 60

WORK, WEBHOOKS = "celery", "webhooks"  # the queues

app = Celery("marketplace", broker=settings.CELERY_BROKER_URL)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_default_queue=WORK,
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (WORK, WEBHOOKS)],
    # Both wait for servers of others, which no process that a night needs may do.
    task_routes={
        "marketplace.tasks.sweep_webhooks": {"queue": WEBHOOKS},
        "settlements.tasks.send_letters": {"queue": WEBHOOKS},
    },
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
    beat_schedule={
        # A tick that no worker took before the next one is worth nothing.
        "start-nights": {
            "task": "settlements.tasks.tick",
            "schedule": crontab(minute=1),  # closing hours are whole
            "options": {"expires": 60 * 60},
        },
        "resume-nights": {
            "task": "settlements.tasks.resume",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "relay-outbox": {
            "task": "marketplace.tasks.relay_outbox",
            "schedule": 5,
            "options": {"expires": 5},
        },
        "forget-answered-requests": {
            "task": "marketplace.tasks.forget_answered_requests_everywhere",
            "schedule": 24 * 60 * 60,
        },
        "take-up-imports": {
            "task": "orders.tasks.take_up_imports",
            "schedule": 5 * 60,
            "options": {"expires": 5 * 60},
        },
        "take-up-exports": {
            "task": "settlements.tasks.take_up_exports",
            "schedule": 5 * 60,
            "options": {"expires": 5 * 60},
        },
        "take-up-rehearsals": {
            "task": "settlements.tasks.take_up_rehearsals",
            "schedule": 5 * 60,
            "options": {"expires": 5 * 60},
        },
        "take-up-payouts": {
            "task": "settlements.tasks.take_up_payouts",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "check-businesses": {
            "task": "settlements.tasks.check_businesses_everywhere",
            "schedule": crontab(minute=51),
            "options": {"expires": 60 * 60},
        },
        "send-letters": {
            "task": "settlements.tasks.send_letters_everywhere",
            "schedule": 60,
            "options": {"expires": 60},
        },
        "sweep-webhooks": {
            "task": "marketplace.tasks.sweep_webhooks",
            "schedule": 5,
            "options": {"expires": 5},
        },
        "forget-old": {
            "task": "marketplace.tasks.forget_old_everywhere",
            "schedule": crontab(minute=31),
            "options": {"expires": 60 * 60},
        },
        "drop-old-exports": {
            "task": "settlements.tasks.drop_old_exports",
            "schedule": crontab(minute=41),
            "options": {"expires": 60 * 60},
        },
        "erase-resident-numbers": {
            "task": "settlements.tasks.erase_resident_numbers_everywhere",
            "schedule": crontab(hour=18, minute=51),
            "options": {"expires": 12 * 60 * 60},
        },
        "seal-audit": {
            "task": "marketplace.tasks.seal_audit_everywhere",
            "schedule": 10 * 60,
            "options": {"expires": 10 * 60},
        },
    },
)
if settings.CELERY_BROKER_URL.startswith(("redis", "valkey")):
    app.conf.broker_transport_options = {
        "visibility_timeout": VISIBILITY_TIMEOUT,
        # The default sweeps abandoned messages only every hundred seconds.
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 5,
    }
app.autodiscover_tasks()


@worker_init.connect(weak=False)
def refuse_strong_role(**_):
    try:
        checks.require_weak_role()
    except ImproperlyConfigured as error:
        # Celery only logs what a signal's receiver raises, unless it is this.
        raise WorkerShutdown(str(error)) from error


@worker_ready.connect(weak=False)
def watch_consumer(sender, **_):
    queues = list(sender.app.amqp.queues.consume_from)
    watchdog.start(sender.app, queues, each=settings.WATCHDOG_SECONDS)


if settings.EMBEDDED_BROKER:

    @before_task_publish.connect(weak=False)
    @celeryd_init.connect(weak=False)
    @beat_init.connect(weak=False)
    def start_broker(**_):
        embedded.start_broker()
