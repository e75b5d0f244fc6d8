"""Charge interest on what sellers owe by invoice and did not pay in time.

The night of a month's last day charges what was counted since the charge before: a movement of the
seller's debt with the periods that explain it, booked to an account of its own. No VAT: damages for
late payment are no consideration for a supply. Sellers whose contract has ended are charged too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from marketplace import versions
from settlements import interest, ledger, tax_invoices
from settlements.interest import Account, Terms
from settlements.ledger import Draft
from settlements.models import DebtMovement, InterestTerms, SellerBalance, Statement

Kind = DebtMovement.Kind
Found = tuple[str, str, str, object, object]
"""What, which, which of its figures, what it should be, what it is."""


@transaction.atomic
def publish(version: InterestTerms, *, by, at: datetime) -> InterestTerms:
    """Publish terms of interest. Raises what marketplace.versions raises about their day."""
    versions.publish(version, by=by, at=at)
    # Even the first ones ask for nothing of days that are closed.
    versions.refuse_closed_days(version)
    return version


def charge(on: date, *, at: datetime) -> int:
    """Charge the interest up to a day, where a month ends on it; returns how many sellers.

    Repeating it finds nothing. The caller holds the transaction.
    """
    in_force = terms()
    is_end = on == tax_invoices.end_of(tax_invoices.first_of(on))
    if not is_end or not any(version.rate_ppm for version in in_force):
        return 0
    balances = SellerBalance.objects.select_for_update().filter(_may_owe(on)).order_by("pk")
    by_seller = {balance.seller_id: balance for balance in balances}
    made = [
        movement
        for seller_id, account in accounts(by_seller).items()
        if (movement := _charged(seller_id, account, in_force, on, at))
    ]
    if not made:
        return 0
    DebtMovement.objects.bulk_create(made)
    for movement in made:
        by_seller[movement.seller_id].receivable += movement.amount
    SellerBalance.objects.bulk_update(by_seller.values(), ["receivable"], batch_size=2000)
    ledger.open_month(on)
    ledger.post([_journal(movement) for movement in made])
    return len(made)


def terms() -> list[Terms]:
    """The published versions, by the day from which they hold."""
    rows = InterestTerms.objects.published().order_by("valid_from")
    return [Terms(*row) for row in rows.values_list("valid_from", "rate_ppm", "grace_days")]


def accounts(sellers: Collection[int]) -> dict[int, Account]:
    """What was invoiced to each seller, charged and paid: two queries for any number of them."""
    invoiced, charged, paid = defaultdict(list), defaultdict(list), defaultdict(list)
    closed = Statement.objects.exclude(state=Statement.State.OPEN).filter(seller__in=sellers)
    for seller_id, *row in closed.filter(debt_invoiced__gt=0).values_list(
        "seller_id", "closed_on", "debt_invoiced"
    ):
        invoiced[seller_id].append(tuple(row))
    movements = DebtMovement.objects.of_invoiced().filter(seller__in=sellers)
    for seller_id, kind, *row in movements.values_list("seller_id", "kind", "on", "amount"):
        (charged if kind == Kind.INTEREST else paid)[seller_id].append(tuple(row))
    return {
        key: Account(sorted(invoiced[key]), sorted(charged[key]), sorted(paid[key]))
        for key in sellers
    }


def coming(seller_id: int, *, on: date) -> list[interest.Period]:
    """What was counted of a seller since the last charge, and is charged at the month's end."""
    [account] = accounts([seller_id]).values()
    return _periods(account, terms(), on)


def differences() -> Iterator[Found]:
    """Charges that are not what their periods come to, or whose days were charged twice."""
    charges = DebtMovement.objects.interest().order_by("seller", "on").select_related("seller")
    before: dict[int, date] = {}
    for row in charges.iterator():
        counted = row.counted
        if (amount := interest.amount(counted)) != row.amount:
            yield "interest", row.public_id, "amount", amount, row.amount
        since = before.get(row.seller_id, date.min)
        days = [day for period in counted for day in (period.first, period.last)]
        if days != sorted(days) or days[0] <= since or days[-1] > row.on:
            yield "interest", row.public_id, "days", f"after {since}, until {row.on}", days
        before[row.seller_id] = row.on


def _may_owe(on: date) -> Q:
    """Who owes by invoice, or has paid since the month began."""
    paid = DebtMovement.objects.of_invoiced().settling().filter(on__gte=on.replace(day=1))
    return Q(receivable__gt=0) | Q(seller__in=paid.values("seller"))


def _periods(account: Account, in_force: list[Terms], until: date) -> list[interest.Period]:
    after = max((day for day, _ in account.charged), default=None)
    return interest.periods(account, in_force, after=after, until=until)


def _charged(
    seller_id: int, account: Account, in_force: list[Terms], on: date, at: datetime
) -> DebtMovement | None:
    found = _periods(account, in_force, on)
    amount = interest.amount(found)
    if not amount:
        return None
    periods = [interest.write(period) for period in found]
    return DebtMovement(
        seller_id=seller_id, kind=Kind.INTEREST, amount=amount, on=on, periods=periods, at=at
    )


def _journal(movement: DebtMovement) -> Draft:
    draft = Draft("debt", movement.public_id, movement.on, movement.seller_id)
    draft.debit(ledger.SELLER_RECEIVABLE, movement.amount)
    draft.credit(ledger.INTEREST_INCOME, movement.amount)
    return draft
