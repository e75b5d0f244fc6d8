"""The floor's own tasks: delivering messages and webhooks, sealing the audit trail, tidying up."""

import logging

from celery import shared_task
from django.utils import timezone
from django.utils.module_loading import import_string

from marketplace import audit, changes, handlers, inbox, outbox, tenancy
from marketplace.api import idempotency
from marketplace.models import Marketplace
from marketplace.webhooks import deliveries, sweeping

logger = logging.getLogger(__name__)

BATCH = 100
LONGEST_WAIT = 10 * 60  # seconds; stays below the broker's visibility timeout


@shared_task
def relay_outbox() -> None:
    """Publish what waits, batch by batch, until nothing does or the broker is down."""
    while outbox.relay(BATCH, at=timezone.now()) == BATCH:
        pass


@shared_task(bind=True, max_retries=None)
def deliver(self, *, marketplace_id: int, message_id: str, topic: str, payload: dict) -> None:
    """Hand one message to its handlers. One that fails neither stops nor undoes the others."""
    if not outbox.begin(message_id):
        logger.error("message parked: %s", message_id, extra={"topic": topic})
        return
    failure = None
    for handler in handlers.TOPICS.get(topic, ()):
        try:
            with tenancy.use(marketplace_id) as marketplace:
                if inbox.once(handler, message_id):
                    import_string(handler)(marketplace, at=timezone.now(), **payload)
        except Exception as error:
            logger.exception("handler failed: %s", handler, extra={"message_id": message_id})
            failure = error
    if failure is not None and outbox.failed(message_id, failure):
        wait = min(10 * 2**self.request.retries, LONGEST_WAIT)
        raise self.retry(exc=failure, countdown=wait)


@shared_task
def seal_audit(*, marketplace_id: int) -> None:
    """Chain the marketplace's audit entries that no block holds yet."""
    with tenancy.use(marketplace_id, even_archived=True):
        audit.seal(at=timezone.now())


@shared_task
def seal_audit_everywhere() -> None:
    """One task per marketplace, so that one failing market holds up no other."""
    for marketplace in Marketplace.objects.open():
        seal_audit.delay(marketplace_id=marketplace.pk)


@shared_task
def forget_answered_requests(*, marketplace_id: int) -> None:
    """Delete idempotency keys that are older than the API keeps them for."""
    with tenancy.use(marketplace_id):
        idempotency.forget(at=timezone.now())


@shared_task
def forget_answered_requests_everywhere() -> None:
    """One task per marketplace, so that one failing market holds up no other."""
    for marketplace in Marketplace.objects.open():
        forget_answered_requests.delay(marketplace_id=marketplace.pk)


@shared_task
def sweep_webhooks() -> None:
    """Send what is due. What does not come about now is still due at the next tick."""
    sweeping.sweep(now=timezone.now)


@shared_task
def forget_old(*, marketplace_id: int) -> None:
    """Delete changes and webhook deliveries that have been kept long enough."""
    for forget in (deliveries.forget_old, changes.forget_old):
        forgotten = True
        while forgotten:
            with tenancy.use(marketplace_id):
                forgotten = forget(at=timezone.now())


@shared_task
def forget_old_everywhere() -> None:
    """One task per marketplace, so that one failing market holds up no other."""
    for marketplace in Marketplace.objects.open():
        forget_old.delay(marketplace_id=marketplace.pk)
