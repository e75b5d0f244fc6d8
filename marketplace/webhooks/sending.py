"""One HTTP request to a receiver, outside any database transaction. What it means: deliveries."""

import re
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore

from marketplace.webhooks import targets
from marketplace.webhooks.targets import NotATarget

SECONDS: Final = 15  # for everything: name, connection, request and answer
KEPT: Final = 8 * 1024  # bytes of the answer
_PERSONAL: Final = (
    re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),  # mail addresses
    re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"),
    re.compile(r"\b(whsec|mpk|sk|pk)_[\w/+=-]+"),
    re.compile(r"\b\d(?:[ -]?\d){6,}\b"),  # telephone, card and account numbers
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status, or a word for why there was none."""

    outcome: str
    milliseconds: int
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return len(self.outcome) == 3 and self.outcome.startswith("2")


def post(url: str, body: bytes, headers: dict[str, str], *, trust=None) -> Answer:
    """Send a request and read at most KEPT bytes of the answer. Raises nothing that a receiver
    can cause.

    `trust` are the certificates to trust instead of the usual ones.
    """
    began = time.monotonic()
    backend = targets.Guarded(began + SECONDS)
    context = trust or ssl.create_default_context()
    given = {"content-type": "application/json", "user-agent": "Jangteo-Webhooks/1", **headers}
    try:
        targets.check(url)
        with (
            httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
            pool.stream("POST", url, headers=list(given.items()), content=body) as response,
        ):
            outcome, text = str(response.status), _read(response)
            kept = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
                if name.lower() == b"retry-after"
            }
    except NotATarget:
        outcome, text, kept = "target_refused", "", {}
    except httpcore.TimeoutException:
        outcome, text, kept = "timeout", "", {}
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
        is_tls = isinstance(error, ssl.SSLError) or "SSL" in str(error) or "CERT" in str(error)
        outcome, text, kept = "tls_failed" if is_tls else "unreachable", "", {}
    return Answer(outcome, int((time.monotonic() - began) * 1000), redacted(text), kept)


def redacted(text: str) -> str:
    """An answer without what looks like personal data or a secret."""
    for pattern in _PERSONAL:
        text = pattern.sub("…", text)
    return text


def retry_after(answer: Answer, *, at: datetime) -> float | None:
    """How many seconds the receiver asks for, where it does."""
    text = answer.headers.get("retry-after", "").strip()
    if not text or answer.outcome not in ("429", "503"):
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max((parsedate_to_datetime(text) - at).total_seconds(), 0)
    except (TypeError, ValueError):
        return None


def _read(response: httpcore.Response) -> str:
    found = b""
    for part in response.iter_stream():
        found += part
        if len(found) >= KEPT:
            break
    # PostgreSQL stores no NUL in text.
    return found[:KEPT].decode("utf-8", "replace").replace("\0", "")
