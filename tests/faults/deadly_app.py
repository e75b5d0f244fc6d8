"""The rehearsal's Celery app with work that kills the process that tries it.

Of one seller the settlement; of one marketplace the daily figures, which is a step of no shards.
"""

import os
import signal

from celery.signals import worker_process_init

from settlements.crashes.app import app

__all__ = ["app"]


@worker_process_init.connect(weak=False)
def make_deadly(**_):
    from marketplace import tenancy  # models can be imported only now
    from orders import performance
    from settlements import runs

    settle, record_days = runs.settle, performance.record_days

    def settle_or_die(*, on, first_seller, end_seller):
        if first_seller <= int(os.environ.get("JANGTEO_DEADLY_SELLER", -1)) < end_seller:
            _die()
        return settle(on=on, first_seller=first_seller, end_seller=end_seller)

    def record_or_die(on):
        if tenancy.current_id() == int(os.environ.get("JANGTEO_DEADLY_MARKETPLACE", -1)):
            _die()
        return record_days(on)

    runs.settle, performance.record_days = settle_or_die, record_or_die


def _die():
    os.kill(os.getpid(), signal.SIGKILL)  # as a machine out of memory does
