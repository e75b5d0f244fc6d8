"""What has to be sent to an endpoint, when, and what becomes of an attempt.

A delivery is claimed in one transaction, sent outside any, and its outcome recorded in another;
a worker that dies in between leaves a claim that runs out. An endpoint that keeps failing is
paused for longer and longer, so that it costs little; one that answers 410 is disabled.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from marketplace import audit, changes, identifiers
from marketplace.changes import BadCursor, Cursor
from marketplace.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from marketplace.refusals import Refused, gettext_noop
from marketplace.webhooks import endpoints, sending, signing

TEST: Final = "webhook.test"
_MINUTE, _HOUR = 60, 3600
WAITS: Final = (  # seconds before each attempt
    *(0, 5, 5 * _MINUTE, 30 * _MINUTE),
    *(hours * _HOUR for hours in (2, 5, 10, 14, 20, 24)),
)
AT_ONCE: Final = 2  # requests to one endpoint
CLAIMED_FOR: Final = timedelta(seconds=60)  # longer than any request takes
PAUSED_AFTER: Final = 5  # failures in a row
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(hours=24)
KEPT_FOR: Final = timedelta(days=30)
BATCH: Final = 1_000


class EndpointDisabled(Refused):
    code = "webhook_endpoint_disabled"
    message = gettext_noop("The endpoint is disabled. Enable it first.")


class StillWaiting(Refused):
    code = "webhook_delivery_waiting"
    message = gettext_noop("This message is still waiting for its next attempt.")


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that an attempt needs: nothing is read from the database while it is made."""

    delivery_id: int
    number: int
    url: str
    message_id: str
    body: bytes
    secrets: list[str]

    def send(self, *, at: datetime) -> sending.Answer:
        headers = signing.headers(self.message_id, int(at.timestamp()), self.body, self.secrets)
        return sending.post(self.url, self.body, headers)


def latest(own: Iterable[WebhookEndpoint], most: int) -> list[WebhookDelivery]:
    """The newest deliveries of some endpoints, each with its endpoint; no more of any is read."""
    endpoints_by_id = {endpoint.pk: endpoint for endpoint in own}
    newest = [
        WebhookDelivery.objects.filter(endpoint_id=key).order_by("-pk")[:most]
        for key in endpoints_by_id
    ]
    if not newest:
        return []
    first, *others = newest
    rows = list(first.union(*others, all=True).order_by("-pk")[:most]) if others else list(first)
    for row in rows:
        row.endpoint = endpoints_by_id[row.endpoint_id]
    return rows


@transaction.atomic
def fan_out(endpoint_id: int, *, at: datetime) -> bool:
    """Make deliveries of what the feed has for an endpoint; True when there is more of it."""
    endpoint = _enabled(endpoint_id, skip_locked=True)
    if endpoint is None:
        return False
    after = Cursor(endpoint.after_transaction, endpoint.after_change)
    try:
        page = changes.page(after, limit=BATCH, seller_id=endpoint.seller_id)
    except BadCursor:  # the database was restored into another one, whose feed begins anew
        page = changes.page(Cursor(), limit=BATCH, seller_id=endpoint.seller_id)
    if not page.changes:
        return False
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                endpoint=endpoint,
                message_id=change.public_id,
                type=change.type,
                body=changes.told(change),
                due_at=at,
            )
            for change in page.changes
            if not endpoint.types or change.type in endpoint.types
        ],
        ignore_conflicts=True,
    )
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        after_transaction=page.cursor.transaction, after_change=page.cursor.id
    )
    return page.has_more


@transaction.atomic
def claim(endpoint_id: int, *, at: datetime) -> Claimed | None:
    """Take the next delivery that is due, counting the attempt; None when none may be sent now."""
    endpoint = _enabled(endpoint_id)
    if endpoint is None or (endpoint.paused_until is not None and at < endpoint.paused_until):
        return None
    waiting = endpoint.deliveries.waiting()
    allowed = 1 if endpoint.failures >= PAUSED_AFTER else AT_ONCE
    if waiting.filter(claimed_until__gt=at).count() >= allowed:
        return None
    due = waiting.filter(due_at__lte=at).exclude(claimed_until__gt=at)
    delivery = due.order_by("due_at", "pk").first()
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.claimed_until = at + CLAIMED_FOR
    delivery.save(update_fields=["attempts", "claimed_until"])
    return Claimed(
        delivery.pk,
        delivery.attempts,
        endpoint.url,
        delivery.message_id,
        text_of(delivery).encode(),
        endpoints.secrets_of(endpoint, at=at),
    )


@transaction.atomic
def record(claimed: Claimed, answer: sending.Answer, *, at: datetime) -> None:
    """Write down how an attempt ended, and what comes next: nothing, another one, or the end."""
    delivery = WebhookDelivery.objects.filter(pk=claimed.delivery_id).first()
    if delivery is None:  # deleted with its endpoint meanwhile
        return
    endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).get(pk=delivery.endpoint_id)
    delivery.refresh_from_db()
    WebhookAttempt.objects.create(
        delivery=delivery,
        at=at,
        outcome=answer.outcome,
        milliseconds=answer.milliseconds,
        answer=answer.text,
    )
    if delivery.due_at is None:  # over already: disabled, or another attempt arrived
        return
    if answer.is_success:
        _end(delivery, answer, delivered_at=at)
        endpoint.failures, endpoint.paused_until = 0, None
    elif delivery.attempts == claimed.number:  # else a later attempt decides
        _retry(delivery, endpoint, answer, at)
    endpoint.save(update_fields=["failures", "paused_until"])
    if answer.outcome == "410" and endpoint.state == WebhookEndpoint.State.ENABLED:
        endpoints.disable(endpoint, by=None, at=at, reason="410")


@transaction.atomic
def replay(delivery: WebhookDelivery, *, by, at: datetime) -> None:
    """Send a message once more: the same id, a new time, the whole schedule.

    Raises EndpointDisabled, or StillWaiting.
    """
    endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).get(pk=delivery.endpoint_id)
    _refuse_disabled(endpoint)
    over = WebhookDelivery.objects.filter(pk=delivery.pk, due_at__isnull=True)
    if not _begin_anew(over, at):
        raise StillWaiting()
    audit.record("webhookdelivery.replayed", by=by, at=at, obj=delivery)


@transaction.atomic
def replay_range(
    endpoint: WebhookEndpoint,
    *,
    since: datetime,
    until: datetime,
    by,
    at: datetime,
    only_dead: bool = True,
) -> int:
    """Send again what was made in a half-open span of time; returns how many messages.

    Raises EndpointDisabled.
    """
    endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).get(pk=endpoint.pk)
    _refuse_disabled(endpoint)
    over = endpoint.deliveries.filter(
        due_at__isnull=True, created_at__gte=since, created_at__lt=until
    )
    if only_dead:
        over = over.dead()
    count = _begin_anew(over, at)
    data = {"since": since.isoformat(), "until": until.isoformat(), "count": count}
    audit.record("webhookendpoint.replayed", by=by, at=at, obj=endpoint, data=data)
    return count


@transaction.atomic
def send_test(endpoint: WebhookEndpoint, *, by, at: datetime) -> WebhookDelivery:
    """Have a test message sent. Raises EndpointDisabled."""
    _refuse_disabled(endpoint)
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint,
        message_id=identifiers.public_id("evt"),
        type=TEST,
        body={"type": TEST, "timestamp": at.isoformat(), "data": {"id": endpoint.public_id}},
        due_at=at,
    )
    audit.record("webhookendpoint.tested", by=by, at=at, obj=endpoint)
    return delivery


def text_of(delivery: WebhookDelivery) -> str:
    """The body as it is sent, the same at each attempt."""
    return json.dumps(delivery.body, ensure_ascii=False, sort_keys=True)


def forget_old(*, at: datetime) -> int:
    """Delete some deliveries of long ago, with their log; to be repeated until none are left."""
    oldest = WebhookDelivery.objects.order_by("pk").values_list("pk", "created_at")[:BATCH]
    old = [pk for pk, created_at in oldest if created_at < at - KEPT_FOR]
    WebhookDelivery.objects.filter(pk__in=old).delete()
    return len(old)


def _enabled(endpoint_id: int, *, skip_locked: bool = False) -> WebhookEndpoint | None:
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), skip_locked=skip_locked)
    return rows.filter(pk=endpoint_id, state=WebhookEndpoint.State.ENABLED).first()


def _retry(
    delivery: WebhookDelivery, endpoint: WebhookEndpoint, answer: sending.Answer, at: datetime
) -> None:
    endpoint.failures += 1
    if endpoint.failures >= PAUSED_AFTER:
        doubled = FIRST_PAUSE * 2 ** min(endpoint.failures - PAUSED_AFTER, 10)
        endpoint.paused_until = at + min(doubled, LONGEST_PAUSE)
    asked = sending.retry_after(answer, at=at)
    if asked is not None:
        pause = min(timedelta(seconds=asked), LONGEST_PAUSE)
        endpoint.paused_until = max(endpoint.paused_until or at, at + pause)
    if answer.outcome == "410" or delivery.attempts >= len(WAITS):
        _end(delivery, answer, dead_at=at)
        return
    # Jitter, so that what failed together does not come back together.
    seconds = WAITS[delivery.attempts] * random.uniform(0.9, 1.1)  # noqa: S311 (no secret)
    wait = min(timedelta(seconds=max(seconds, asked or 0)), LONGEST_WAIT * 1.1)
    delivery.due_at, delivery.claimed_until = at + wait, None
    delivery.last_outcome = answer.outcome
    delivery.save(update_fields=["due_at", "claimed_until", "last_outcome"])


def _end(delivery: WebhookDelivery, answer: sending.Answer, **ended: datetime) -> None:
    delivery.due_at = delivery.claimed_until = None
    delivery.last_outcome = answer.outcome
    for name, value in ended.items():
        setattr(delivery, name, value)
    delivery.save(update_fields=["due_at", "claimed_until", "last_outcome", *ended])


def _begin_anew(rows, at: datetime) -> int:
    return rows.update(due_at=at, attempts=0, delivered_at=None, dead_at=None, claimed_until=None)


def _refuse_disabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.state != WebhookEndpoint.State.ENABLED:
        raise EndpointDisabled()
