"""Close what falls due: holds, carry-over, reserve and payout of each statement, and its journal.

A seller's statements close in the order of their due dates, as each carries on from the last.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Sum

from marketplace import bulk, changes, states
from settlements import adjustments, debts, ledger, payables, seals, withholding
from settlements.contracts import Contracts
from settlements.hold_book import HoldBook
from settlements.holds import Plan
from settlements.ledger import Draft
from settlements.models import SellerBalance, Statement
from settlements.payables import Payable
from settlements.rate_cards import PayoutTerms

# What closing works out from lines, holds and what the seller carries.
CLOSED: Final = (
    "carry_in",
    "hold_taken",
    "payable",
    "reserve",
    "reserve_due_on",
    "reserve_released",
    "withholding_income",
    "withholding_local",
    "payout",
    "debt_invoiced",
    "carry_out",
)


@dataclass(frozen=True, slots=True)
class Closed:
    """What a call of close_due() did; `payout` in minor units."""

    statements: int
    payout: int


def close_due(*, on: date, first_seller: int, end_seller: int, at: datetime) -> Closed:
    """Close every open statement due by `on` of some sellers, and post their journals.

    The caller holds the transaction and has entered the marketplace. Repeating finds none open.
    """
    statements = list(
        Statement.objects.due_on(on)
        .filter(seller_id__gte=first_seller, seller_id__lt=end_seller)
        .select_for_update()
        .order_by("seller_id", "due_on")
    )
    if not statements:
        return Closed(0, 0)
    sellers = {statement.seller_id for statement in statements}
    balances = _balances(sellers)
    _count_due_reserves(balances, on)
    book = HoldBook(sellers)
    contracts = Contracts(first_seller=first_seller, end_seller=end_seller, only=sellers)
    journals = []
    for statement in statements:
        terms = contracts.payout_terms(statement.seller_id, statement.due_on)
        plan = book.plan(statement)
        close(statement, balances[statement.seller_id], plan, terms, on=on)
        book.settle(statement, plan, statement.hold_taken)
        journals.append(journal(statement, on))
    _save(statements, balances.values(), on=on, at=at)
    book.save()
    ledger.post(journals)
    return Closed(len(statements), sum(statement.payout for statement in statements))


def settle(statement: Statement, balance: SellerBalance, plan: Plan, terms: PayoutTerms) -> Payable:
    """The figures of a statement, from its lines, holds, and what its seller carries.

    Changes nothing.
    """
    released = plan.released_sum
    return payables.settle(
        statement.net,
        carry_in=balance.carry,
        released_holds=released,
        new_holds=plan.asked_sum,
        reserve_ppm=terms.reserve_ppm,
        reserve_released=debts.reserve_offered(
            statement.net + balance.carry + released,
            due=balance.reserve_released,
            reserve=balance.reserve,
            policy=terms.debt_policy,
        ),
        minimum_payout=terms.minimum_payout,
        tax=withholding.withhold(statement.service_net, balance.withholding_base),
    )


def close(
    statement: Statement, balance: SellerBalance, plan: Plan, terms: PayoutTerms, *, on: date
) -> None:
    """Give a statement its figures, and its seller what it leaves, in the night of `on`.

    In memory alone; what is reserved and due by that night is counted on the balance already.
    """
    figures = settle(statement, balance, plan, terms)
    statement.carry_in = balance.carry
    statement.released_holds = plan.released_sum
    statement.new_holds = plan.asked_sum
    statement.hold_taken = figures.hold_taken
    statement.payable = figures.payable
    statement.reserve = figures.reserve
    statement.reserve_released = figures.reserve_used
    if figures.reserve:
        kept_until = statement.due_on + timedelta(days=terms.reserve_days)
        # Reserves due by tonight have been counted.
        statement.reserve_due_on = max(kept_until, on + timedelta(days=1))
    statement.withholding_income = figures.withholding_income
    statement.withholding_local = figures.withholding_local
    statement.payout = figures.payout
    statement.debt_invoiced = debts.invoiced(figures.carry_out, policy=terms.debt_policy)
    statement.carry_out = figures.carry_out + statement.debt_invoiced
    balance.carry = statement.carry_out
    balance.held += statement.hold_taken - statement.released_holds
    balance.reserve += figures.reserve - figures.reserve_used
    balance.reserve_released -= figures.reserve_used
    balance.receivable += statement.debt_invoiced
    balance.withholding_base = figures.base_carried


def journal(statement: Statement, on: date) -> Draft:
    """The journal of a statement that closes in the night of `on`.

    Buyers' money of its lines and what platform and partners fund are owed to the seller, and
    are fees and VAT; so is what the seller supplies to the marketplace, with its VAT. What is
    held, reserved and paid out moves on from what is owed, and what is given back moves there. A
    debt that is invoiced is owed to the marketplace instead.
    """
    draft = Draft("statement", statement.public_id, on, statement.seller_id)
    funded = statement.platform_discount + statement.partner_discount
    draft.debit(ledger.CLEARING, statement.list_amount - statement.seller_discount - funded)
    draft.debit(ledger.PLATFORM_FUNDING, statement.platform_discount)
    draft.debit(ledger.PARTNER_FUNDING, statement.partner_discount)
    input_vat = 0
    for component, (fee, vat, vat_on_top) in sorted(statement.components.items()):
        draft.credit(ledger.account_of(component), fee - (vat - vat_on_top))
        if adjustments.is_purchase(component):
            input_vat += vat
    draft.credit(ledger.INPUT_VAT, input_vat)
    draft.credit(ledger.VAT_PAYABLE, statement.vat - input_vat)
    draft.credit(ledger.SELLER_PAYABLE, statement.net)
    held = statement.hold_taken - statement.released_holds
    reserved = statement.reserve - statement.reserve_released
    withheld = statement.withholding_income + statement.withholding_local
    gone = statement.payout + held + reserved + withheld - statement.debt_invoiced
    draft.debit(ledger.SELLER_PAYABLE, gone)
    draft.debit(ledger.SELLER_RECEIVABLE, statement.debt_invoiced)
    draft.credit(ledger.PAYOUT_PAYABLE, statement.payout)
    draft.credit(ledger.SELLER_HELD, held)
    draft.credit(ledger.SELLER_RESERVE, reserved)
    draft.credit(ledger.WITHHOLDING_INCOME, statement.withholding_income)
    draft.credit(ledger.WITHHOLDING_LOCAL, statement.withholding_local)
    return draft


def _balances(sellers: set[int]) -> dict[int, SellerBalance]:
    """What each seller carries, locked; nothing for one who has never had a statement."""
    SellerBalance.objects.bulk_create(
        [SellerBalance(seller_id=seller_id) for seller_id in sorted(sellers)],
        ignore_conflicts=True,
    )
    rows = SellerBalance.objects.select_for_update().filter(seller_id__in=sellers)
    return {row.seller_id: row for row in rows.order_by("seller_id")}


def _count_due_reserves(balances: dict[int, SellerBalance], on: date) -> None:
    """Make of each seller's reserve usable what has been kept for its days by `on`."""
    rows = Statement.objects.reserve_due(on).filter(seller_id__in=list(balances))
    for seller_id, amount in rows.values_list("seller_id").annotate(Sum("reserve")).order_by():
        balances[seller_id].reserve_released += amount
    for balance in balances.values():
        balance.reserve_swept_on = on


def _save(
    statements: list[Statement], balances: Iterable[SellerBalance], *, on: date, at: datetime
) -> None:
    """Write the figures, then let the statements move: payable where something is paid."""
    bulk.write(
        statements,
        unique=["marketplace", "seller", "due_on"],
        update=["released_holds", "new_holds", *CLOSED],
    )
    bulk.write(
        list(balances),
        unique=["marketplace", "seller"],
        update=[
            "carry",
            "held",
            "reserve",
            "reserve_released",
            "reserve_swept_on",
            "receivable",
            "withholding_base",
        ],
    )
    for state, is_paid in ((Statement.State.PAYABLE, True), (Statement.State.CLOSED, False)):
        closed = [statement for statement in statements if (statement.payout > 0) is is_paid]
        rows = Statement.objects.filter(pk__in=[statement.pk for statement in closed])
        states.move_many(rows, state, by=None, at=at, changes={"closed_on": on})
    _seal_and_announce(statements, at=at)


def _seal_and_announce(statements: list[Statement], *, at: datetime) -> None:
    """Tell of each closed statement with its head: who keeps it has what was told that night."""
    sealed = seals.seal_closed({statement.seller_id for statement in statements}, at=at)
    for state, is_paid in ((Statement.State.PAYABLE, True), (Statement.State.CLOSED, False)):
        told = [
            (statement.public_id, statement.seller_id, {"head": sealed[statement.pk].head})
            for statement in statements
            if (statement.payout > 0) is is_paid
        ]
        changes.announce_many(f"statement.{state}", told, at=at)
