"""Sends everywhere what is due: called every few seconds, by as many workers as there may be.

Endpoints are served side by side, each by as many threads as it may get requests at once, so that
a slow receiver holds up nobody but itself. Claims in the database keep two sweeps apart.
"""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import connections
from django_scopes import scopes_disabled

from marketplace import tenancy
from marketplace.models import Marketplace, WebhookEndpoint
from marketplace.webhooks import deliveries

logger = logging.getLogger(__name__)

THREADS = 8
CLAIMS_FOR = 5  # seconds in which a sweep begins requests; the next sweep begins the others


def sweep(*, now: Callable[[], datetime]) -> int:
    """Make deliveries of what the feed has, and send what is due; returns how many were sent."""
    found = _endpoints()
    for marketplace_id, endpoint_id in found:
        try:
            _fan_out(marketplace_id, endpoint_id, now)
        except Exception:
            logger.exception("webhook endpoint %s has no deliveries", endpoint_id)
    return _send(found, now)


def _endpoints() -> list[tuple[int, int]]:
    """The enabled endpoints of all marketplaces that are not archived."""
    with scopes_disabled():
        rows = WebhookEndpoint.objects.using("platform").filter(
            state=WebhookEndpoint.State.ENABLED,
            marketplace__in=Marketplace.objects.using("platform").open(),
        )
        return list(rows.order_by("pk").values_list("marketplace_id", "pk"))


def _fan_out(marketplace_id: int, endpoint_id: int, now: Callable[[], datetime]) -> None:
    has_more = True
    while has_more:
        with tenancy.use(marketplace_id):
            has_more = deliveries.fan_out(endpoint_id, at=now())


def _send(found: Iterable[tuple[int, int]], now: Callable[[], datetime]) -> int:
    until = time.monotonic() + CLAIMS_FOR
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks") as threads:
        works = [
            threads.submit(_serve, *place, now, until)
            for _ in range(deliveries.AT_ONCE)
            for place in found
        ]
        return sum(work.result() for work in works)


def _serve(marketplace_id: int, endpoint_id: int, now: Callable[[], datetime], until: float) -> int:
    """Send to one endpoint, one after the other; returns how many requests there were."""
    sent = 0
    try:
        while time.monotonic() < until:
            with tenancy.use(marketplace_id, durable=True):
                claimed = deliveries.claim(endpoint_id, at=now())
            if claimed is None:
                break
            answer = claimed.send(at=now())
            with tenancy.use(marketplace_id, durable=True):
                deliveries.record(claimed, answer, at=now())
            sent += 1
    except Exception:
        logger.exception("webhook endpoint %s could not be served", endpoint_id)
    finally:
        connections.close_all()  # this thread's
    return sent
