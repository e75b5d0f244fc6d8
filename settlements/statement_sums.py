"""What a statement comes to, as a sum that a reader can follow from sales to payout.

The figures are the statement's own; nothing is computed but the subtotals between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from settlements import ledger
from settlements.models import Statement


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the sum: it adds `amount`, or as a total shows what all rows above come to.

    An aside adds nothing: it tells what is contained in the row above.
    """

    label: str
    amount: int
    is_total: bool = False
    is_aside: bool = False


def steps(statement: Statement, names: Mapping[str, str]) -> list[Step]:
    """From the list amount to the payout. `names` are the words for fee components."""
    return [
        *_sales(statement),
        *_fees(statement, names),
        Step(gettext("Net of its lines"), statement.net, is_total=True),
        Step(gettext("Carried in from the statement before"), statement.carry_in),
        *(_closing(statement) if statement.state != Statement.State.OPEN else ()),
    ]


def _sales(statement: Statement) -> list[Step]:
    # What platform and partners fund is not taken from the seller: they owe it.
    asides = [
        (gettext("of it discounts that the platform pays"), statement.platform_discount),
        (gettext("of it discounts that partners pay"), statement.partner_discount),
    ]
    return [
        Step(gettext("Sales at list price"), statement.list_amount),
        *(Step(label, amount, is_aside=True) for label, amount in asides if amount),
        Step(gettext("Discounts that the seller pays"), -statement.seller_discount),
    ]


def _fees(statement: Statement, names: Mapping[str, str]) -> list[Step]:
    rows = []
    for code, (fee, vat, on_top) in sorted(statement.components.items()):
        name = {"component": names.get(code, code)}
        is_fee = code not in ledger.NO_REVENUE
        label = gettext("Fee: %(component)s") % name if is_fee else name["component"]
        rows.append(Step(label, -fee))
        if vat > on_top:
            label = gettext("of it VAT: %(component)s") % name
            rows.append(Step(label, on_top - vat, is_aside=True))
        if on_top:
            rows.append(Step(gettext("VAT on top: %(component)s") % name, -on_top))
    return rows


def _closing(statement: Statement) -> list[Step]:
    moved = [
        (gettext("Given back from holds"), statement.released_holds),
        (gettext("Held back"), -statement.hold_taken),
    ]
    given = [
        (gettext("Given back from reserves"), statement.reserve_released),
        (gettext("Debt that is invoiced"), statement.debt_invoiced),
    ]
    kept = [
        (gettext("Kept as reserve"), statement.reserve),
        (gettext("Income tax withheld"), statement.withholding_income),
        (gettext("Local income tax withheld"), statement.withholding_local),
        (gettext("Carried on to the next statement"), statement.carry_out),
    ]
    return [
        *(Step(label, amount) for label, amount in moved if amount),
        Step(gettext("Payable"), statement.payable, is_total=True),
        *(Step(label, amount) for label, amount in given if amount),
        *(Step(label, -amount) for label, amount in kept if amount),
        Step(gettext("Payout"), statement.payout, is_total=True),
    ]
