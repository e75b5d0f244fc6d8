"""The ledger as people look at it: journals with their legs, balances at a day, account cards.

Reading only; posting is settlements.ledger. Every question names days, so that PostgreSQL looks
into the months that they fall in and no others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from marketplace import paging
from sellers.models import Seller
from settlements import chart, ledger_balances
from settlements.models import Account, Journal, LedgerEntry

_EARLIEST = date(1, 1, 2)  # the first day that has one before it
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account comes to: sums of both sides, and the difference on the side it is on."""

    code: str
    name: str
    account_id: int | None
    debit: int
    credit: int
    kind: str = ""
    is_unusual: bool = False  # it stands on the side where this account does not usually

    @property
    def debit_balance(self) -> int:
        return max(self.debit - self.credit, 0)

    @property
    def credit_balance(self) -> int:
        return max(self.credit - self.debit, 0)


@dataclass(frozen=True, slots=True)
class Leg:
    """An entry with the names of what it refers to; `balance` is debit less credit after it."""

    entry: LedgerEntry
    account: Account
    seller: Seller | None
    journal: Journal | None = None
    balance: int = 0


class Span(NamedTuple):
    """What an account began with, and its entries of some days."""

    opening: int
    entries: QuerySet[LedgerEntry]


@dataclass(frozen=True, slots=True)
class Card:
    """An account over some days: what it began with, a page of entries, what it ended with."""

    opening: int
    closing: int
    debit: int
    credit: int
    page: paging.Page


def trial_balance(
    on: date, *, only: Collection[str] | None = None
) -> tuple[list[Balance], Balance]:
    """What every account comes to at the end of a day, or `only` some, and the sum over them."""
    sides = ledger_balances.at_end_of(on)
    rows = [
        _balance(account, sides.get(account.pk, ledger_balances.Sides()))
        for account in Account.objects.order_by("place", "code")
        if only is None or account.code in only
    ]
    debit, credit = sum(row.debit for row in rows), sum(row.credit for row in rows)
    return rows, Balance("", "", None, debit, credit)


def _balance(account: Account, sides: ledger_balances.Sides) -> Balance:
    side = chart.DEBIT if sides.balance > 0 else chart.CREDIT
    return Balance(
        account.code,
        account.label,
        account.pk,
        sides.debit,
        sides.credit,
        account.kind,
        is_unusual=sides.balance != 0 and side != account.normal_side,
    )


def legs(journals: Iterable[Journal]) -> dict[int, list[Leg]]:
    """The legs of journals by the journal's id; three queries however many there are."""
    journals = list(journals)
    entries = LedgerEntry.objects.filter(
        journal_id__in=[journal.pk for journal in journals],
        basis_on__in={journal.basis_on for journal in journals},
    ).order_by("pk")
    found = defaultdict(list)
    for leg in named(list(entries)):
        found[leg.entry.journal_id].append(leg)
    return found


def card(
    parameters, account: Account, *, first: date, last: date, seller: Seller | None = None
) -> Card:
    """A page of the entries of an account from one day to another, with what it comes to."""
    opening, inside = span(account, first=first, last=last, seller=seller)
    moved = ledger_balances.summed(inside)
    page = paging.page(parameters, inside)
    balance = opening
    if page.rows:
        balance += ledger_balances.summed(inside.filter(pk__lt=page.rows[-1].pk)).balance
    rows = []
    for leg in named(page.rows[::-1], with_journals=True):
        balance += leg.entry.debit - leg.entry.credit
        rows.append(Leg(leg.entry, leg.account, leg.seller, leg.journal, balance))
    shown = paging.Page(rows[::-1], page.newer, page.older)
    return Card(opening, opening + moved.balance, moved.debit, moved.credit, shown)


def span(account: Account, *, first: date, last: date, seller: Seller | None = None) -> Span:
    """What an account, or a seller's part of it, began with on a day, and its entries from then."""
    entries = LedgerEntry.objects.filter(account_id=account.pk)
    if seller is not None:
        entries = entries.filter(seller_id=seller.pk)
    before = max(first, _EARLIEST) - timedelta(days=1)
    opening = ledger_balances.of(
        account.pk, before, seller_id=seller.pk if seller else None
    ).balance
    return Span(opening, entries.filter(basis_on__gte=first, basis_on__lte=last))


def in_order(found: Span) -> Iterator[Leg]:
    """The entries of a span, the oldest first, with the balance after each.

    A batch at a time: memory holds no more of a longer one.
    """
    balance, done = found.opening, 0
    while batch := list(found.entries.filter(pk__gt=done).order_by("pk")[:_BATCH]):
        done = batch[-1].pk
        for leg in named(batch, with_journals=True):
            balance += leg.entry.debit - leg.entry.credit
            yield Leg(leg.entry, leg.account, leg.seller, leg.journal, balance)


def named(entries: list[LedgerEntry], *, with_journals: bool = False) -> list[Leg]:
    """Entries with the names of what they refer to; a query for each kind of name."""
    accounts = Account.objects.in_bulk({entry.account_id for entry in entries})
    sellers = Seller.objects.in_bulk({e.seller_id for e in entries if e.seller_id is not None})
    ids = {entry.journal_id for entry in entries} if with_journals else set()
    journals = Journal.objects.in_bulk(ids)
    return [
        Leg(e, accounts[e.account_id], sellers.get(e.seller_id), journals.get(e.journal_id))
        for e in entries
    ]
