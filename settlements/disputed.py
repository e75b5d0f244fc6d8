"""What claims hold of the order lines that they are about: the worth of the claimed units.

It is what completing the claim takes back from the seller, by the function that settles reversals
and the terms of the line's own sale. Claims on one line are worth what taking their units back one
after the other comes to, those that are completed first.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from orders import outcomes
from orders.models import Claim
from orders.outcomes import History
from settlements import rate_cards, reversals
from settlements.fees import Terms
from settlements.models import Hold, LineTerms, SettlementLine


@dataclass(frozen=True, slots=True)
class Disputed:
    """The units that a hold keeps of its line, and what they are worth, in minor units."""

    units: int
    worth: int


NOTHING = Disputed(0, 0)


class DisputedLines:
    """The lines of some holds of claims, as closed statements count them.

    An outcome counts once the statement with its line is closed. Units of a completed claim are
    disputed until then: what its completion takes back is not taken yet.
    """

    def __init__(self, holds: Iterable[Hold]):
        holds = [hold for hold in holds if hold.claim_id and hold.order_line_id]
        self._holds = {hold.claim_id: hold.pk for hold in holds}
        self._claims: defaultdict[int, list[Claim]] = defaultdict(list)
        for claim in Claim.objects.filter(pk__in=self._holds).order_by("pk"):
            self._claims[claim.line_id].append(claim)
        self._histories = outcomes.histories(self._claims)
        self._terms = _terms(self._histories)
        self._counted: defaultdict[int, set[int]] = defaultdict(set)

    def count(self, line_id: int, sequences: Iterable[int]) -> None:
        """Count some outcomes of a line from now on."""
        if line_id in self._claims:
            self._counted[line_id].update(sequences)

    def of_line(self, line_id: int) -> dict[int, Disputed]:
        """What holds keep of a line, by their ids; nothing before its sale counts."""
        history, terms = self._histories.get(line_id), self._terms.get(line_id)
        if history is None or terms is None or 0 not in self._counted[line_id]:
            return {}
        return self._shares(line_id, history, terms, self._counted_until(line_id))

    def coming(self, line_id: int) -> dict[int, Disputed]:
        """As `of_line`, but of a sale that does not count yet what holds will keep once it does."""
        history, terms = self._histories.get(line_id), self._terms.get(line_id)
        if history is None or terms is None:
            return {}
        if 0 not in self._counted[line_id]:
            return self._shares(line_id, history, terms, history.last)
        return self.of_line(line_id)

    def _counted_until(self, line_id: int) -> int:
        """The last of the outcomes that count without a gap."""
        counted, last = self._counted[line_id], 0
        while last + 1 in counted:
            last += 1
        return last

    def _shares(
        self, line_id: int, history: History, terms: Terms, counted: int
    ) -> dict[int, Disputed]:
        before = history.units[counted]
        left = len(before.discounts)
        taken_back = left - len(history.units[-1].discounts)
        asking = _asking(self._claims[line_id], left, taken_back)
        worths = reversals.worths(terms, history.sold, before, [units for _, units in asking])
        return {
            self._holds[claim.pk]: Disputed(units, worth)
            for (claim, units), worth in zip(asking, worths, strict=True)
        }


def _asking(claims: Iterable[Claim], left: int, taken_back: int) -> list[tuple[Claim, int]]:
    """Which units of a line each of its claims disputes, in the order they are taken back.

    `taken_back` of the `left` units do not count as gone yet: the claims that were completed last
    have these.
    """
    completed, opened = [], []
    for claim in claims:
        if claim.state in Claim.OPEN_STATES:
            opened.append((claim, claim.quantity))
        elif claim.state == Claim.State.COMPLETED and not claim.is_exchange:
            completed.append(claim)
    underway = []
    for claim in sorted(completed, key=lambda each: (each.completed_on, each.pk), reverse=True):
        units = min(claim.quantity, taken_back)
        taken_back -= units
        underway.append((claim, units))
    found = []
    for claim, units in (*reversed(underway), *opened):
        units = min(units, left)
        left -= units
        found.append((claim, units))
    return found


def _terms(histories: dict[int, History]) -> dict[int, Terms]:
    """By which terms lines were sold; those that are not settled yet are left out."""
    days = {history.basis_on for history in histories.values()}
    sales = SettlementLine.objects.filter(
        order_line_id__in=list(histories), basis_on__in=days, sequence=0
    )
    by_line = dict(sales.values_list("order_line_id", "terms_id"))
    keys = LineTerms.objects.filter(pk__in=set(by_line.values())).values_list("pk", "key")
    terms = {pk: rate_cards.stored_terms(key) for pk, key in keys}
    return {line_id: terms[terms_id] for line_id, terms_id in by_line.items()}
