"""Where a marketplace or a seller wants its changes sent, and with which secret they are signed.

A secret is shown once, when it is made. While one is replaced, messages are signed with both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from marketplace import audit, changes, sealing, states, tenancy
from marketplace.models import WebhookEndpoint
from marketplace.refusals import Refused, gettext_noop
from marketplace.webhooks import signing, targets

State = WebhookEndpoint.State

MOST: Final = 20  # endpoints of one marketplace or one seller
OVERLAP: Final = timedelta(hours=24)


class TooMany(Refused):
    code = "too_many_webhook_endpoints"
    message = gettext_noop("There are %(most)s endpoints already. Delete one first.")


class TextTooLong(Refused):
    code = "text_too_long"
    message = gettext_noop("The text is too long.")


@dataclass(frozen=True, slots=True)
class Made:
    """An endpoint with its secret, which is known at this moment only."""

    endpoint: WebhookEndpoint
    secret: str


def of(seller_id: int | None):
    """The endpoints of a seller, or with None the marketplace's own."""
    return WebhookEndpoint.objects.filter(seller_id=seller_id).order_by("pk")


@transaction.atomic
def create(
    url: str,
    *,
    types: Iterable[str] = (),
    description: str = "",
    seller_id: int | None = None,
    by,
    at: datetime,
) -> Made:
    """Have changes sent to an address from now on: those of the types, or all of them.

    Raises targets.NotATarget, changes.UnknownType, TextTooLong or TooMany.
    """
    targets.check(url)
    types = _known(types)
    if len(url) > 500 or len(description) > 200:
        raise TextTooLong(field="url" if len(url) > 500 else "description")
    if of(seller_id).count() >= MOST:
        raise TooMany(most=MOST)
    now = changes.horizon()
    endpoint = WebhookEndpoint(
        marketplace_id=tenancy.current_id(),
        seller_id=seller_id,
        url=url,
        types=types,
        description=description,
        after_transaction=now.transaction,
        after_change=now.id,
    )
    secret = signing.new_secret()
    sealing.seal(endpoint, secret=secret)
    endpoint.save(force_insert=True)
    audit.record("webhookendpoint.created", by=by, at=at, obj=endpoint, data={"types": types})
    return Made(endpoint, secret)


@transaction.atomic
def edit(
    endpoint: WebhookEndpoint, *, url: str, types: Iterable[str], description: str, by, at: datetime
) -> WebhookEndpoint:
    """Change where to and what is sent. What already waits goes to the new address.

    Raises targets.NotATarget, changes.UnknownType or TextTooLong.
    """
    targets.check(url)
    if len(url) > 500 or len(description) > 200:
        raise TextTooLong(field="url" if len(url) > 500 else "description")
    endpoint = _locked(endpoint)
    endpoint.url, endpoint.types, endpoint.description = url, _known(types), description
    endpoint.save(update_fields=["url", "types", "description"])
    audit.record("webhookendpoint.edited", by=by, at=at, obj=endpoint)
    return endpoint


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, by, at: datetime) -> Made:
    """Make a new secret. For OVERLAP from now, messages are signed with the old one as well."""
    endpoint = _locked(endpoint)
    secret = signing.new_secret()
    sealing.seal(endpoint, old_secret=sealing.reveal(endpoint, "secret"))
    sealing.seal(endpoint, secret=secret)
    endpoint.old_secret_until = at + OVERLAP
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    audit.record("webhookendpoint.secret_rotated", by=by, at=at, obj=endpoint)
    return Made(endpoint, secret)


@transaction.atomic
def disable(endpoint: WebhookEndpoint, *, by, at: datetime, reason: str = "") -> WebhookEndpoint:
    """Send nothing more. What waits is given up, and can be replayed later."""
    endpoint = _locked(endpoint)
    changed = {"disabled_for": reason[:200]}
    states.move(endpoint, State.DISABLED, by=by, at=at, reason=reason, changes=changed)
    endpoint.deliveries.waiting().update(
        due_at=None, claimed_until=None, dead_at=at, last_outcome="endpoint_disabled"
    )
    return endpoint


@transaction.atomic
def enable(endpoint: WebhookEndpoint, *, by, at: datetime) -> WebhookEndpoint:
    """Send again, what happens from now on. What was missed is in the feed."""
    endpoint = _locked(endpoint)
    now = changes.horizon()
    changed = {
        "disabled_for": "",
        "failures": 0,
        "paused_until": None,
        "after_transaction": now.transaction,
        "after_change": now.id,
    }
    states.move(endpoint, State.ENABLED, by=by, at=at, changes=changed)
    return endpoint


@transaction.atomic
def delete(endpoint: WebhookEndpoint, *, by, at: datetime) -> None:
    """Forget an endpoint, with what was sent to it."""
    endpoint = _locked(endpoint)
    audit.record("webhookendpoint.deleted", by=by, at=at, obj=endpoint)
    endpoint.delete()


def secrets_of(endpoint: WebhookEndpoint, *, at: datetime) -> list[str]:
    """What messages are signed with now, the newest first."""
    found = [sealing.reveal(endpoint, "secret")]
    if endpoint.old_secret_until is not None and at < endpoint.old_secret_until:
        found.append(sealing.reveal(endpoint, "old_secret"))
    return found


def _known(types: Iterable[str]) -> list[str]:
    types = sorted(set(types))
    if unknown := set(types) - changes.TYPES.keys():
        raise changes.UnknownType(type=min(unknown)[:60], field="types")
    return types


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update(of=("self",)).get(pk=endpoint.pk)
