"""How much of a seller's money holds keep back when a statement closes, and how much comes back.

Several holds on one subject (an order line) hold it once, by the largest of them; but those that
are of parts of it (of the units that a claim is about) are of different parts, and add up. So do
holds on other subjects, and holds of an amount. A hold never makes debt: what the statement has too
little of waits, and the next one takes it. Amounts are minor units. What each hold asks for is
told by settlements.hold_book. Source: the settlement arithmetic, section 9.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from marketplace.refusals import Refused, gettext_noop


class HoldBelowZero(Refused):
    code = "hold_below_zero"
    message = gettext_noop("What a hold asks for and has taken is never below zero: %(amount)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A hold as a closing statement meets it.

    `wanted` is what it is to keep back in all, nothing once it was released; `taken` is what
    statements keep back for it already. Holds of one `subject` hold the same money, but those
    that are a part of it hold money of their own.
    """

    hold_id: int
    subject: str
    wanted: int
    taken: int
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes back and what is asked for, by hold; both in the order in which holds were made.

    `released` enters the statement whatever it comes to; of `asked` it gives what it can.
    """

    released: Mapping[int, int]
    asked: Mapping[int, int]

    @property
    def released_sum(self) -> int:
        return sum(self.released.values())

    @property
    def asked_sum(self) -> int:
        return sum(self.asked.values())

    def filled(self, amount: int) -> dict[int, int]:
        """Which holds get `amount`, what a statement can give of what was asked: oldest first."""
        found = {}
        for hold_id, asked in self.asked.items():
            if given := min(asked, amount):
                found[hold_id] = given
                amount -= given
        return found


def plan(holds: Iterable[Asking]) -> Plan:
    """What the holds of one seller ask of the next statement. Refuses amounts below zero."""
    by_subject: dict[str, list[Asking]] = {}
    for hold in sorted(holds, key=lambda hold: hold.hold_id):
        for amount in (hold.wanted, hold.taken):
            if amount < 0:
                raise HoldBelowZero(amount=amount)
        by_subject.setdefault(hold.subject, []).append(hold)
    released: dict[int, int] = {}
    asked: dict[int, int] = {}
    for same in by_subject.values():
        whole = max((hold for hold in same if not hold.is_part), key=_wanted, default=None)
        parts = [hold for hold in same if hold.is_part]
        wanted = max(whole.wanted if whole else 0, sum(map(_wanted, parts)))
        taken = sum(hold.taken for hold in same)
        released.update(_given_back(same, taken - wanted))
        if whole and whole.wanted == wanted > taken:
            asked[whole.hold_id] = wanted - taken
        else:
            asked.update(_asked(parts, wanted - taken))
    return Plan(dict(sorted(released.items())), dict(sorted(asked.items())))


def _wanted(hold: Asking) -> int:
    return hold.wanted


def _asked(parts: list[Asking], missing: int) -> dict[int, int]:
    """Which parts of a subject ask for what is missing of it: the oldest that lack something."""
    found = {}
    for hold in parts:
        if (asked := min(hold.wanted - hold.taken, missing)) > 0:
            found[hold.hold_id] = asked
            missing -= asked
    return found


def _given_back(same: list[Asking], too_much: int) -> dict[int, int]:
    """Which holds of a subject give back what is held too much: those that want least first.

    Before that each gives back what it has taken beyond its own want.
    """
    found: dict[int, int] = {}
    by_want = sorted(same, key=lambda hold: (hold.wanted, -hold.hold_id))
    for keeps in (_wanted, lambda hold: 0):
        for hold in by_want:
            given = found.get(hold.hold_id, 0)
            if (more := min(hold.taken - given - keeps(hold), too_much)) > 0:
                found[hold.hold_id] = given + more
                too_much -= more
    return found
