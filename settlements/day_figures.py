"""What the sheet of a business day says: each figure read where it stands, none from another one.

Reading only; signing is settlements.day_closing.
"""

from datetime import date, timedelta

from django.db import connection
from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Abs

from marketplace import tenancy
from settlements import chart, day_sheet, ledger_balances, missing_files, payout_exceptions
from settlements.models import (
    Account,
    ClearingItem,
    ClearingProof,
    DayClose,
    Discrepancy,
    LedgerDifference,
    LedgerEntry,
    MissingFile,
    Payout,
    PayoutException,
    ProviderRow,
    SignedSheet,
    Statement,
)

OWED = (  # what sellers owe is the other side of it
    chart.SELLER_PAYABLE,
    chart.SELLER_HELD,
    chart.SELLER_RESERVE,
    chart.PAYOUT_PAYABLE,
    chart.SELLER_RECEIVABLE,
)
OWED_BY_US, CLEARING = "owed", "clearing"
PROVEN = ("unknown", "by_hand")  # of a proof of clearing, beside its items
FIGURES = {OWED_BY_US: OWED, CLEARING: (chart.CLEARING,)}  # accounts of figures that have a list

# Outcomes of the day by what became of them. What one is worth is the difference to the one
# before it; all of its lines stand in one month.
_OUTCOMES = """
WITH o AS (
    SELECT o.id, o.line_id, o.sequence, o.seller_id,
           o.list_amount - o.seller_discount
           - coalesce(b.list_amount - b.seller_discount, 0) AS amount
    FROM orders_outcome o
    LEFT JOIN orders_outcome b ON b.marketplace_id = o.marketplace_id AND b.line_id = o.line_id
         AND b.sequence = o.sequence - 1 AND o.sequence > 0
    WHERE o.marketplace_id = %(marketplace)s AND o.basis_on = %(day)s
)
SELECT coalesce(sum(o.amount), 0)::bigint,
       coalesce(sum(o.amount) FILTER (WHERE s.id IS NULL AND q.id IS NOT NULL), 0)::bigint,
       coalesce(sum(o.amount) FILTER (WHERE s.id IS NULL AND q.id IS NULL), 0)::bigint
FROM o
LEFT JOIN settlement_line s ON s.marketplace_id = %(marketplace)s AND s.basis_on = %(day)s
     AND s.order_line_id = o.line_id AND s.sequence = o.sequence
LEFT JOIN orders_outcometosettle q ON q.marketplace_id = %(marketplace)s
     AND q.seller_id = o.seller_id AND q.outcome_id = o.id
"""
_LINES = """
SELECT coalesce(sum(list_amount - seller_discount), 0)::bigint FROM settlement_line
WHERE marketplace_id = %(marketplace)s AND basis_on = %(day)s
"""
_MOVED = """
SELECT j.template, sum(e.credit - e.debit)::bigint FROM ledger_entry e
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = e.journal_id
WHERE e.marketplace_id = %(marketplace)s AND e.basis_on = %(day)s AND e.account_id = ANY(%(owed)s)
  AND j.template <> 'statement'
GROUP BY j.template HAVING sum(e.credit - e.debit) <> 0
"""


# Those of them that are on no line and do not wait, as _OUTCOMES counts them.
_LOST = """
SELECT o.id,
       o.list_amount - o.seller_discount - coalesce(b.list_amount - b.seller_discount, 0)
FROM orders_outcome o
LEFT JOIN orders_outcome b ON b.marketplace_id = o.marketplace_id AND b.line_id = o.line_id
     AND b.sequence = o.sequence - 1 AND o.sequence > 0
LEFT JOIN settlement_line s ON s.marketplace_id = %(marketplace)s AND s.basis_on = %(day)s
     AND s.order_line_id = o.line_id AND s.sequence = o.sequence
LEFT JOIN orders_outcometosettle q ON q.marketplace_id = %(marketplace)s
     AND q.seller_id = o.seller_id AND q.outcome_id = o.id
WHERE o.marketplace_id = %(marketplace)s AND o.basis_on = %(day)s AND s.id IS NULL AND q.id IS NULL
ORDER BY o.id
LIMIT %(most)s
"""

# What journals other than those of statements and deposits added to clearing on a day.
_CLEARED = """
SELECT j.template, sum(e.debit - e.credit)::bigint FROM ledger_entry e
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = e.journal_id
WHERE e.marketplace_id = %(marketplace)s AND e.basis_on = %(day)s AND e.account_id = %(clearing)s
  AND j.template NOT IN ('statement', 'provider_deposit')
GROUP BY j.template HAVING sum(e.debit - e.credit) <> 0
"""
# Gross of the rows whose deposits were posted on a day: most of what was paid out on it.
_DEPOSITED = """
SELECT coalesce(sum(r.gross), 0)::bigint FROM settlements_journal j
JOIN settlements_providerfile f ON f.marketplace_id = %(marketplace)s
     AND f.public_id = split_part(j.reference, ':', 1)
JOIN settlements_providerrow r ON r.marketplace_id = %(marketplace)s AND r.file_id = f.id
     AND r.paid_out_on = split_part(j.reference, ':', 2)::date
WHERE j.marketplace_id = %(marketplace)s AND j.template = 'provider_deposit'
  AND j.basis_on = %(day)s
"""


def live(day: date) -> day_sheet.Sheet:
    """The sheet of a date as things stand now."""
    return day_sheet.sheet(_facts(day))


def lost(day: date, most: int) -> list[tuple[int, int]]:
    """The first outcomes of a day that are on no line and do not wait: (id, what it is worth)."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST, {"marketplace": tenancy.current_id(), "day": day, "most": most})
        return cursor.fetchall()


def shown(day_close: DayClose) -> tuple[day_sheet.Sheet, SignedSheet | None]:
    """The sheet of a day: as two people signed it while it is signed, and else as things stand."""
    if day_close.state != DayClose.State.SIGNED:
        return live(day_close.day), None
    sheets = day_close.sheets.select_related("signed_first_by", "signed_by")
    signed = sheets.order_by("-version")[0]
    return day_sheet.read(signed.sheet), signed


def _facts(day: date) -> day_sheet.Facts:
    owed = list(Account.objects.filter(code__in=OWED).values_list("pk", flat=True))
    account = Account.objects.filter(code=chart.CLEARING).values_list("pk", flat=True).first()
    parameters = {
        "marketplace": tenancy.current_id(),
        "day": day,
        "owed": owed,
        "clearing": account or 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, parameters)
        outcomes, waiting, lost = cursor.fetchone()
        cursor.execute(_LINES, parameters)
        [on_lines] = cursor.fetchone()
        cursor.execute(_MOVED, parameters)
        moved = dict(cursor.fetchall())
        cursor.execute(_CLEARED, parameters)
        cleared = dict(cursor.fetchall())
        cursor.execute(_DEPOSITED, parameters)
        [deposited] = cursor.fetchone()
    closed = Statement.objects.filter(closed_on=day).aggregate(
        listed=Sum("list_amount"),
        discount=Sum("seller_discount"),
        funded=Sum("platform_discount") + Sum("partner_discount"),
        net=Sum("net"),
        withheld=Sum("withholding_income") + Sum("withholding_local"),
    )
    closed = {name: int(amount or 0) for name, amount in closed.items()}
    entries = ledger_balances.summed(LedgerEntry.objects.filter(basis_on=day))
    opening = ledger_balances.at_end_of(day - timedelta(days=1))
    closing = ledger_balances.at_end_of(day)
    return day_sheet.Facts(
        **_provider(day),
        outcomes=outcomes,
        on_lines=on_lines,
        waiting=waiting,
        lost=lost,
        sold=closed["listed"] - closed["discount"],
        charged=_charged(day),
        net=closed["net"],
        opening=_owed(opening, owed),
        withheld=closed["withheld"],
        moved=moved,
        closing=_owed(closing, owed),
        clearing_opening=_balance(opening, account),
        taken=closed["listed"] - closed["discount"] - closed["funded"],
        deposited=deposited,
        clearing_moved=cleared,
        clearing_closing=_balance(closing, account),
        standing=_standing(day, _balance(closing, account)),
        debits=entries.debit,
        credits=entries.credit,
        unresolved=_unresolved(day, closing),
    )


def _charged(day: date) -> int:
    """What statements closed on a day took off sales, from their components: fees, VAT, others."""
    components = Statement.objects.filter(closed_on=day).values_list("components", flat=True)
    return sum(fee + on_top for each in components for fee, _, on_top in each.values())


def _standing(day: date, closing: int) -> dict[str, int] | None:
    """What the proof of the night named. What was posted after it for the day, less what it had
    counted of later days, is what has changed since."""
    proof = ClearingProof.objects.filter(day=day).first()
    if proof is None:
        return None
    named = {name: getattr(proof, name) for name in (*ClearingItem.Kind.values, *PROVEN)}
    return {**named, "elsewhen": closing - proof.balance}


def _balance(sides: dict, account: int | None) -> int:
    return sides[account].balance if account in sides else 0


def _owed(sides: dict, accounts: list[int]) -> int:
    return -sum(sides[key].balance for key in accounts if key in sides)


def _provider(day: date) -> dict[str, int | None]:
    """What settlement files say was paid out on a day; all None where they do not say yet."""
    found = ProviderRow.objects.filter(paid_out_on=day).aggregate(
        gross=Sum("gross"),
        provider_fee=Sum("fee"),
        provider_vat=Sum("fee_vat"),
        deposit=Sum("deposit"),
    )
    if found["gross"] is None and not missing_files.has_come(day):
        return found
    return {name: int(amount or 0) for name, amount in found.items()}


def _unresolved(day: date, closing: dict) -> dict[str, int]:
    """What waits for a person, named with its amount; zeros too."""
    suspense = Account.objects.filter(code=chart.SUSPENSE).values_list("pk", flat=True).first()
    exceptions = PayoutException.objects.filter(state=PayoutException.State.OPEN)
    return {
        "suspense": -closing[suspense].balance if suspense in closing else 0,
        **_open("discrepancies", "discrepancy", Discrepancy.objects.open(), Abs("difference")),
        **_open("missing_files", "missing_file", MissingFile.objects.open(), F("amount")),
        **_open("payout_exceptions", "payout_exception", exceptions, payout_exceptions.at_stake()),
        **_open(
            "payouts_unanswered", "payout_unanswered", Payout.objects.overdue(day), F("amount")
        ),
        **_open(
            "ledger_differences",
            "ledger_difference",
            LedgerDifference.objects.open(),
            Abs("difference"),
        ),
    }


def _open(several: str, one: str, rows: QuerySet, worth) -> dict[str, int]:
    sums = rows.aggregate(count=Count("pk"), amount=Sum(worth))
    return {several: sums["count"], f"{one}_amount": int(sums["amount"] or 0)}
