"""A relay as a process of its own, to be killed. Forked from a server that has all imported."""

import time

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from marketplace import outbox  # noqa: E402
from marketplace.celery import app  # noqa: E402
from settlements.crashes import broker  # noqa: E402


def relay_for_ever(database: str, queue: str) -> None:
    for alias in connections:
        connections[alias].settings_dict["NAME"] = database
    broker.isolate(app, queue, settings.CELERY_BROKER_URL)
    while True:
        if not outbox.relay(20, at=timezone.now()):
            time.sleep(0.01)
