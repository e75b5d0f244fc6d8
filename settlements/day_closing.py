"""The day close (일마감): one sheet for each business date, signed by two people.

The night opens the sheet of its date. Until it is signed, it is read live; what two people have
signed is kept with its hash, and the database then lets no journal into the day. A sheet that
changed between the two signatures has to be signed anew.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Abs

from marketplace import approvals, audit, changes, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from settlements import chart, day_sheet, ledger_balances, periods
from settlements.models import (
    Account,
    DayClose,
    Discrepancy,
    LedgerEntry,
    Period,
    ProviderRow,
    SignedSheet,
    Statement,
)

APPROVAL = "sign_day"
REOPEN = "reopen_day"
OWED = (  # what sellers owe is the other side of it
    chart.SELLER_PAYABLE,
    chart.SELLER_HELD,
    chart.SELLER_RESERVE,
    chart.PAYOUT_PAYABLE,
    chart.SELLER_RECEIVABLE,
)
State = DayClose.State

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


class DayNotOver(Refused):
    code = "day_not_over"
    message = gettext_noop("%(day)s cannot be signed before its night is closed.")


class SheetDiffers(Refused):
    code = "day_sheet_differs"
    message = gettext_noop(
        "Sums of %(day)s do not come out: %(blocks)s. Find the cause, or name it in the remark."
    )


class SheetChanged(Refused):
    code = "day_sheet_changed"
    message = gettext_noop(
        "The sheet of %(day)s has changed since it was signed first. Refuse this, and let it be "
        "signed anew."
    )


def begin(day: date) -> None:
    """Open the sheet of a date that the night is closing, and its month."""
    DayClose.objects.get_or_create(day=day)
    Period.objects.get_or_create(month=ledger_balances.first_of(day))


def live(day: date) -> day_sheet.Sheet:
    """The sheet of a date as things stand now."""
    return day_sheet.sheet(_facts(day))


@transaction.atomic
def sign_first(day_close: DayClose, *, by, at: datetime, remark: str = "") -> DayClose:
    """Sign a sheet as the first of two people, and ask for the second.

    Raises DayNotOver; SheetDiffers where a sum does not come out and no remark says why.
    """
    day = day_close.day
    periods.lock_month(day)
    day_close = DayClose.objects.select_for_update(no_key=True).get(pk=day_close.pk)
    closed_on = Marketplace.objects.get(pk=tenancy.current_id()).last_closed_on
    if closed_on is None or closed_on < day:
        raise DayNotOver(day=day)
    sheet = live(day)
    if sheet.differing and not remark.strip():
        raise SheetDiffers(day=day, blocks=", ".join(sheet.differing))
    changed = {
        "seen_hash": _digest(day_close, sheet.said()),
        "signed_first_by": by,
        "signed_first_at": at,
        "remark": remark,
    }
    states.move(day_close, State.ASKED, by=by, at=at, reason=remark, changes=changed)
    approvals.ask(APPROVAL, day_close, by=by, at=at, reason=remark or f"{day}")
    day_close.refresh_from_db()
    return day_close


@transaction.atomic
def sign(day_close: DayClose, *, by, at: datetime) -> SignedSheet:
    """Sign as the second person; called by the approval. The day is locked from then on.

    Raises SheetChanged where the sheet is not what the first person saw.
    """
    periods.lock_month(day_close.day)
    day_close = DayClose.objects.select_for_update(no_key=True).get(pk=day_close.pk)
    said = live(day_close.day).said()
    digest = _digest(day_close, said)
    if digest != day_close.seen_hash:
        raise SheetChanged(day=day_close.day)
    signed = SignedSheet.objects.create(
        day_close=day_close,
        version=day_close.version + 1,
        sheet=said,
        remark=day_close.remark,
        signed_first_by=day_close.signed_first_by,
        signed_first_at=day_close.signed_first_at,
        signed_by=by,
        signed_at=at,
        previous_hash=_last_hash(),
        hash=day_sheet.digest(day_close.day.isoformat(), day_close.version + 1, said, _last_hash()),
    )
    changed = {"version": signed.version}
    states.move(day_close, State.SIGNED, by=by, at=at, changes=changed)
    told = {"day": day_close.day.isoformat(), "version": signed.version, "hash": signed.hash}
    audit.record("ledger.day_signed", by=by, at=at, obj=day_close, data=told)
    changes.announce("day.signed", told["day"], at=at, **told)
    return signed


@transaction.atomic
def reopen(day_close: DayClose, *, by, at: datetime, reason: str) -> DayClose:
    """Let journals into a signed day again. Called once two people have agreed; its sheet stays."""
    periods.lock_month(day_close.day)
    states.move(day_close, State.OPEN, by=by, at=at, reason=reason)
    return day_close


def verify() -> Iterator[tuple[str, str, object, object]]:
    """Signed sheets that do not say what was signed, as (sheet, field, expected, found)."""
    previous = periods.GENESIS
    for signed in SignedSheet.objects.select_related("day_close").order_by("pk"):
        key = f"{signed.day_close} v{signed.version}"
        if signed.previous_hash != previous:
            yield key, "previous hash", previous, signed.previous_hash
        digest = day_sheet.digest(
            signed.day_close.day.isoformat(), signed.version, signed.sheet, signed.previous_hash
        )
        if digest != signed.hash:
            yield key, "hash", digest, signed.hash
        previous = signed.hash


def _digest(day_close: DayClose, said: dict) -> str:
    """What the first person saw, for comparing; the chain is made by the second."""
    return day_sheet.digest(day_close.day.isoformat(), day_close.version + 1, said, "")


def _last_hash() -> str:
    last = SignedSheet.objects.order_by("-pk").values_list("hash", flat=True).first()
    return last or periods.GENESIS


def _facts(day: date) -> day_sheet.Facts:
    owed = list(Account.objects.filter(code__in=OWED).values_list("pk", flat=True))
    parameters = {"marketplace": tenancy.current_id(), "day": day, "owed": owed}
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, parameters)
        outcomes, waiting, lost = cursor.fetchone()
        cursor.execute(_LINES, parameters)
        [on_lines] = cursor.fetchone()
        cursor.execute(_MOVED, parameters)
        moved = dict(cursor.fetchall())
    provider = ProviderRow.objects.filter(paid_out_on=day).aggregate(
        gross=Sum("gross"),
        provider_fee=Sum("fee"),
        provider_vat=Sum("fee_vat"),
        deposit=Sum("deposit"),
    )
    closed = Statement.objects.filter(closed_on=day).aggregate(
        listed=Sum("list_amount"),
        discount=Sum("seller_discount"),
        net=Sum("net"),
        withheld=Sum("withholding_income") + Sum("withholding_local"),
    )
    closed = {name: int(amount or 0) for name, amount in closed.items()}
    entries = ledger_balances.summed(LedgerEntry.objects.filter(basis_on=day))
    opening = ledger_balances.at_end_of(day - timedelta(days=1))
    closing = ledger_balances.at_end_of(day)
    return day_sheet.Facts(
        **{name: None if amount is None else int(amount) for name, amount in provider.items()},
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
        debits=entries.debit,
        credits=entries.credit,
        unresolved=_unresolved(closing),
    )


def _charged(day: date) -> int:
    """Fees with all their VAT of the statements that closed on a day, from their components."""
    components = Statement.objects.filter(closed_on=day).values_list("components", flat=True)
    return sum(fee + on_top for each in components for fee, _, on_top in each.values())


def _owed(sides: dict, accounts: list[int]) -> int:
    return -sum(sides[key].balance for key in accounts if key in sides)


def _unresolved(closing: dict) -> dict[str, int]:
    """What waits for a person, named with its amount; zeros too."""
    rows = Discrepancy.objects.open().aggregate(amount=Sum(Abs("difference")))
    suspense = Account.objects.filter(code=chart.SUSPENSE).values_list("pk", flat=True).first()
    return {
        "discrepancies": Discrepancy.objects.open().count(),
        "discrepancy_amount": int(rows["amount"] or 0),
        "suspense": -closing[suspense].balance if suspense in closing else 0,
    }
