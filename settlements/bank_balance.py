"""The balance of the bank's own lists against the ledger's bank account at the end of a day.

The difference is named: transactions that nobody has explained, what the ledger moved and the bank
does not show, what both have on different sides of the day, and what stood there before the first
transaction. Amounts are minor units, above zero where the bank has more.
"""

from dataclasses import dataclass
from datetime import date

from django.db import connection

from marketplace import tenancy
from settlements import chart, ledger_balances
from settlements.models import Account, BankRow


@dataclass(frozen=True, slots=True)
class Standing:
    """Bank and ledger at the end of a day; the last four are what the bank has more."""

    on: date
    bank: int
    ledger: int
    rows: int  # transactions not explained
    waiting: int
    journals: int  # journals without a transaction
    unseen: int
    across: int  # matched, but by the end of the day only one of the two
    before: int  # from before the first transaction

    @property
    def difference(self) -> int:
        return self.bank - self.ledger


_SUMS = """
WITH rows AS (
    SELECT id, amount, state FROM settlements_bankrow
    WHERE marketplace_id = %(marketplace)s AND "on" <= %(on)s
), moved AS (
    SELECT e.journal_id, sum(e.debit - e.credit) AS amount, bool_or(m.id IS NOT NULL) AS matched
    FROM ledger_entry e
    LEFT JOIN settlements_bankmatch m ON m.marketplace_id = %(marketplace)s
         AND m.journal_id = e.journal_id
    WHERE e.marketplace_id = %(marketplace)s AND e.account_id = %(account)s
      AND e.basis_on >= %(first)s AND e.basis_on <= %(on)s
    GROUP BY e.journal_id
), earlier AS (
    SELECT coalesce(sum(e.debit - e.credit), 0) AS amount
    FROM settlements_bankmatch m
    JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = m.journal_id
    JOIN ledger_entry e ON e.marketplace_id = %(marketplace)s AND e.journal_id = j.id
         AND e.basis_on = j.basis_on AND e.account_id = %(account)s
    WHERE m.marketplace_id = %(marketplace)s AND j.basis_on < %(first)s
)
SELECT (SELECT coalesce(sum(balance), 0) FROM (
            SELECT DISTINCT ON (account) balance FROM settlements_bankrow
            WHERE marketplace_id = %(marketplace)s AND "on" <= %(on)s
            ORDER BY account, place DESC) last)::bigint,
       (SELECT count(*) FROM rows WHERE state = 'open'),
       (SELECT coalesce(sum(amount), 0) FROM rows WHERE state = 'open')::bigint,
       (SELECT count(*) FROM moved WHERE NOT matched),
       (SELECT coalesce(-sum(amount), 0) FROM moved WHERE NOT matched)::bigint,
       ((SELECT coalesce(sum(amount), 0) FROM rows WHERE state <> 'open')
        - (SELECT coalesce(sum(amount), 0) FROM moved WHERE matched)
        - (SELECT amount FROM earlier))::bigint
"""


def last_day() -> date | None:
    """The day of the last transaction that the bank has listed."""
    return BankRow.objects.order_by("-on").values_list("on", flat=True).first()


def at_end_of(on: date) -> Standing | None:
    """Bank and ledger at the end of a day; None where the bank had listed nothing by then."""
    first = BankRow.objects.order_by("on").values_list("on", flat=True).first()
    if first is None or first > on:
        return None
    account = Account.objects.filter(code=chart.BANK).values_list("pk", flat=True).first()
    words = {"marketplace": tenancy.current_id(), "account": account, "first": first, "on": on}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, words)
        bank, rows, waiting, journals, unseen, across = cursor.fetchone()
    ledger = ledger_balances.of(account, on).balance if account else 0
    return Standing(
        on=on,
        bank=bank,
        ledger=ledger,
        rows=rows,
        waiting=waiting,
        journals=journals,
        unseen=unseen,
        across=across,
        before=bank - ledger - waiting - unseen - across,
    )
