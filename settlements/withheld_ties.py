"""Withheld tax from the day of payment, which the tax office asks for, to the ledger.

Tax is computed and booked when a statement closes, and counts as withheld when its money is paid
out (소득세법 제127조), to be paid to the tax office by the 10th of the next month (제128조). What
lies between is withheld and not yet paid: of statements that wait, are held, or are excluded. A
payment that came back counts against the day on which it did. Amounts are minor units.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db import connection

from marketplace import tenancy
from settlements import ledger, ledger_balances
from settlements.models import Account

# Each payment of a statement with its day, 1 for one that was made and -1 for one that came back.
PAYMENTS: Final = """
SELECT i.statement_id, coalesce(j.occurred_on, j.basis_on) AS paid_on,
       CASE j.template WHEN 'payout_returned' THEN -1 ELSE 1 END AS times
FROM settlements_statement w
JOIN settlements_payoutitem i ON i.marketplace_id = %(marketplace)s AND i.statement_id = w.id
JOIN settlements_payout p ON p.marketplace_id = %(marketplace)s AND p.id = i.payout_id
     AND (p.state = 'returned' OR p.state = 'paid' AND i.is_live)
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.reference = p.public_id
     AND j.template IN ('payout_paid', 'payout_paid_late', 'payout_returned')
WHERE w.marketplace_id = %(marketplace)s AND w.withholding_income + w.withholding_local > 0
"""
_SUMS: Final = f"""
WITH payment AS ({PAYMENTS}), told AS (
    SELECT t.closed_on, t.withholding_income AS income, t.withholding_local AS local,
           coalesce(sum(p.times) FILTER (WHERE p.paid_on >= %(first)s AND p.paid_on < %(end)s), 0)
               AS within,
           coalesce(sum(p.times) FILTER (WHERE p.paid_on < %(end)s), 0) AS so_far
    FROM settlements_statement t
    LEFT JOIN payment p ON p.statement_id = t.id
    WHERE t.marketplace_id = %(marketplace)s AND t.closed_on < %(end)s
          AND t.withholding_income + t.withholding_local > 0
    GROUP BY t.id, t.closed_on, t.withholding_income, t.withholding_local
)
SELECT coalesce(sum(within * income), 0), coalesce(sum(within * local), 0),
       coalesce(sum((1 - within) * income) FILTER (WHERE closed_on >= %(first)s), 0),
       coalesce(sum((1 - within) * local) FILTER (WHERE closed_on >= %(first)s), 0),
       coalesce(sum(within * income) FILTER (WHERE closed_on < %(first)s), 0),
       coalesce(sum(within * local) FILTER (WHERE closed_on < %(first)s), 0),
       coalesce(sum((1 - so_far) * income), 0), coalesce(sum((1 - so_far) * local), 0)
FROM told
"""  # noqa: S608 (all parts are constants)

Taxes = tuple[int, int]  # income tax, and its local part


@dataclass(frozen=True, slots=True)
class WithholdingTie:
    """From what was paid out in a quarter to what statements closed in it have booked."""

    reported: Taxes  # of statements paid in the quarter, less payments that came back in it
    closed_unpaid: Taxes  # of statements closed in the quarter, and not paid in it
    paid_of_earlier: Taxes  # of those reported, on statements closed in an earlier quarter
    booked: Taxes  # by the journals of statements closed in the quarter
    waiting: Taxes  # withheld, and not yet paid at the end of the quarter
    balance: Taxes  # of the accounts at the end of the quarter

    @property
    def differences(self) -> Taxes:
        """What nothing explains, by tax."""
        income, local = (
            booked - (reported + unpaid - earlier)
            for reported, unpaid, earlier, booked in zip(
                self.reported, self.closed_unpaid, self.paid_of_earlier, self.booked, strict=True
            )
        )
        return income, local

    @property
    def unexplained(self) -> int:
        return sum(abs(difference) for difference in self.differences)

    @property
    def to_remit(self) -> Taxes:
        """Of the accounts what is no longer waiting: what the tax offices are still to be paid."""
        income, local = (
            balance - waiting for balance, waiting in zip(self.balance, self.waiting, strict=True)
        )
        return income, local


def of(first: date, end: date, booked: Taxes) -> WithholdingTie:
    """The tie of the days from `first` until before `end`; `booked` by journals of statements."""
    words = {"marketplace": tenancy.current_id(), "first": first, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, words)
        found = [int(amount) for amount in cursor.fetchone()]
    reported, unpaid, earlier, waiting = (
        (found[at], found[at + 1]) for at in range(0, len(found), 2)
    )
    return WithholdingTie(reported, unpaid, earlier, booked, waiting, _balance(end))


def _balance(end: date) -> Taxes:
    codes = (ledger.WITHHOLDING_INCOME, ledger.WITHHOLDING_LOCAL)
    keys = dict(Account.objects.filter(code__in=codes).values_list("code", "pk"))
    last = end - timedelta(days=1)
    income, local = (
        -ledger_balances.of(keys[code], last).balance if code in keys else 0 for code in codes
    )
    return income, local
