"""What order lines came to: the sale when they are confirmed, and each time less remains after.

Writes Outcome rows and their place in settlement's queues, in the caller's transaction. Nothing
else writes them; only settlement takes from the queues. The lines are locked by the caller.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from marketplace.refusals import Refused, gettext_noop
from orders import bulk, referrals, remainders
from orders.folding import Reversal, Sale
from orders.models import OrderLine, Outcome, OutcomeToSettle
from orders.remainders import FUNDERS, Remainder, Units

SALE = Outcome.Kind.SALE
REVERSAL = Outcome.Kind.REVERSAL

_COLUMNS = (
    "line_id",
    "seller_id",
    "sequence",
    "kind",
    "cause",
    "rate_on",
    "basis_on",
    "quantity",
    "list_amount",
    "seller_discount",
    "platform_discount",
    "partner_discount",
)


class NothingSold(Refused):
    code = "nothing_sold"
    message = gettext_noop("Line %(line)s has not been confirmed yet.")


@dataclass(frozen=True, slots=True)
class Reduced:
    """The price of what remains of a sold line was reduced; `funder` gives it."""

    line_id: int
    amount: int
    funder: str
    on: date
    cause: str


def record(sales: Sequence[Sale], reversals: Sequence[Reversal | Reduced]) -> None:
    """Write sales, then reversals in the order given. Every line may have several reversals.

    A reversal's line has been sold before or is in `sales`. Refuses a reversal of a line that
    was never sold, and one for more than remains.
    """
    if sales:
        _write(_sale_rows(sales))
    if reversals:
        _write(_reversal_rows(reversals))


@dataclass(frozen=True, slots=True)
class History:
    """What became of a line since it was sold: `units` are those left after each outcome."""

    sold: Remainder
    basis_on: date  # of the sale
    units: tuple[Units, ...]  # by sequence

    @property
    def last(self) -> int:
        """The sequence of the newest outcome."""
        return len(self.units) - 1


def histories(line_ids: Iterable[int]) -> dict[int, History]:
    """What became of each of some lines; those that were not sold yet are left out."""
    keys = set(line_ids)
    past, lines = _histories(keys), _lines(keys)
    return {
        key: History(_remains(history[0]), history[0].basis_on, _followed(lines[key][1:], history))
        for key, history in past.items()
    }


def after_taking_back(line_id: int, quantity: int) -> tuple[Remainder, Remainder, Remainder] | None:
    """What a line was sold as, what remains of it, and what would remain without some units.

    None where it was not sold yet. Writes nothing. Refuses more units than remain.
    """
    history = histories([line_id]).get(line_id)
    if history is None:
        return None
    units = history.units[-1]
    after = remainders.take_back(units, quantity)
    return history.sold, units.remainder(), after.remainder()


def _sale_rows(sales: Sequence[Sale]) -> list[tuple]:
    lines = _lines(sale.line_id for sale in sales)
    rows = []
    for sale in sales:
        seller_id, *figures = lines[sale.line_id]
        remains = remainders.remaining(*figures, sale.quantity)
        about = (sale.line_id, seller_id, 0, SALE, sale.cause, sale.rate_on, sale.basis_on)
        rows.append((*about, *_amounts(remains)))
    return rows


def _reversal_rows(reversals: Sequence[Reversal | Reduced]) -> list[tuple]:
    keys = {reversal.line_id for reversal in reversals}
    lines, histories = _lines(keys), _histories(keys)
    rows = []
    followed: dict[int, Units] = {}
    for reversal in reversals:
        key = reversal.line_id
        history = histories.get(key)
        if not history:
            raise NothingSold(line=key)
        seller_id, *figures = lines[key]
        if key not in followed:
            followed[key] = _followed(figures, history)[-1]
        followed[key] = units = _reversed(followed[key], reversal)
        sale, last = history[0], history[-1]
        about = (key, seller_id, last.sequence + 1, REVERSAL, reversal.cause)
        amounts = _amounts(units.remainder())
        rows.append((*about, sale.rate_on, max(reversal.on, sale.basis_on), *amounts))
        history.append(_Past(key, last.sequence + 1, sale.rate_on, sale.basis_on, *amounts))
    return rows


def _reversed(units: Units, reversal: Reversal | Reduced) -> Units:
    if isinstance(reversal, Reduced):
        return remainders.reduce_price(units, reversal.amount, reversal.funder)
    return remainders.take_back(units, len(units.discounts) - reversal.quantity)


@dataclass(frozen=True, slots=True)
class _Past:
    """An outcome as it was written."""

    line_id: int
    sequence: int
    rate_on: date
    basis_on: date
    quantity: int
    list_amount: int
    seller_discount: int
    platform_discount: int
    partner_discount: int

    def discount(self, funder: str) -> int:
        return getattr(self, f"{funder}_discount")


def _followed(figures: Sequence[int], history: Sequence[_Past]) -> tuple[Units, ...]:
    """Do to a line's units again what its outcomes say was done to them, outcome by outcome."""
    units = remainders.units_of(*figures)
    units = remainders.take_back(units, len(units.discounts) - history[0].quantity)
    found = [units]
    for before, after in pairwise(history):
        if after.quantity < before.quantity:
            units = remainders.take_back(units, before.quantity - after.quantity)
        else:
            for funder in FUNDERS:
                if more := after.discount(funder) - before.discount(funder):
                    units = remainders.reduce_price(units, more, funder)
        found.append(units)
    return tuple(found)


def _remains(outcome: _Past) -> Remainder:
    return Remainder(*(getattr(outcome, name) for name in Remainder.__slots__))


def _lines(keys: Iterable[int]) -> dict[int, tuple]:
    """Seller, unit price, quantity and discounts by line."""
    rows = OrderLine.objects.filter(bulk.among("id", keys)).values_list(
        "pk",
        "seller_id",
        "unit_price",
        "quantity",
        "seller_discount",
        "platform_discount",
        "partner_discount",
    )
    return {row[0]: row[1:] for row in rows}


def _histories(keys: Iterable[int]) -> dict[int, list[_Past]]:
    columns = tuple(_Past.__slots__)
    histories: dict[int, list[_Past]] = {}
    rows = Outcome.objects.filter(bulk.among("line_id", keys)).order_by("line_id", "sequence")
    for row in rows.values_list(*columns):
        histories.setdefault(row[0], []).append(_Past(*row))
    return histories


def _amounts(remains: Remainder) -> tuple[int, ...]:
    return (
        remains.quantity,
        remains.list_amount,
        remains.seller_discount,
        remains.platform_discount,
        remains.partner_discount,
    )


def _write(rows: Sequence[tuple]) -> None:
    """An outcome and its place in the queues belong to one transaction, always."""
    written = bulk.insert(Outcome, _COLUMNS, rows, returning="id, line_id, seller_id, basis_on")
    queued = [(key, seller_id, basis_on) for key, _, seller_id, basis_on in written]
    bulk.insert(OutcomeToSettle, ("outcome_id", "seller_id", "basis_on"), queued)
    referrals.queue([(key, line_id, basis_on) for key, line_id, _, basis_on in written])
