"""The rehearsal's Celery app, sending to this machine, and waiting for seconds instead of hours."""

from datetime import timedelta

from celery.signals import worker_process_init
from django.conf import settings

from settlements.crashes.app import app

__all__ = ["app"]


@worker_process_init.connect(weak=False)
def make_hasty(**_):
    from marketplace.webhooks import deliveries  # models can be imported only now

    settings.WEBHOOKS_TO_LOOPBACK = True
    deliveries.CLAIMED_FOR = timedelta(seconds=2)
    deliveries.WAITS = (0, 0.2, 0.5, *[1] * 30)
    deliveries.FIRST_PAUSE = deliveries.LONGEST_PAUSE = timedelta(seconds=0.5)
