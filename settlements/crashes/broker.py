"""A queue of one's own on a broker that others use as well, and its removal."""

from celery import Celery
from kombu import Connection


def isolate(app: Celery, name: str, broker: str) -> None:
    """Have an app send and fetch under `name` alone, whatever else the broker carries."""
    app.conf.update(task_default_queue=name, task_queues=None, task_routes=None)
    app.conf.worker_enable_remote_control = False  # its mailboxes are shared by all workers
    if _has_keys(broker):
        options = app.conf.broker_transport_options or {}
        app.conf.broker_transport_options = {**options, "global_keyprefix": f"{name}:"}


def lose_messages(app: Celery) -> None:
    """Drop what waits in the queue of an isolated app."""
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection.default_channel)
        queue.declare()
        queue.purge()


def forget(name: str, broker: str) -> None:
    """Remove what `isolate` had the broker keep."""
    with Connection(broker) as connection:
        channel = connection.default_channel
        if _has_keys(broker):
            for key in channel.client.scan_iter(match=f"{name}:*", count=1000):
                channel.client.delete(key)
        else:
            channel.queue_delete(name)
            channel.exchange_delete(name)


def _has_keys(broker: str) -> bool:
    return broker.startswith(("redis", "valkey"))
