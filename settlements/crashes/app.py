"""The project's Celery app as the workers of a rehearsal run it.

Tasks, settings and broker are the real ones. Its own are the queue, the clock, which stands where
the nights of the rehearsal have just fallen due, and that a worker waits for a word: it is made
ready in advance, so that one that was killed is replaced at once. The word says how the clock
jumps, if it does.
"""

import os
import random
import signal
import threading
import time
from datetime import datetime, timedelta

from celery.signals import celeryd_init
from django.conf import settings
from django.utils import timezone

from marketplace.celery import app
from settlements.crashes import broker
from settlements.crashes.workers import CLOCK, JUMP, NAME

broker.isolate(app, os.environ[NAME], settings.CELERY_BROKER_URL)

_now = timezone.now
_behind = _now() - datetime.fromisoformat(os.environ[CLOCK])
_jumps = ""


def _told():
    """The rehearsal's time; where the clock jumps, twice a second to another hour of the day."""
    now = _now() - _behind
    if not _jumps:
        return now
    chance = random.Random(f"{_jumps}/{int(time.monotonic() * 2)}")  # noqa: S311
    return now + timedelta(seconds=chance.uniform(-JUMP, JUMP))


timezone.now = _told


@celeryd_init.connect(weak=False)
def wait_for_word(**_):
    global _jumps
    word = b""
    while not word.endswith(b"\n"):
        if not (part := os.read(0, 1)):
            os._exit(0)  # nobody is left to give it
        word += part
    _jumps = word.decode().strip()
    threading.Thread(target=_end_with_rehearsal, daemon=True).start()


def _end_with_rehearsal():
    """A rehearsal that was killed itself must leave no worker behind."""
    while os.read(0, 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)
