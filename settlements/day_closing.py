"""The day close (일마감): one sheet for each business date, signed by two people.

The night opens the sheet of its date. Until it is signed, it is read live; what two people have
signed is kept with its hash, and the database then lets no journal into the day. A sheet that
changed between the two signatures has to be signed anew.
"""

from collections.abc import Iterator
from datetime import date, datetime

from django.db import transaction

from marketplace import approvals, audit, changes, states, tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused, gettext_noop
from settlements import day_figures, day_sheet, ledger_balances, periods
from settlements.models import DayClose, Period, SignedSheet

APPROVAL = "sign_day"
REOPEN = "reopen_day"
State = DayClose.State


class DayNotOver(Refused):
    code = "day_not_over"
    message = gettext_noop("%(day)s cannot be signed before its night is closed.")


class SheetDiffers(Refused):
    code = "day_sheet_differs"
    message = gettext_noop(
        "Sums of %(day)s do not come out: %(blocks)s. Find the cause, or name it in the remark."
    )


class ProvidersUnknown(Refused):
    code = "day_providers_unknown"
    message = gettext_noop(
        "No settlement file says what payment providers paid out on %(day)s. Take the file in, or "
        "say in the remark why the day is signed without it."
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


@transaction.atomic
def sign_first(day_close: DayClose, *, by, at: datetime, remark: str = "") -> DayClose:
    """Sign a sheet as the first of two people, and ask for the second.

    Raises DayNotOver; SheetDiffers where a sum does not come out and no remark says why, and
    ProvidersUnknown where none says why it is signed without their files.
    """
    day = day_close.day
    periods.lock_month(day)
    day_close = DayClose.objects.select_for_update(no_key=True).get(pk=day_close.pk)
    closed_on = Marketplace.objects.get(pk=tenancy.current_id()).last_closed_on
    if closed_on is None or closed_on < day:
        raise DayNotOver(day=day)
    sheet = day_figures.live(day)
    if sheet.differing and not remark.strip():
        raise SheetDiffers(day=day, blocks=", ".join(sheet.differing))
    if sheet.unknown and not remark.strip():
        raise ProvidersUnknown(day=day)
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
    said = day_figures.live(day_close.day).said()
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
