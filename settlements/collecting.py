"""Debts of sellers outside their statements: paid into our bank, or given up by two people.

Where a seller owes both what was invoiced and what is carried, the older debt is settled first; of
what was invoiced the interest that was charged on it comes before the rest (settlements.interest).
Whoever gives up a debt needs a second person; a deposit is matched by hand with an entry of the
bank's statement, which settles debts once.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, Q

from marketplace import approvals, audit, reasons, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from settlements import charging_interest, debt_ages, deposits, interest, ledger
from settlements.ledger import Draft
from settlements.models import DebtMovement, SellerBalance, Statement

Kind = DebtMovement.Kind
TEMPLATE = "debt"  # of journals of deposits and write-offs
INVOICED, CARRIED = "invoiced", "carried"
_AGAINST = {Kind.DEPOSIT: ledger.BANK, Kind.WRITE_OFF: ledger.BAD_DEBT}


class MoreThanOwed(Refused):
    code = "more_than_owed"
    message = gettext_noop("The seller owes %(owed)s, less than %(amount)s.")


@dataclass(frozen=True, slots=True)
class Debt:
    """What a seller owes, carried and invoiced, and since when the oldest of it stands."""

    balance: SellerBalance
    since: date
    age_class: int

    @property
    def amount(self) -> int:
        return owed(self.balance)


@transaction.atomic
def record_deposit(
    balance: SellerBalance,
    *,
    amount: int,
    evidence: str,
    on: date,
    reason: str = "",
    by,
    at: datetime,
) -> list[DebtMovement]:
    """A seller has paid a part of the debt into our bank on a day, as its statement shows.

    A movement for each debt that it settles, the oldest first. Raises MoreThanOwed, and what
    deposits.once() does.
    """
    evidence = deposits.once(evidence, on=on, at=at)
    return _settle(balance, Kind.DEPOSIT, amount, on, reason, evidence, by, at)


def ask_to_write_off(
    balance: SellerBalance, *, amount: int, reason: str, by, at: datetime
) -> SellerBalance:
    """Ask a second person to give up a part of a debt.

    Raises MoreThanOwed, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    reason = reasons.given(reason)
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    _refuse_more_than_owed(balance, amount)
    data = {"amount": amount, "reason": reason}
    approvals.ask("write_off_debt", balance, by=by, at=at, reason=reason, data=data)
    return balance


@transaction.atomic
def write_off(
    balance: SellerBalance, *, amount: int, reason: str, by, at: datetime
) -> list[DebtMovement]:
    """Give up a part of a debt, the oldest first; the process of an approval.

    Raises MoreThanOwed.
    """
    on = verdicts.business_date(at, tenancy.current().tz)
    return _settle(balance, Kind.WRITE_OFF, amount, on, reasons.given(reason), "", by, at)


def owed(balance: SellerBalance) -> int:
    """All that a seller owes, carried and invoiced."""
    return max(-balance.carry, 0) + balance.receivable


def debts(*, on: date) -> list[Debt]:
    """Every seller who owes something, the oldest debt first. Queries do not grow with sellers."""
    rows = list(
        SellerBalance.objects.filter(Q(carry__lt=0) | Q(receivable__gt=0)).select_related("seller")
    )
    since = _since({row.seller_id: row for row in rows})
    oldest = {
        key: min((day for day in days.values() if day is not None), default=on)
        for key, days in since.items()
    }
    found = [
        Debt(row, oldest[row.seller_id], debt_ages.age_class(oldest[row.seller_id], on))
        for row in rows
    ]
    return sorted(found, key=lambda debt: (debt.since, debt.balance.pk))


def _since(balances: dict[int, SellerBalance]) -> dict[int, dict[str, date | None]]:
    """Since when each seller owes what was invoiced, and what is carried; None where nothing."""
    closed = Statement.objects.exclude(state=Statement.State.OPEN).filter(seller__in=balances)
    carries = defaultdict(list)
    rows = closed.order_by("closed_on", "due_on").values_list("seller_id", "closed_on", "carry_out")
    for seller_id, on, carry in rows.iterator():
        carries[seller_id].append((on, carry))
    invoiced = charging_interest.accounts(balances)
    return {
        seller_id: {
            INVOICED: interest.left(invoiced[seller_id]).since,
            CARRIED: debt_ages.current_run(carries[seller_id]) if balance.carry < 0 else None,
        }
        for seller_id, balance in balances.items()
    }


def _settle(
    balance: SellerBalance,
    kind: str,
    amount: int,
    on: date,
    reason: str,
    evidence: str,
    by,
    at: datetime,
) -> list[DebtMovement]:
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    balance = SellerBalance.objects.select_for_update().get(pk=balance.pk)
    _refuse_more_than_owed(balance, amount)
    movements = []
    for part, (debt, settled) in enumerate(_shares(balance, amount, on).items(), 1):
        movement = DebtMovement.objects.create(
            seller_id=balance.seller_id,
            statement=None if debt == INVOICED else _last_closed(balance.seller_id),
            kind=kind,
            amount=settled,
            on=on,
            reason=reason,
            evidence=evidence,
            part=part,
            by=by,
            at=at,
        )
        changed = (
            {"receivable": F("receivable") - settled}
            if debt == INVOICED
            else {"carry": F("carry") + settled}
        )
        SellerBalance.objects.filter(pk=balance.pk).update(**changed)
        _post(movement)
        data = {"amount": settled, "seller": balance.seller_id}
        audit.record(f"debt.{movement.kind}", by=by, at=at, obj=movement, reason=reason, data=data)
        movements.append(movement)
    return movements


def _shares(balance: SellerBalance, amount: int, on: date) -> dict[str, int]:
    """How much of an amount settles each debt: the older one first, of one day the invoiced."""
    since = _since({balance.seller_id: balance})[balance.seller_id]
    debts = {
        INVOICED: (since[INVOICED] or on, balance.receivable),
        CARRIED: (since[CARRIED] or on, max(-balance.carry, 0)),
    }
    return debt_ages.shares(amount, debts)


def _refuse_more_than_owed(balance: SellerBalance, amount: int) -> None:
    if amount > owed(balance):
        raise MoreThanOwed(owed=owed(balance), amount=amount, field="amount")


def _last_closed(seller_id: int) -> Statement:
    closed = Statement.objects.exclude(state=Statement.State.OPEN).filter(seller=seller_id)
    return closed.order_by("closed_on", "due_on").last()


def _post(movement: DebtMovement) -> None:
    draft = Draft(TEMPLATE, movement.public_id, movement.on, movement.seller_id)
    draft.debit(_AGAINST[movement.kind], movement.amount)
    draft.credit(
        ledger.SELLER_RECEIVABLE if movement.is_of_invoiced else ledger.SELLER_PAYABLE,
        movement.amount,
    )
    ledger.post_on_open_day(draft)
