"""Events that a payout provider sends: somebody's payout has changed.

An event is believed that it comes from the provider, and nothing more: it makes us ask what became
of the payout. So it does not matter in which order events arrive, how often, or how late.
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from marketplace import inbox, outbox
from settlements import payout_connections, payout_exceptions
from settlements.models import Payout, PayoutConnection, PayoutException

TOPIC: Final = "payout.changed"  # by which the outbox has a worker ask
CONSUMER: Final = "payout_events"
SENT_WITHIN: Final = timedelta(minutes=10)  # what is older is a replay; asking does not need it
KEYS_KEPT_FOR: Final = timedelta(days=1)  # a provider may sign with a replaced key for a while
MOST_BYTES: Final = 64 * 1024
_EVENT: Final = "payout.changed"


@transaction.atomic
def take(body: bytes, *, sent_at: str, signature: str, at: datetime) -> bool:
    """Take an event of the marketplace in use. False for what is to be refused, whatever is wrong.

    A second delivery does nothing. An event about a payout that nobody knows is kept for people.
    """
    if not _is_timely(sent_at, at) or not _is_signed(body, sent_at, signature, at):
        return False
    reference = _reference(body)
    if reference is None:
        return True  # about something else that the provider tells
    payout_id = Payout.objects.filter(public_id=reference).values_list("pk", flat=True).first()
    if not inbox.once(CONSUMER, hashlib.sha256(body).hexdigest()):
        return payout_id is not None
    if payout_id is None:
        payout_exceptions.raise_unknown(
            reference, PayoutException.Kind.UNKNOWN_ID, at=at, source="webhook"
        )
        return False
    outbox.add(TOPIC, payout_id=payout_id)
    return True


def sign(body: bytes, sent_at: str, key: str) -> str:
    """What the provider writes beside an event that it sends at a moment."""
    return f"v1:{base64.b64encode(_digest(bytes.fromhex(key), body, sent_at)).decode()}"


def _is_timely(sent_at: str, at: datetime) -> bool:
    try:
        sent = datetime.fromisoformat(sent_at)
    except ValueError:
        return False
    return sent.tzinfo is not None and abs(at - sent) <= SENT_WITHIN


def _is_signed(body: bytes, sent_at: str, signature: str, at: datetime) -> bool:
    """Whether a key of ours signed it. The provider writes one signature for each of its keys."""
    version, _colon, texts = signature.partition(":")
    if version != "v1":
        return False
    given = [found for text in texts.split(",")[:4] if (found := _decoded(text))]
    keys = [
        key
        for row in PayoutConnection.objects.believed(at - KEYS_KEPT_FOR)
        for key in _keys(payout_connections.access_of(row).security_key)
    ]
    wanted = [_digest(key, body, sent_at) for key in keys]
    return any(hmac.compare_digest(one, other) for one in given for other in wanted)


def _keys(security_key: str) -> tuple[bytes, bytes]:
    """The key as bytes, and as the text that it is written in: providers' examples use either."""
    return bytes.fromhex(security_key), security_key.encode()


def _digest(key: bytes, body: bytes, sent_at: str) -> bytes:
    return hmac.new(key, body + b":" + sent_at.encode(), hashlib.sha256).digest()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip().removeprefix("v1:"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _reference(body: bytes) -> str | None:
    """Which payout an event is about; None for one that is about none."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("eventType") != _EVENT:
        return None
    about = said.get("entityBody", said.get("data"))
    reference = about.get("refPayoutId") if isinstance(about, dict) else None
    return reference.replace("\0", "")[:60] if isinstance(reference, str) and reference else None
