"""The project's Celery app as the workers of a rehearsal run it.

Tasks, settings and broker are the real ones. Its own are the queue, the clock, which stands where
the nights of the rehearsal have just fallen due, and that a worker waits for a word: it is made
ready in advance, so that one that was killed is replaced at once.
"""

import os
import signal
import threading
from datetime import datetime

from celery.signals import celeryd_init
from django.conf import settings
from django.utils import timezone

from marketplace.celery import app
from settlements.crashes import broker
from settlements.crashes.workers import CLOCK, NAME

broker.isolate(app, os.environ[NAME], settings.CELERY_BROKER_URL)

_now = timezone.now
_behind = _now() - datetime.fromisoformat(os.environ[CLOCK])
timezone.now = lambda: _now() - _behind


@celeryd_init.connect(weak=False)
def wait_for_word(**_):
    if not os.read(0, 1):
        os._exit(0)  # nobody is left to give it
    threading.Thread(target=_end_with_rehearsal, daemon=True).start()


def _end_with_rehearsal():
    """A rehearsal that was killed itself must leave no worker behind."""
    while os.read(0, 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)
