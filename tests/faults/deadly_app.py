"""The rehearsal's Celery app with a seller whose settlement kills the process that tries it."""

import os
import signal

from celery.signals import worker_process_init

from settlements.crashes.app import app

__all__ = ["app"]


@worker_process_init.connect(weak=False)
def make_deadly(**_):
    from settlements import runs  # models can be imported only now

    settle = runs.settle

    def settle_or_die(*, on, first_seller, end_seller):
        if first_seller <= int(os.environ["JANGTEO_DEADLY_SELLER"]) < end_seller:
            os.kill(os.getpid(), signal.SIGKILL)  # as a machine out of memory does
        return settle(on=on, first_seller=first_seller, end_seller=end_seller)

    runs.settle = settle_or_die
