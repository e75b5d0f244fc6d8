"""What every step of a claim does: lock, move, tell, and let the clock of its line run on.

Which steps there are, and who may take them, is decided in orders.claims and orders.exchanging.
"""

from datetime import datetime

from marketplace import changes, states
from orders import applying, confirmation_days
from orders.models import Claim, OrderLine


def locked(claim: Claim) -> tuple[Claim, OrderLine]:
    """The claim and its line as they are now, the line locked first, as everywhere."""
    line = applying.lock_line(OrderLine.objects.get(pk=claim.line_id))
    return Claim.objects.select_for_update(no_key=True).get(pk=claim.pk), line


def move(
    claim: Claim, to: str, *, by, at: datetime, reason: str, deed: str = "", **values
) -> Claim:
    """Take a step that claims of this type take. Raises states.IllegalMove for any other."""
    if not claim.may_become(to):
        raise states.IllegalMove(old=claim.state, new=to)
    states.move(claim, to, by=by, at=at, reason=reason, changes=values)
    announce(claim, deed, at=at)
    return claim


def announce(claim: Claim, deed: str = "", *, at: datetime) -> None:
    """Tell the feed what became of a claim: its state, where no other deed is named."""
    seller_id = claim.seller_id
    changes.announce(f"claim.{deed or claim.state}", claim.public_id, at=at, seller_id=seller_id)


def let_clock_run(line_id: int) -> None:
    """Find the day of automatic confirmation anew, after a claim on a line was closed."""
    line = OrderLine.objects.get(pk=line_id)
    if line.status != OrderLine.Status.DELIVERED or line.delivered_on is None:
        return
    due = confirmation_days.DueDays().of_lines({line_id: line.delivered_on})
    OrderLine.objects.filter(pk=line_id).update(confirm_due_on=due[line_id])
