"""The project's Celery app as the workers of a rehearsal run it.

Tasks, settings and broker are the real ones. Its own are the queue, the clock, which stands where
the nights of the rehearsal have just fallen due, and that a worker waits for a word: it is made
ready in advance, so that one that was killed is replaced at once. The word says how the clock
runs, and whether it jumps.
"""

import os
import random
from datetime import datetime, timedelta

from celery.signals import celeryd_init
from django.conf import settings
from django.utils import timezone

from marketplace.celery import app
from settlements.crashes import broker, orphans
from settlements.crashes.workers import CLOCK, JUMP, NAME

broker.isolate(app, os.environ[NAME], settings.CELERY_BROKER_URL)

_now = timezone.now
_starts = datetime.fromisoformat(os.environ[CLOCK])
_began, _speed, _jumps = 0.0, 1, ""


def _told():
    """The rehearsal's time; where the clock jumps, twice a second to another hour of the day."""
    since = _now().timestamp() - _began if _began else 0
    seconds = since * _speed
    if _jumps:
        chance = random.Random(f"{_jumps}/{int(since * 2)}")  # noqa: S311
        seconds += chance.uniform(-JUMP, JUMP)
    return _starts + timedelta(seconds=seconds)


timezone.now = _told


@celeryd_init.connect(weak=False)
def wait_for_word(**_):
    global _began, _speed, _jumps
    word = b""
    while not word.endswith(b"\n"):
        if not (part := os.read(0, 1)):
            os._exit(0)  # nobody is left to give it
        word += part
    began, speed, _jumps = word.decode().strip("\n").split(" ")
    _began, _speed = float(began), int(speed)
    orphans.end_with_rehearsal()
