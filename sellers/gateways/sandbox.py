"""A service for trials and tests that says of a business what its number asks for.

The four digits before the check digit decide, so that the numbers stay valid ones.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from sellers import business_rules
from sellers.gateways.interface import NoAnswer, Said

SUSPENDED: Final = "0002"
CLOSED: Final = "0003"
UNREGISTERED: Final = "0004"
SILENT: Final = "0009"  # a call with such a number is not answered

_CLOSED_ON: Final = date(2026, 1, 31)
_SAYS: Final[Mapping[str, Said]] = {
    SUSPENDED: Said(business_rules.SUSPENDED),
    CLOSED: Said(business_rules.CLOSED, _CLOSED_ON),
    UNREGISTERED: Said(business_rules.UNREGISTERED),
}


class Sandbox:
    def ask(self, numbers: Sequence[str]) -> Mapping[str, Said]:
        if any(_told(number) == SILENT for number in numbers):
            raise NoAnswer("the sandbox was told to be silent")
        return {number: _SAYS.get(_told(number), _OPERATING) for number in numbers}


_OPERATING: Final = Said(business_rules.OPERATING)


def _told(number: str) -> str:
    return number[5:9]
