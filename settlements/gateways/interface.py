"""What payouts ask of a bank, whichever it is.

A bank is told once of a transfer and may be asked about it any number of times, by its reference.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from settlements.transfer_files import Transfer


class Outcome(StrEnum):
    PAID = "paid"
    FAILED = "failed"
    ACCEPTED = "accepted"  # the result comes later
    NOT_FOUND = "not_found"  # the bank knows nothing of it, now


class NoAnswer(Exception):
    """The bank did not answer. Whether it has the transfer is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bank says of a transfer; `code` is its own, `amount` where it names one."""

    outcome: Outcome
    code: str = ""
    said: str = ""
    amount: int | None = None


class Gateway(Protocol):
    """A bank. Called outside any transaction."""

    writes_file: bool  # whether people carry a file to it, and one of results back

    def send(self, transfer: Transfer) -> Answer:
        """Hand over a transfer. Raises NoAnswer."""

    def ask(self, reference: str) -> Answer | None:
        """What became of a transfer; None where this bank cannot be asked. Raises NoAnswer."""

    def holder_of(self, bank: str, number: str) -> str | None:
        """The name on an account; None where this bank does not tell. Raises NoAnswer."""
