"""The bank's maintenance windows: entered, ended, and what they mean for a batch of payouts."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from django.db import transaction

from marketplace import audit, reasons, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from settlements import bank_windows
from settlements.bank_windows import Recurring, Window, Windows
from settlements.models import BankWindow, PayoutBatch, PayoutPolicy

State = BankWindow.State
_Batch = PayoutBatch.State
# Of batches: some payout of it may still be sent.
UNSENT: Final = (
    _Batch.PREPARED,
    _Batch.APPROVED,
    _Batch.SCHEDULED,
    _Batch.EXECUTING,
    _Batch.STOPPED,
)


class BankClosed(Refused):
    code = "payout_bank_closed"
    message = gettext_noop(
        "The bank takes no transfers from %(begins)s until %(ends)s%(note)s. Choose %(free)s or "
        "later."
    )


class WindowEndsFirst(Refused):
    code = "bank_window_ends_first"
    message = gettext_noop("Write an end that is after the beginning, and still to come.")


class NeverFree(Refused):
    code = "bank_window_leaves_no_time"
    message = gettext_noop(
        "With this window no time of the week would be left to pay in. Choose shorter hours, or "
        "end another window first."
    )


@transaction.atomic
def enter_recurring(
    *, weekdays: list[int], from_time: time, to_time: time, note: str = "", by, at: datetime
) -> BankWindow:
    """Keep hours that come back on weekdays, in the marketplace's zone.

    A `to_time` that is not later than `from_time` is of the next day. Raises NeverFree.
    """
    market = _lock()
    row = BankWindow(
        weekdays=sorted(set(weekdays)), from_time=from_time, to_time=to_time, note=note.strip()
    )
    recurring = [w for w in _read(market, at) if isinstance(w, Recurring)]
    if bank_windows.leaves_none_free([*recurring, _recurring(row, market)], since=at):
        raise NeverFree(field="to_time")
    return _entered(row, by, at)


@transaction.atomic
def announce(
    *, begins_at: datetime, ends_at: datetime, note: str = "", by, at: datetime
) -> BankWindow:
    """Keep one span that the bank has announced. Raises WindowEndsFirst."""
    _lock()
    if ends_at <= max(begins_at, at):
        raise WindowEndsFirst(field="ends_at")
    row = BankWindow(begins_at=begins_at, ends_at=ends_at, note=note.strip())
    return _entered(row, by, at)


@transaction.atomic
def end(window: BankWindow, *, by, at: datetime, reason: str) -> None:
    """Let transfers be sent in its time again. Raises states.IllegalMove."""
    states.move(window, State.ENDED, by=by, at=at, reason=reasons.given(reason))


def of(policy: PayoutPolicy, *, at: datetime) -> Windows:
    """The windows, from a moment on, in which payouts of a policy are not sent.

    None for files: people take them to the bank when it is open. One query.
    """
    return [] if policy.writes_file else _read(tenancy.current(), at)


def closed_at(policy: PayoutPolicy, moment: datetime) -> Window | None:
    """The window that keeps payouts of a policy from being sent at a moment."""
    return bank_windows.window_at(moment, of(policy, at=moment))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the bank's windows mean for a batch that is not sent, or not to its end."""

    now: Window | None
    free_at: datetime | None  # when sending goes on, where it cannot be sent now
    coming: Window | None


def of_batch(batch: PayoutBatch, *, at: datetime) -> Outlook | None:
    """The window that holds a batch up, and the next one; None where there is none.

    The batch's policy was loaded with it.
    """
    if batch.state not in UNSENT:
        return None
    windows = of(batch.policy, at=at)
    now, coming = bank_windows.window_at(at, windows), bank_windows.coming(at, windows)
    if now is None and coming is None:
        return None
    return Outlook(now, bank_windows.next_free(at, windows) if now else None, coming)


def ensure_open(policy: PayoutPolicy, moment: datetime, *, field: str = "") -> None:
    """Raise BankClosed where payouts of a policy cannot be sent at a moment."""
    windows = of(policy, at=moment)
    window = bank_windows.window_at(moment, windows)
    if window is None:
        return
    zone = tenancy.current().tz
    free = bank_windows.next_free(moment, windows)
    told = {"begins": window.begins, "ends": window.ends, "free": free}
    shown = {name: f"{when.astimezone(zone):%Y-%m-%d %H:%M}" for name, when in told.items()}
    note = f" ({window.note})" if window.note else ""
    raise BankClosed(**shown, note=note, field=field)


def _lock() -> Marketplace:
    """One at a time: two windows together may leave no time free."""
    return Marketplace.objects.select_for_update(no_key=True).get(pk=tenancy.current_id())


def _entered(row: BankWindow, by, at: datetime) -> BankWindow:
    row.entered_at, row.entered_by = at, by
    row.save()
    audit.record("bankwindow.entered", by=by, at=at, obj=row, reason=row.note)
    return row


def _read(market: Marketplace, at: datetime) -> Windows:
    return [
        _recurring(row, market)
        if row.weekdays
        else Window(begins=row.begins_at, ends=row.ends_at, note=row.note)
        for row in BankWindow.objects.in_force(at)
    ]


def _recurring(row: BankWindow, market: Marketplace) -> Recurring:
    return Recurring(
        weekdays=frozenset(row.weekdays),
        since=row.from_time,
        to=row.to_time,
        zone=market.tz,
        note=row.note,
    )
