"""Fees by component, for files that have them in columns: of a statement, and of each of its lines.

Amounts are minor units; of a reversal, and of a fee that is given back, below zero.
"""

from collections.abc import Iterable, Mapping

from settlements import adjustments, rate_cards
from settlements.models import LineTerms, SettlementLine


def codes(components: Iterable[Mapping]) -> list[str]:
    """The components of statements that are fees, in the order in which every form tells them."""
    return sorted({code for each in components for code in each if adjustments.is_fee(code)})


class LineFees:
    """Fee and VAT of lines by component; terms are read once for all lines that share them."""

    def __init__(self) -> None:
        self._components: dict[int, tuple[str, ...]] = {}

    def of(self, lines: Iterable[SettlementLine]) -> list[dict[str, tuple[int, int]]]:
        """What each line is charged, in their order; not for lines of adjustments."""
        lines = list(lines)
        self._read({line.terms_id for line in lines} - self._components.keys())
        return [self._fees(line) for line in lines]

    def _read(self, terms: set[int]) -> None:
        rows = LineTerms.objects.filter(pk__in=terms).values_list("pk", "key") if terms else ()
        for pk, key in rows:
            self._components[pk] = rate_cards.stored_terms(key).components

    def _fees(self, line: SettlementLine) -> dict[str, tuple[int, int]]:
        parts = self._components[line.terms_id]
        fees, vats = line.charges[1::3], line.charges[2::3]
        return {
            code: (fee, tax)
            for code, fee, tax in zip(parts, fees, vats, strict=True)
            if adjustments.is_fee(code)
        }
