"""A payout provider that is called over HTTPS, in the manner of Toss Payments.

Bodies are encrypted both ways (encrypted_bodies). A transfer is named by our reference: the
provider takes one of each, is asked by it, and names it in its events (settlements.payout_events).
Only what the provider has surely not taken is told as failed. Whatever else is no clear answer is
none: the transfer is asked about, and never sent again.
"""

import base64
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpcore
from django.utils import timezone

from marketplace.webhooks import targets
from settlements.gateways import encrypted_bodies
from settlements.gateways.interface import Answer, NoAnswer, Outcome
from settlements.payout_connections import CURRENCY, Access
from settlements.payout_rules import REFUSED_BY_PROVIDER
from settlements.transfer_files import Transfer

SECONDS: Final = 60  # the provider asks its callers to wait that long
MOST_BYTES: Final = 1_000_000
LONGEST_MEMO: Final = 7  # letters that the provider writes on the seller's account
_OUTCOMES: Final = {
    "REQUESTED": Outcome.ACCEPTED,
    "IN_PROGRESS": Outcome.ACCEPTED,
    "COMPLETED": Outcome.PAID,
    "FAILED": Outcome.FAILED,
    "CANCELED": Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class PayoutApi:
    access: Access
    seconds: float = SECONDS
    writes_file = False

    def send(self, transfer: Transfer) -> Answer:
        status, said = self._call("POST", "/payouts", _asked(transfer), transfer.reference)
        if 200 <= status < 300:
            if found := _answer(said, transfer.reference):
                return found
        elif 400 <= status < 500:
            code, words = _error(said)
            if code in REFUSED_BY_PROVIDER:
                return Answer(Outcome.FAILED, code, words)
        raise NoAnswer(f"the provider answered {status}")

    def ask(self, reference: str) -> Answer | None:
        status, said = self._call("GET", f"/payouts?refPayoutId={quote(reference)}")
        if not 200 <= status < 300:
            raise NoAnswer(f"the provider answered {status}")
        return _answer(said, reference) or Answer(Outcome.NOT_FOUND)

    def holder_of(self, bank: str, number: str) -> str | None:
        return None  # the provider compares it by itself

    def _call(self, method: str, path: str, body: Any = None, once: str = "") -> tuple[int, Any]:
        """Status and opened body of an answer. Raises NoAnswer."""
        token = base64.b64encode(f"{self.access.secret_key}:".encode()).decode()
        headers = {
            "Authorization": f"Basic {token}",
            "TossPayments-api-security-mode": "ENCRYPTION",
        }
        content = b""
        if body is not None:
            at = timezone.localtime()
            content = encrypted_bodies.seal(body, self.access.security_key, at=at).encode()
            headers |= {"Content-Type": "text/plain", "Idempotency-Key": once}
        status, answer = self._fetch(method, path, headers, content)
        try:
            return status, encrypted_bodies.unseal(answer, self.access.security_key)
        except encrypted_bodies.Unreadable as error:
            raise NoAnswer(f"the provider's answer {status} cannot be read: {error}") from None

    def _fetch(self, method: str, path: str, headers: dict[str, str], content: bytes):
        backend = targets.Guarded(time.monotonic() + self.seconds)
        context = ssl.create_default_context()
        try:
            targets.check(self.access.url)
            with (
                httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
                pool.stream(
                    method, self.access.url + path, headers=list(headers.items()), content=content
                ) as response,
            ):
                found = b""
                for part in response.iter_stream():
                    found += part
                    if len(found) > MOST_BYTES:
                        raise NoAnswer("the provider's answer is too long")
                return response.status, found
        except targets.NotATarget:
            raise NoAnswer("the provider's address is not public") from None
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            OSError,
        ) as error:
            raise NoAnswer(type(error).__name__) from None


def _asked(transfer: Transfer) -> list[dict[str, Any]]:
    """What the provider is asked for. Amounts of won are whole: there is no smaller unit."""
    return [
        {
            "refPayoutId": transfer.reference,
            "destination": {
                "bankCode": transfer.bank,
                "accountNumber": transfer.number,
                "holderName": transfer.holder,
            },
            "scheduleType": "EXPRESS",
            "amount": {"currency": CURRENCY, "value": transfer.amount},
            "transactionDescription": transfer.memo[:LONGEST_MEMO],
        }
    ]


def _answer(said: Any, reference: str) -> Answer | None:
    """What an answer says of our transfer; None where it does not name it, or has no known word.

    Raises NoAnswer for a word that is not known: it may mean anything.
    """
    for payout in _payouts(said):
        if payout.get("refPayoutId") != reference:
            continue
        outcome = _OUTCOMES.get(str(payout.get("status")))
        if outcome is None:
            raise NoAnswer("the provider's state of the payout is not known")
        code, words = _error(payout) if outcome == Outcome.FAILED else ("", "")
        return Answer(outcome, code, words, _won(payout.get("amount")))
    return None


def _payouts(said: Any) -> Iterator[dict[str, Any]]:
    """The payouts of an answer: one, a list, or a list within its envelope."""
    if isinstance(said, dict) and "entityBody" in said:
        said = said["entityBody"]
    if isinstance(said, dict) and "items" in said:
        said = said["items"]
    rows = said if isinstance(said, list) else [said]
    return (row for row in rows if isinstance(row, dict))


def _won(amount: Any) -> int:
    """A whole amount of won; what is none is 0, which no payout is, so that people look at it."""
    if not isinstance(amount, dict) or amount.get("currency") != CURRENCY:
        return 0
    value = amount.get("value")
    if isinstance(value, str):
        whole, _point, rest = value.partition(".")
        value = int(whole) if whole.isascii() and whole.isdigit() and not rest.strip("0") else 0
    return value if type(value) is int and 0 < value < 2**63 else 0


def _error(said: Any) -> tuple[str, str]:
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, words = (str(error.get(name) or "").replace("\0", "") for name in ("code", "message"))
    return code[:60], words[:120]
