"""Messages that must not be lost, from the transaction that caused them to the broker.

`add()` writes a message with the change that it announces. `relay()` publishes what is waiting,
at least once and in no promised order; consumers dedupe (marketplace.inbox). What fails too often
is parked, visible, until somebody calls `replay()`. Who consumes what: marketplace.handlers.

Only the platform role reads across marketplaces and records delivery; the app role inserts.
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django_scopes import scopes_disabled
from kombu.exceptions import OperationalError

from marketplace import audit
from marketplace.celery import app
from marketplace.models import OutboxMessage

PARK_AFTER = 8  # attempts, counted when one begins: a message that kills its worker counts too
# A broker may forget what it took last. What nobody began by then is sent again.
LOST_AFTER = timedelta(hours=1)
TASK = "marketplace.tasks.deliver"


def add(topic: str, **payload) -> UUID:
    """Announce something with the current transaction. `payload` is ids, codes and ISO dates."""
    return OutboxMessage.objects.create(topic=topic, payload=payload).pk


def relay(limit: int = 100, *, at) -> int:
    """Publish up to `limit` waiting messages of all marketplaces; returns how many went out.

    Any number of relays may run: rows that one holds are skipped by the others. A broker that is
    down ends the batch and counts against no message.
    """
    sent = 0
    with scopes_disabled(), transaction.atomic(using="platform"):
        waiting = (
            OutboxMessage.objects.using("platform")
            .filter(
                Q(sent_at__isnull=True, attempts__lt=PARK_AFTER)
                | Q(sent_at__lt=at - LOST_AFTER, attempts=0)
            )
            .select_for_update(skip_locked=True)
            .order_by("created_at")[:limit]
        )
        for message in waiting:
            try:
                _publish(message)
            except OperationalError as error:
                _note(message.pk, last_error=_text(error))
                break
            except Exception as error:  # noqa: BLE001 (one bad message holds up no other)
                _note(message.pk, attempts=F("attempts") + 1, last_error=_text(error))
            else:
                _note(message.pk, sent_at=at, last_error="")
                sent += 1
    return sent


def begin(message_id) -> bool:
    """Count an attempt to deliver. False when there were too many: the message is then parked."""
    if _note(message_id, Q(attempts__lt=PARK_AFTER), attempts=F("attempts") + 1):
        return True
    park(message_id)
    return False


def failed(message_id, error: Exception) -> bool:
    """Keep why an attempt failed. True when another one is due; otherwise it is parked now."""
    _note(message_id, last_error=_text(error))
    return not _note(message_id, Q(attempts__gte=PARK_AFTER), sent_at=None)


def park(message_id) -> None:
    """Take a message out of delivery until somebody replays it."""
    _note(message_id, sent_at=None, attempts=PARK_AFTER)


def replay(message: OutboxMessage, *, by, at, reason="") -> None:
    """Deliver a message once more, under its own id: consumers that acted on it do nothing."""
    audit.record("outboxmessage.replayed", by=by, at=at, obj=message, reason=reason)
    _note(message.pk, sent_at=None, attempts=0)


def _publish(message: OutboxMessage) -> None:
    kwargs = {
        "marketplace_id": message.marketplace_id,
        "message_id": str(message.pk),
        "topic": message.topic,
        "payload": message.payload,
    }
    app.signature(TASK, kwargs=kwargs).apply_async()


def _note(message_id, condition=None, **values) -> int:
    with scopes_disabled():
        messages = OutboxMessage.objects.using("platform").filter(pk=message_id)
        return messages.filter(condition or Q()).update(**values)


def _text(error: Exception) -> str:
    # The kind of error only: its text may quote somebody's data.
    return type(error).__name__
