"""Journals of the double-entry ledger, each from a named template that balances for any input.

All legs of a batch of journals are inserted by one statement, which the database checks for
balance. Debit and credit are two columns; an amount below zero goes to the other side.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.db import connection

from marketplace import tenancy
from settlements.models import Account, Journal

BANK = "bank"
BAD_DEBT = "bad_debt"
CLEARING = "clearing"
PLATFORM_FUNDING = "platform_funding"
PARTNER_FUNDING = "partner_funding"
SELLER_PAYABLE = "seller_payable"
SELLER_HELD = "seller_held"
SELLER_RESERVE = "seller_reserve"
SELLER_RECEIVABLE = "seller_receivable"
PAYOUT_PAYABLE = "payout_payable"
PAYOUT_IN_TRANSIT = "payout_in_transit"
SUSPENSE = "suspense"
FEE_REVENUE = "fee_revenue:"  # and the component
VAT_PAYABLE = "vat_payable"
WITHHOLDING_INCOME = "withholding_income"
WITHHOLDING_LOCAL = "withholding_local"
PER_SELLER = frozenset(
    {
        SELLER_PAYABLE,
        SELLER_HELD,
        SELLER_RESERVE,
        SELLER_RECEIVABLE,
        PAYOUT_PAYABLE,
        PAYOUT_IN_TRANSIT,
    }
)


@dataclass(slots=True)
class Draft:
    """A journal to be posted: its template, what it refers to, and its legs."""

    template: str
    reference: str
    basis_on: date
    seller_id: int | None = None
    legs: list[tuple[str, int, int]] = field(default_factory=list)  # account code, debit, credit

    def debit(self, code: str, amount: int) -> None:
        """Put an amount on the debit side; below zero it is a credit, and nothing is no leg."""
        if amount > 0:
            self.legs.append((code, amount, 0))
        elif amount < 0:
            self.legs.append((code, 0, -amount))

    def credit(self, code: str, amount: int) -> None:
        self.debit(code, -amount)


def component_names() -> dict[str, str]:
    """What the marketplace in use calls each fee component, by its code."""
    rows = Account.objects.filter(code__startswith=FEE_REVENUE).values_list("code", "name")
    return {code.removeprefix(FEE_REVENUE): name for code, name in rows}


def post(drafts: Iterable[Draft]) -> list[Journal]:
    """Write journals with all their legs. One that was posted before is an IntegrityError."""
    drafts = list(drafts)
    accounts = _accounts({code for draft in drafts for code, _, _ in draft.legs})
    journals = Journal.objects.bulk_create(
        [Journal(template=d.template, reference=d.reference, basis_on=d.basis_on) for d in drafts],
        batch_size=2000,
    )
    columns: tuple[list, ...] = ([], [], [], [], [], [])
    for draft, journal in zip(drafts, journals, strict=True):
        for code, debit, credit in draft.legs:
            seller_id = draft.seller_id if code in PER_SELLER else None
            leg = (draft.basis_on, journal.pk, accounts[code], seller_id, debit, credit)
            for column, value in zip(columns, leg, strict=True):
                column.append(value)
    if columns[0]:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ledger_entry (marketplace_id, basis_on, journal_id, account_id, "
                "seller_id, debit, credit) SELECT %s, leg.* FROM unnest(%s::date[], %s::bigint[], "
                "%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS leg",
                [tenancy.current_id(), *columns],
            )
    return journals


def _accounts(codes: set[str]) -> dict[str, int]:
    """Ids by code. A component that is charged for the first time gets its account here."""
    known = dict(Account.objects.filter(code__in=codes).values_list("code", "pk"))
    missing = sorted(codes - known.keys())
    if missing:
        Account.objects.bulk_create(
            [Account(code=code, name=code, is_per_seller=code in PER_SELLER) for code in missing],
            ignore_conflicts=True,
        )
        known = dict(Account.objects.filter(code__in=codes).values_list("code", "pk"))
    return known
