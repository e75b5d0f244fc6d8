"""The trial balance and account cards as tables, of which settlements.table_files makes files.

The rows are those of the pages (settlements.ledger_reading), a card's oldest first, with what it
begins and ends with around them.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date

from django.utils.translation import gettext

from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from sellers.models import Seller
from settlements import ledger_reading, table_files
from settlements.ledger_reading import Balance, Span
from settlements.models import Account
from settlements.table_files import Table

MOST_ENTRIES = 100_000  # of a card that a page makes


class CardTooLong(Refused):
    code = "account_card_too_long"
    message = gettext_noop(
        "A file holds at most %(most)s entries of an account. Choose fewer days or one seller, or "
        "export the journal."
    )


def trial_balance(
    marketplace: Marketplace, on: date, *, only: Collection[str] | None = None
) -> Table:
    """What every account, or `only` some, comes to at the end of a day, and the sums over them."""
    rows, _ = ledger_reading.trial_balance(on, only=only)
    columns = [
        gettext("Code"),
        gettext("Account"),
        gettext("Debits"),
        gettext("Credits"),
        gettext("Debit balance"),
        gettext("Credit balance"),
    ]
    amount = table_files.amounts(marketplace)
    told = [[row.code, row.name, *map(amount, _figures(row))] for row in rows]
    sums = (sum(column) for column in zip((0, 0, 0, 0), *map(_figures, rows), strict=True))
    told.append([gettext("Total"), "", *map(amount, sums)])
    return Table(gettext("Trial balance"), columns, told, marketplace.currency_exponent)


def card(
    marketplace: Marketplace,
    account: Account,
    *,
    first: date,
    last: date,
    seller: Seller | None = None,
) -> Table:
    """The entries of an account from one day to another, each with the balance after it.

    Raises CardTooLong.
    """
    span = ledger_reading.span(account, first=first, last=last, seller=seller)
    if span.entries[MOST_ENTRIES : MOST_ENTRIES + 1].exists():
        raise CardTooLong(most=f"{MOST_ENTRIES:,}")
    columns = [
        gettext("Effective on"),
        gettext("Journal"),
        gettext("Seller's code"),
        gettext("Seller"),
        gettext("Debit"),
        gettext("Credit"),
        gettext("Balance"),
    ]
    rows = _entries(span, first, last, table_files.amounts(marketplace))
    return Table(gettext("Account card"), columns, rows, marketplace.currency_exponent)


def _figures(row: Balance) -> tuple[int, int, int, int]:
    return row.debit, row.credit, row.debit_balance, row.credit_balance


def _entries(span: Span, first: date, last: date, amount) -> Iterator[Sequence]:
    yield [first, gettext("At the beginning"), "", "", None, None, amount(span.opening)]
    debit = credit = 0
    balance = span.opening
    for leg in ledger_reading.in_order(span):
        entry = leg.entry
        debit, credit, balance = debit + entry.debit, credit + entry.credit, leg.balance
        whose = (leg.seller.code, leg.seller.name) if leg.seller else ("", "")
        reference = leg.journal.reference if leg.journal else ""
        figures = (amount(entry.debit), amount(entry.credit), amount(balance))
        yield [entry.basis_on, reference, *whose, *figures]
    yield [last, gettext("At the end"), "", "", amount(debit), amount(credit), amount(balance)]
