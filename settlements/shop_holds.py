"""What the seller centre shows of holds: one seller's, with what is kept back and why.

Everything here is asked of one seller; another seller's hold does not exist for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sellers.models import Seller
from settlements import hold_book, hold_words
from settlements.disputed import Disputed
from settlements.models import Hold, HoldMovement, Statement


@dataclass(frozen=True, slots=True)
class Told:
    """A hold with what its seller wants to know; of a claim's, what the claimed units are worth."""

    hold: Hold
    about: str
    way_out: str
    remedy: str
    disputed: Disputed | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a statement kept back for a hold (above zero), or gave back of it (below)."""

    told: Told
    amount: int

    @property
    def size(self) -> int:
        return abs(self.amount)


def of_seller(seller: Seller):
    """A seller's holds, with what they are about."""
    return loaded().filter(seller=seller)


def in_force(seller: Seller) -> list[Told]:
    """What is held of a seller now, the oldest first."""
    return _told(of_seller(seller).filter(state=Hold.State.PLACED).order_by("pk"))


def of_statement(statement: Statement) -> list[Moved]:
    """What a closed statement kept back and gave back, hold by hold."""
    movements = list(HoldMovement.objects.filter(statement=statement).order_by("pk"))
    holds = loaded().in_bulk({movement.hold_id for movement in movements})
    return [Moved(told(holds[row.hold_id]), row.taken - row.released) for row in movements]


def payment_holds(statement: Statement) -> list[Told]:
    """What keeps a statement from being paid now, by itself or through its seller."""
    rows = of_seller(statement.seller).filter(state=Hold.State.PLACED)
    held = rows.of_payment().filter(statement_id__in=[statement.pk]) | rows.of_payment().filter(
        statement=None
    )
    return [told(hold) for hold in held.order_by("pk")]


def told(hold: Hold) -> Told:
    return Told(hold, hold_words.about(hold), hold_words.way_out(hold), hold_words.remedy(hold))


def _told(holds: Iterable[Hold]) -> list[Told]:
    holds = list(holds)
    disputed = hold_book.disputed(holds)
    return [replace(told(hold), disputed=disputed.get(hold.pk)) for hold in holds]


def loaded():
    """Holds with what is said about them."""
    loaded = Hold.objects.select_related("order_line__order", "statement", "claim")
    return loaded.prefetch_related("payments")
