"""What a statement comes to, as a sum that a reader can follow from sales to payout.

The figures are the statement's own; nothing is computed but the subtotals between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from settlements import adjustments
from settlements.fee_rules import SALE_VAT
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
        *_others(statement, names),
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
    fees = 0
    for code, (fee, vat, on_top) in sorted(statement.components.items()):
        name = {"component": names.get(code, code)}
        if code == SALE_VAT:
            rows.append(Step(name["component"], -fee))
        elif adjustments.is_fee(code):
            fees += 1
            rows.append(Step(gettext("Fee: %(component)s") % name, -fee))
            if vat > on_top:
                label = gettext("of it VAT: %(component)s") % name
                rows.append(Step(label, on_top - vat, is_aside=True))
            if on_top:
                rows.append(Step(gettext("VAT on top: %(component)s") % name, -on_top))
    if fees > 1:
        told = [
            (gettext("fees in all"), statement.split.fee),
            (gettext("VAT on fees in all"), statement.split.vat),
        ]
        rows.extend(Step(label, -amount, is_aside=True) for label, amount in told)
    return rows


def _others(statement: Statement, names: Mapping[str, str]) -> list[Step]:
    """What is added and deducted beside the fees, each with its VAT."""
    if not any(others := (statement.split.additions, statement.split.deductions)):
        return []
    rows = [Step(gettext("Left after fees and VAT"), statement.sold_net, is_total=True)]
    labels = (gettext("Other additions"), gettext("Other deductions"))
    parts = other_parts(statement, names)
    for label, amount, sign in zip(labels, others, (1, -1), strict=True):
        if amount:
            rows.append(Step(label, sign * amount))
            rows.extend(
                Step(gettext("of it %(component)s") % {"component": name}, net, is_aside=True)
                for name, net in parts
                if sign * net > 0
            )
    return rows


def fee_parts(statement: Statement, names: Mapping[str, str]) -> list[tuple[str, int, int, int]]:
    """Name, fee, VAT, and of that what the fee contains, of each fee and of the VAT of sales."""
    return [
        (names.get(code, code), fee, vat, vat - on_top)
        for code, (fee, vat, on_top) in sorted(statement.components.items())
        if code == SALE_VAT or adjustments.is_fee(code)
    ]


def other_parts(statement: Statement, names: Mapping[str, str]) -> list[tuple[str, int]]:
    """Name and amount, with its VAT, of what is added or deducted beside the fees."""
    return [
        (names.get(code, code), -fee - on_top)
        for code, (fee, _, on_top) in sorted(statement.components.items())
        if code != SALE_VAT and not adjustments.is_fee(code)
    ]


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
