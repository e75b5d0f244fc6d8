"""Close the months of the ledger, one after the other, and open the last of them again.

A month can be closed once its last night is over. From then on the database refuses journals into
it; what comes late is posted on a day that is open. Each closing keeps the trial balance and binds
it by hash to the closing before, so that a month edited behind our back, or closed twice with
different figures, shows.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q

from marketplace import audit, changes, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from settlements import ledger_balances, ledger_reading
from settlements.models import Journal, LedgerEntry, Period, PeriodClosing

GENESIS = "0" * 64


class NotTheNextMonth(Refused):
    code = "not_the_next_month"
    message = gettext_noop("%(month)s cannot be closed now: the next month to close is %(next)s.")


class MonthNotOver(Refused):
    code = "month_not_over"
    message = gettext_noop("%(month)s is not over: the night of %(last)s has to be closed before.")


class LedgerUnbalanced(Refused):
    code = "ledger_unbalanced"
    message = gettext_noop(
        "The trial balance does not balance: debits of %(debit)s stand against credits of "
        "%(credit)s. Run “verify” and mend the cause first."
    )


class NotTheLastMonth(Refused):
    code = "not_the_last_month"
    message = gettext_noop(
        "Only the month that was closed last can be opened again, and that is %(last)s."
    )


def next_to_close() -> date | None:
    """The first day of the month that can be closed next; None while nothing was ever posted."""
    last = _last_closed()
    if last is not None:
        return ledger_balances.next_month(last.month)
    first = Journal.objects.order_by("basis_on").values_list("basis_on", flat=True).first()
    return None if first is None else ledger_balances.first_of(first)


def last_day(month: date) -> date:
    return ledger_balances.next_month(month) - timedelta(days=1)


@transaction.atomic
def close(month: date, *, by, at: datetime) -> PeriodClosing:
    """Close a month for good, or until two people open it again.

    Raises NotTheNextMonth, MonthNotOver or LedgerUnbalanced. Journals that are just being posted
    into the month are waited for and counted; those that come after are refused.
    """
    lock_month(month)
    expected = next_to_close()
    if month != expected:
        raise NotTheNextMonth(month=f"{month:%Y-%m}", next=f"{expected:%Y-%m}" if expected else "-")
    last = last_day(month)
    closed_on = Marketplace.objects.get(pk=tenancy.current_id()).last_closed_on
    if closed_on is None or closed_on < last:
        raise MonthNotOver(month=f"{month:%Y-%m}", last=last)
    rows, total = ledger_reading.trial_balance(last)
    if total.debit != total.credit:
        raise LedgerUnbalanced(debit=total.debit, credit=total.credit)
    period, _ = Period.objects.select_for_update().get_or_create(month=month)
    version = period.version + 1
    ledger_balances.store(month)
    closing = PeriodClosing(
        period=period,
        version=version,
        closed_at=at,
        closed_by=by,
        entries=LedgerEntry.objects.filter(basis_on__gte=month, basis_on__lte=last).count(),
        trial_balance=sorted(
            [row.code, row.debit, row.credit] for row in rows if row.debit or row.credit
        ),
        previous_hash=_last_hash(),
    )
    closing.hash = digest(closing)
    closing.save()
    states.move(period, Period.State.CLOSED, by=by, at=at, changes={"version": version})
    told = {"month": f"{month:%Y-%m}", "version": version, "hash": closing.hash}
    audit.record("ledger.month_closed", by=by, at=at, obj=period, data=told)
    changes.announce("period.closed", f"{month:%Y-%m}", at=at, **told)
    return closing


@transaction.atomic
def reopen(period: Period, *, by, at: datetime, reason: str) -> Period:
    """Open the month that was closed last. Called once a second person has approved.

    Raises NotTheLastMonth. Its stored balances go; its closing stays, and the next is another
    version.
    """
    lock_month(period.month)
    last = _last_closed()
    if last is None or last.pk != period.pk:
        raise NotTheLastMonth(last=last or "-")
    states.move(period, Period.State.OPEN, by=by, at=at, reason=reason)
    ledger_balances.drop(period.month)
    changes.announce(
        "period.reopened", f"{period.month:%Y-%m}", at=at, month=f"{period.month:%Y-%m}"
    )
    return period


def lock_month(day: date) -> None:
    """Wait for every transaction that posts into the month of a day, and let no other begin."""
    with connection.cursor() as cursor:
        month = ledger_balances.first_of(day)
        cursor.execute("SELECT lock_ledger_month(%s, %s, false)", [tenancy.current_id(), month])


def digest(closing: PeriodClosing) -> str:
    """What a closing says, as a hash: month, version, entries, trial balance, the one before."""
    said = {
        "month": closing.period.month.isoformat(),
        "version": closing.version,
        "entries": closing.entries,
        "trial_balance": [list(row) for row in closing.trial_balance],
        "previous": closing.previous_hash,
    }
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify() -> Iterator[tuple[str, str, object, object]]:
    """Closings that do not say what they said, as (closing, field, expected, found).

    The chain of all versions, and the trial balance of every month that is closed now.
    """
    previous = GENESIS
    for closing in PeriodClosing.objects.select_related("period").order_by("pk"):
        key = f"{closing.period} v{closing.version}"
        if closing.previous_hash != previous:
            yield key, "previous hash", previous, closing.previous_hash
        if digest(closing) != closing.hash:
            yield key, "hash", digest(closing), closing.hash
        previous = closing.hash
    now = PeriodClosing.objects.filter(
        Q(period__state=Period.State.CLOSED), version=F("period__version")
    )
    for closing in now.select_related("period"):
        rows, _ = ledger_reading.trial_balance(last_day(closing.period.month))
        found = sorted([row.code, row.debit, row.credit] for row in rows if row.debit or row.credit)
        if found != closing.trial_balance:
            yield str(closing.period), "trial balance", closing.trial_balance, found


def _last_closed() -> Period | None:
    return Period.objects.filter(state=Period.State.CLOSED).order_by("-month").first()


def _last_hash() -> str:
    last = PeriodClosing.objects.order_by("-pk").values_list("hash", flat=True).first()
    return last or GENESIS
