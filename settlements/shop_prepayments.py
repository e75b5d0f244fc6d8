"""What the seller centre shows of advertising prepayments, and how a charge of one was paid.

Pages of sellers ask it of themselves; another seller's prepayment does not exist for them.
"""

from dataclasses import dataclass

from sellers.models import Seller
from settlements import adjusting, prepaying
from settlements.models import Adjustment, AdPrepayment, AdPrepaymentMovement, SettlementLine


@dataclass(frozen=True, slots=True)
class Paid:
    """How a charge of advertising is paid, in minor units with VAT; `reversal` takes it back.

    `rest` is taken off the statement; None until a night has worked out the VAT.
    """

    drawn: int
    rest: int | None
    reversal: Adjustment | None


def left(seller: Seller) -> int:
    """What is left of a seller's prepayment."""
    prepayment = AdPrepayment.objects.filter(seller=seller).first()
    return prepayment.balance if prepayment else 0


def movements(seller: Seller):
    """What changed a seller's prepayment, newest first."""
    rows = AdPrepaymentMovement.objects.filter(seller=seller)
    return rows.select_related("adjustment__charge").order_by("-pk")


def paid(adjustment: Adjustment, line: SettlementLine | None) -> Paid | None:
    """How an approved charge of advertising is paid; None for any other adjustment."""
    if not adjusting.is_charge(adjustment):
        return None
    reversal = adjusting.reversal_of(adjustment)
    if reversal is not None and reversal.state == Adjustment.State.REQUESTED:
        reversal = None  # nobody has approved of it
    drawn = prepaying.drawn_for(adjustment)
    return Paid(drawn, -line.net - drawn if line else None, reversal)
