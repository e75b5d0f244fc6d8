"""A worker that has stopped fetching ends itself, for its service manager to start it again.

When a broker has restarted twice within moments, Celery's consumer may go on waiting on a
connection that is gone, with work on the broker and nothing in hand; only a new process helps.
A thread of the worker asks the broker from time to time, over a connection of its own.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from celery import Celery
from celery.worker import state

STATUS: Final = 75  # that the process ends with: a temporary failure, try again
LOOKS: Final = 3  # in a row that find work waiting and nobody fetching it

logger = logging.getLogger(__name__)


@dataclass
class Watch:
    """What was seen at the last look, and how often in a row it was wrong."""

    fetched: int = -1  # messages, by this worker since it started
    wrong: int = 0

    def look(self, *, waiting: int, fetched: int, at_work: int) -> bool:
        """Whether to give up, with so many messages waiting and so many tasks in hand."""
        is_idle = fetched == self.fetched and not at_work
        self.wrong = self.wrong + 1 if waiting and is_idle else 0
        self.fetched = fetched
        return self.wrong >= LOOKS


def start(app: Celery, queues: list[str], *, each: float) -> None:
    """Watch from a thread of this worker, every so many seconds."""
    threading.Thread(target=_watch, args=(app, queues, each, _give_up), daemon=True).start()


def _watch(app: Celery, queues: list[str], each: float, give_up: Callable[[], None]) -> None:
    watch = Watch()
    while True:
        time.sleep(each)
        try:
            waiting = _waiting(app, queues)
        except Exception as error:  # noqa: BLE001
            logger.warning("the broker does not say what waits: %s", type(error).__name__)
            continue
        fetched = state.total_count.total()
        if watch.look(waiting=waiting, fetched=fetched, at_work=len(state.active_requests)):
            give_up()
            return


def _waiting(app: Celery, queues: list[str]) -> int:
    """Messages that the broker holds for these queues and no worker has fetched."""
    with app.connection_for_read(connect_timeout=5) as connection:
        channel = connection.default_channel
        # As Celery declares them, so nothing changes. Asked passively, kombu does not find a queue
        # on a Redis whose keys have a prefix.
        durable = {name: app.amqp.queues[name].durable for name in queues}
        declared = [
            channel.queue_declare(queue=name, durable=durable[name], auto_delete=False)
            for name in queues
        ]
    return sum(each.message_count for each in declared)


def _give_up() -> None:
    logger.critical("work waits on the broker, and this worker does not fetch it: it ends")
    os._exit(STATUS)  # an orderly end would wait for the consumer
