"""What accounts come to at the end of any day: the last closed month before it, and what followed.

Closing a month stores what every account had come to by its end (settlements.periods), so that a
question about any day reads the balances of one month and the entries after it, however long the
history is. Stored balances are derived: `store()` writes them, `drop()` takes them away, and
`differences()` computes them again from nothing but the entries. Amounts are minor units.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.db.models import Sum

from marketplace import tenancy
from settlements.models import Account, LedgerEntry, MonthBalance, Period


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything that was ever posted on an account, by side."""

    debit: int = 0
    credit: int = 0

    @property
    def balance(self) -> int:
        """Debit less credit."""
        return self.debit - self.credit

    def __add__(self, other: "Sides") -> "Sides":
        return Sides(self.debit + other.debit, self.credit + other.credit)


def first_of(day: date) -> date:
    """The first day of the month that a day lies in."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def at_end_of(on: date, *, seller_id: int | None = None) -> dict[int, Sides]:
    """What every account that was ever posted on comes to at the end of a day, by its id.

    Of a seller, only the seller's share of what is kept per seller.
    """
    base, since = _base(on)
    tail = _tail(since, on)
    if seller_id is not None:
        kept = Account.objects.filter(is_per_seller=True)
        tail = tail.filter(seller_id=seller_id, account_id__in=kept.values("pk"))
    sides = {}
    if base is not None:
        stored = MonthBalance.objects.filter(seller=seller_id, month__lte=base)
        newest = stored.order_by("account_id", "-month").distinct("account_id")
        for account_id, debit, credit in newest.values_list("account_id", "debit", "credit"):
            sides[account_id] = Sides(debit, credit)
    for account_id, debit, credit in (
        tail.values_list("account_id").annotate(Sum("debit"), Sum("credit")).order_by()
    ):
        since_then = Sides(int(debit), int(credit))
        sides[account_id] = sides.get(account_id, Sides()) + since_then
    return sides


def of(account_id: int, on: date, *, seller_id: int | None = None) -> Sides:
    """What one account comes to at the end of a day, or what a seller's share of it does."""
    base, since = _base(on)
    sides = Sides()
    if base is not None:
        stored = MonthBalance.objects.filter(
            account=account_id, seller=seller_id, month__lte=base
        ).order_by("-month")
        sides = Sides(*(stored.values_list("debit", "credit").first() or (0, 0)))
    tail = _tail(since, on).filter(account_id=account_id)
    if seller_id is not None:
        tail = tail.filter(seller_id=seller_id)
    return sides + summed(tail)


def summed(entries) -> Sides:
    """What some entries come to."""
    sums = entries.aggregate(debit=Sum("debit"), credit=Sum("credit"))
    return Sides(int(sums["debit"] or 0), int(sums["credit"] or 0))


# Of the months' own movements only those that moved get a row: what an account came to by the end
# of a month is its newest row up to it.
_STORE = """
INSERT INTO settlements_monthbalance (marketplace_id, month, account_id, seller_id, debit, credit)
SELECT %(marketplace)s, %(month)s, m.account_id, {seller},
       m.debit + coalesce(b.debit, 0), m.credit + coalesce(b.credit, 0)
FROM (
    SELECT account_id{by_seller}, sum(debit) AS debit, sum(credit) AS credit FROM ledger_entry
    WHERE marketplace_id = %(marketplace)s AND basis_on >= %(month)s AND basis_on < %(end)s
      {which} GROUP BY account_id{by_seller}
) m
LEFT JOIN LATERAL (
    SELECT debit, credit FROM settlements_monthbalance b
    WHERE b.marketplace_id = %(marketplace)s AND b.account_id = m.account_id
      AND {same_seller} AND b.month < %(month)s ORDER BY b.month DESC LIMIT 1
) b ON true
"""
_STORES = (
    _STORE.format(seller="NULL::bigint", by_seller="", which="", same_seller="b.seller_id IS NULL"),
    _STORE.format(
        seller="m.seller_id",
        by_seller=", seller_id",
        which="AND seller_id IS NOT NULL",
        same_seller="b.seller_id = m.seller_id",
    ),
)

_DIFFERENCES = """
WITH closed AS (
    SELECT month, (month + interval '1 month')::date AS end_on FROM settlements_period
    WHERE marketplace_id = %(marketplace)s AND state = 'closed'
), moved AS (
    SELECT c.month, e.account_id, e.seller_id, GROUPING(e.seller_id) AS is_total,
           sum(e.debit) AS debit, sum(e.credit) AS credit
    FROM ledger_entry e JOIN closed c ON e.basis_on >= c.month AND e.basis_on < c.end_on
    WHERE e.marketplace_id = %(marketplace)s
    GROUP BY GROUPING SETS ((c.month, e.account_id), (c.month, e.account_id, e.seller_id))
), expected AS (
    SELECT month, account_id, CASE WHEN is_total = 0 THEN seller_id END AS seller_id,
           sum(debit) OVER so_far AS debit, sum(credit) OVER so_far AS credit
    FROM moved WHERE is_total = 1 OR seller_id IS NOT NULL
    WINDOW so_far AS (PARTITION BY account_id, is_total, seller_id ORDER BY month)
)
SELECT a.code, r.code, coalesce(x.month, b.month), x.debit, x.credit, b.debit, b.credit
FROM expected x
FULL JOIN (
    SELECT * FROM settlements_monthbalance WHERE marketplace_id = %(marketplace)s
) b ON b.month = x.month AND b.account_id = x.account_id
    AND coalesce(b.seller_id, 0) = coalesce(x.seller_id, 0)
JOIN settlements_account a ON a.marketplace_id = %(marketplace)s
     AND a.id = coalesce(x.account_id, b.account_id)
LEFT JOIN sellers_seller r ON r.marketplace_id = %(marketplace)s
     AND r.id = coalesce(x.seller_id, b.seller_id)
WHERE (x.debit, x.credit) IS DISTINCT FROM (b.debit::numeric, b.credit::numeric)
ORDER BY 3, 1, 2
"""


def store(month: date) -> None:
    """Keep what every account has come to by the end of a month. The one before must be kept."""
    parameters = {
        "marketplace": tenancy.current_id(),
        "month": month,
        "end": next_month(month),
    }
    with connection.cursor() as cursor:
        for statement in _STORES:
            cursor.execute(statement, parameters)


def drop(month: date) -> None:
    """Forget what was kept of a month that is opened again."""
    MonthBalance.objects.filter(month=month).delete()


def differences() -> list[tuple]:
    """Stored balances that are not what the entries add up to from the first one on.

    Each as (account, seller or None, month, debit and credit due, debit and credit stored).
    """
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"marketplace": tenancy.current_id()})
        return cursor.fetchall()


def _base(on: date) -> tuple[date | None, date | None]:
    """The last closed month that is over by the end of a day, and the day that follows it."""
    months = Period.objects.filter(state=Period.State.CLOSED, month__lte=on)
    if on < date.max and (on + timedelta(days=1)).day > 1:  # its own month is not over
        months = months.filter(month__lt=first_of(on))
    base = months.order_by("-month").values_list("month", flat=True).first()
    return base, None if base is None else next_month(base)


def _tail(since: date | None, on: date):
    entries = LedgerEntry.objects.filter(basis_on__lte=on)
    return entries if since is None else entries.filter(basis_on__gte=since)
