"""Debts of sellers outside their statements: paid into our bank, or given up by two people.

What is invoiced is settled before what is carried. Whoever gives up a debt needs a second person;
a deposit is matched by hand with what the bank's statement shows.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, Q, Sum

from marketplace import approvals, audit, reasons, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from settlements import debt_ages, ledger
from settlements.ledger import Draft
from settlements.models import DebtMovement, SellerBalance, Statement

Kind = DebtMovement.Kind
_AGAINST = {Kind.DEPOSIT: ledger.BANK, Kind.WRITE_OFF: ledger.BAD_DEBT}


class MoreThanOwed(Refused):
    code = "more_than_owed"
    message = gettext_noop("The seller owes %(owed)s, less than %(amount)s.")


class EvidenceMissing(Refused):
    code = "deposit_evidence_missing"
    message = gettext_noop("Name the entry of the bank's statement that shows the deposit.")


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
    balance: SellerBalance, *, amount: int, evidence: str, reason: str = "", by, at: datetime
) -> DebtMovement:
    """A seller has paid a part of the debt into our bank. Raises MoreThanOwed, EvidenceMissing."""
    if not evidence.strip():
        raise EvidenceMissing(field="evidence")
    return _settle(balance, Kind.DEPOSIT, amount, reason, evidence.strip(), by, at)


def ask_to_write_off(
    balance: SellerBalance, *, amount: int, reason: str, by, at: datetime
) -> SellerBalance:
    """Ask a second person to give up a part of a debt.

    Raises MoreThanOwed, reasons.ReasonMissing, approvals.AlreadyAsked.
    """
    reason = reasons.given(reason)
    _refuse_more_than_owed(balance, amount)
    data = {"amount": amount, "reason": reason}
    approvals.ask("write_off_debt", balance, by=by, at=at, reason=reason, data=data)
    return balance


@transaction.atomic
def write_off(
    balance: SellerBalance, *, amount: int, reason: str, by, at: datetime
) -> DebtMovement:
    """Give up a part of a debt; the process of an approval. Raises MoreThanOwed."""
    return _settle(balance, Kind.WRITE_OFF, amount, reasons.given(reason), "", by, at)


def owed(balance: SellerBalance) -> int:
    """All that a seller owes, carried and invoiced."""
    return max(-balance.carry, 0) + balance.receivable


def debts(*, on: date) -> list[Debt]:
    """Every seller who owes something, the oldest debt first. Queries do not grow with sellers."""
    rows = list(
        SellerBalance.objects.filter(Q(carry__lt=0) | Q(receivable__gt=0)).select_related("seller")
    )
    since = _since({row.seller_id: row for row in rows})
    found = [
        Debt(
            row, since.get(row.seller_id, on), debt_ages.age_class(since.get(row.seller_id, on), on)
        )
        for row in rows
    ]
    return sorted(found, key=lambda debt: (debt.since, debt.balance.pk))


def _since(balances: dict[int, SellerBalance]) -> dict[int, date]:
    """Since when each seller owes: the older of what is carried and what is invoiced."""
    closed = Statement.objects.exclude(state=Statement.State.OPEN).filter(seller__in=balances)
    carries, invoiced = defaultdict(list), defaultdict(list)
    rows = closed.order_by("closed_on", "due_on")
    for seller_id, on, carry, debt in rows.values_list(
        "seller_id", "closed_on", "carry_out", "debt_invoiced"
    ).iterator():
        carries[seller_id].append((on, carry))
        if debt:
            invoiced[seller_id].append((on, debt))
    movements = DebtMovement.objects.filter(statement=None, seller__in=balances)
    paid = dict(movements.values_list("seller_id").annotate(Sum("amount")).order_by())
    found = {}
    for seller_id, balance in balances.items():
        days = [
            debt_ages.current_run(carries[seller_id]) if balance.carry < 0 else None,
            debt_ages.oldest_unpaid(invoiced[seller_id], paid.get(seller_id, 0)),
        ]
        if known := [day for day in days if day is not None]:
            found[seller_id] = min(known)
    return found


def _settle(
    balance: SellerBalance, kind: str, amount: int, reason: str, evidence: str, by, at: datetime
) -> DebtMovement:
    verdicts.check_between("amount", amount, 1, verdicts.LARGEST_AMOUNT)
    balance = SellerBalance.objects.select_for_update().get(pk=balance.pk)
    is_invoiced = _refuse_more_than_owed(balance, amount)
    on = verdicts.business_date(at, tenancy.current().tz)
    movement = DebtMovement.objects.create(
        seller_id=balance.seller_id,
        statement=None if is_invoiced else _last_closed(balance.seller_id),
        kind=kind,
        amount=amount,
        on=on,
        reason=reason,
        evidence=evidence,
        by=by,
        at=at,
    )
    changed = (
        {"receivable": F("receivable") - amount} if is_invoiced else {"carry": F("carry") + amount}
    )
    SellerBalance.objects.filter(pk=balance.pk).update(**changed)
    _post(movement, is_invoiced)
    data = {"amount": amount, "seller": balance.seller_id}
    audit.record(f"debt.{movement.kind}", by=by, at=at, obj=movement, reason=reason, data=data)
    return movement


def _refuse_more_than_owed(balance: SellerBalance, amount: int) -> bool:
    """Whether an amount settles what was invoiced; otherwise it settles what is carried."""
    is_invoiced = balance.receivable > 0
    debt = balance.receivable if is_invoiced else max(-balance.carry, 0)
    if amount > debt:
        raise MoreThanOwed(owed=debt, amount=amount, field="amount")
    return is_invoiced


def _last_closed(seller_id: int) -> Statement:
    closed = Statement.objects.exclude(state=Statement.State.OPEN).filter(seller=seller_id)
    return closed.order_by("closed_on", "due_on").last()


def _post(movement: DebtMovement, is_invoiced: bool) -> None:
    draft = Draft("debt", movement.public_id, movement.on, movement.seller_id)
    draft.debit(_AGAINST[movement.kind], movement.amount)
    draft.credit(
        ledger.SELLER_RECEIVABLE if is_invoiced else ledger.SELLER_PAYABLE, movement.amount
    )
    ledger.post_on_open_day(draft)
