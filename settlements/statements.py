"""Close what falls due: carry-over, reserve and payout of each statement, and its one journal.

A seller's statements close in the order of their due dates, as each carries on from the last.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from marketplace import changes, states
from settlements import ledger, payables, withholding
from settlements.contracts import Contracts
from settlements.ledger import Draft
from settlements.models import SellerBalance, Statement
from settlements.payables import Payable
from settlements.rate_cards import PayoutTerms


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
    contracts = Contracts(first_seller=first_seller, end_seller=end_seller, only=sellers)
    journals = []
    for statement in statements:
        balance = balances[statement.seller_id]
        terms = contracts.payout_terms(statement.seller_id, statement.due_on)
        _close(statement, balance, terms)
        journals.append(journal(statement, on))
    _save(statements, balances.values(), on=on, at=at)
    ledger.post(journals)
    return Closed(len(statements), sum(statement.payout for statement in statements))


def settle(statement: Statement, balance: SellerBalance, terms: PayoutTerms) -> Payable:
    """The figures of a statement, from its lines and what its seller carries. Changes nothing."""
    return payables.settle(
        statement.net,
        carry_in=balance.carry,
        reserve_ppm=terms.reserve_ppm,
        minimum_payout=terms.minimum_payout,
        tax=withholding.withhold(statement.service_net, balance.withholding_base),
    )


def _close(statement: Statement, balance: SellerBalance, terms: PayoutTerms) -> None:
    figures = settle(statement, balance, terms)
    statement.carry_in = balance.carry
    statement.payable = figures.payable
    statement.reserve = figures.reserve
    statement.withholding_income = figures.withholding_income
    statement.withholding_local = figures.withholding_local
    statement.payout = figures.payout
    statement.carry_out = figures.carry_out
    balance.carry = figures.carry_out
    balance.reserve += figures.reserve
    balance.withholding_base = figures.base_carried


def journal(statement: Statement, on: date) -> Draft:
    """The journal of a statement that closes in the night of `on`.

    Buyers' money of its lines and what platform and partners fund are owed to the seller, and
    are fees and VAT; what is paid out moves on from what is owed.
    """
    draft = Draft("statement", statement.public_id, on, statement.seller_id)
    funded = statement.platform_discount + statement.partner_discount
    draft.debit(ledger.CLEARING, statement.list_amount - statement.seller_discount - funded)
    draft.debit(ledger.PLATFORM_FUNDING, statement.platform_discount)
    draft.debit(ledger.PARTNER_FUNDING, statement.partner_discount)
    for component, (fee, vat, vat_on_top) in sorted(statement.components.items()):
        draft.credit(ledger.FEE_REVENUE + component, fee - (vat - vat_on_top))
    draft.credit(ledger.VAT_PAYABLE, statement.vat)
    draft.credit(ledger.SELLER_PAYABLE, statement.net)
    kept_back = statement.reserve + statement.withholding_income + statement.withholding_local
    draft.debit(ledger.SELLER_PAYABLE, statement.payout + kept_back)
    draft.credit(ledger.PAYOUT_PAYABLE, statement.payout)
    draft.credit(ledger.SELLER_RESERVE, statement.reserve)
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


def _save(
    statements: list[Statement], balances: Iterable[SellerBalance], *, on: date, at: datetime
) -> None:
    """Write the figures, then let the statements move: payable where something is paid."""
    Statement.objects.bulk_create(
        statements,
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["marketplace", "seller", "due_on"],
        update_fields=[
            "carry_in",
            "payable",
            "reserve",
            "withholding_income",
            "withholding_local",
            "payout",
            "carry_out",
        ],
    )
    SellerBalance.objects.bulk_create(
        balances,
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["marketplace", "seller"],
        update_fields=["carry", "reserve", "withholding_base"],
    )
    for state, is_paid in ((Statement.State.PAYABLE, True), (Statement.State.CLOSED, False)):
        closed = [statement for statement in statements if (statement.payout > 0) is is_paid]
        rows = Statement.objects.filter(pk__in=[statement.pk for statement in closed])
        states.move_many(rows, state, by=None, at=at, changes={"closed_on": on})
        told = [(statement.public_id, statement.seller_id, {}) for statement in closed]
        changes.announce_many(f"statement.{state}", told, at=at)
