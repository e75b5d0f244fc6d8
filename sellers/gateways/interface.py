"""What is asked of a service that knows whether businesses operate, whichever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

MOST_NUMBERS: Final = 100  # in one call


class NoAnswer(Exception):
    """The service did not answer, or not in a way that can be understood."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a service says of a business: a status of business_rules, and when it closed."""

    status: str
    closed_on: date | None = None


class BusinessService(Protocol):
    """Called outside any transaction."""

    def ask(self, numbers: Sequence[str]) -> Mapping[str, Said]:
        """The status of each of at most MOST_NUMBERS numbers of ten digits. Raises NoAnswer.

        A number that the service leaves out is not in the answer.
        """
