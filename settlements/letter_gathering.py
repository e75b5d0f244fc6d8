"""What sellers are to be told by letter, taken from the change feed, each thing once.

A night is told once it is over, so that what came in it goes into one letter to each seller.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery

from marketplace import changes
from marketplace.changes import Cursor
from marketplace.jobs import NIGHT
from marketplace.models import Change, JobRun
from settlements import letter_kinds
from settlements.models import LetterChoice, LetterDesk, SellerLetter, SellerNotice, Statement

PAGE = 2_000  # changes that are read at once
STALE = timedelta(days=3)  # of what happened longer ago only what a seller has to know is told


def desk() -> LetterDesk:
    """What the marketplace in use wants told, and how far that has come.

    It is made when the marketplace opens. One that was open before there were letters begins with
    what happens from now on.
    """
    if (found := LetterDesk.objects.first()) is not None:
        return found
    begin = changes.horizon()
    place = {"after_transaction": begin.transaction, "after_change": begin.id}
    return LetterDesk.objects.get_or_create(defaults=place)[0]


def gather(*, at: datetime) -> int:
    """Make letters of what the feed has; returns how many. To be called in a transaction.

    Nothing while a night runs, or while somebody else is at it: the next call comes soon.
    """
    desk()
    held = LetterDesk.objects.select_for_update(skip_locked=True, no_key=True).first()
    if held is None or JobRun.objects.filter(kind=NIGHT, state=JobRun.State.RUNNING).exists():
        return 0
    end = changes.horizon()
    while page := _page(held, end):
        write([_notice(change, at) for change in page])
        held.after_transaction, held.after_change = page[-1].transaction, page[-1].pk
    held.after_transaction, held.after_change = end.transaction, end.id
    held.save(update_fields=["after_transaction", "after_change"])
    return _open_letters(at)


def write(notices: Iterable[SellerNotice]) -> None:
    """Keep what sellers are to be told, with what is not told and why; known ones stay as they are.

    A number of queries that does not grow with the notices.
    """
    rows, here = list(notices), desk()
    off = dict(
        LetterChoice.objects.filter(seller__in={row.seller_id for row in rows})
        .exclude(off=[])
        .values_list("seller_id", "off")
    )
    told = _statements(rows, here.tells_empty_statements)
    rows = [*told, *(row for row in rows if not _is_statement(row))]
    for row in rows:
        row.skipped = row.skipped or letter_kinds.skipped(
            row.kind, off.get(row.seller_id, ()), here.off
        )
    SellerNotice.objects.bulk_create(rows, ignore_conflicts=True, batch_size=PAGE)


def _page(held: LetterDesk, end: Cursor) -> list[Change]:
    after = Cursor(held.after_transaction, held.after_change)
    if after > end:  # the database was restored into another one, whose feed begins anew
        after = Cursor()
    rows = Change.objects.filter(
        after.is_passed(),
        transaction__lt=end.transaction,
        type__in=letter_kinds.TYPES,
        seller__isnull=False,
    )
    return list(rows.order_by("transaction", "id")[:PAGE])


def _notice(change: Change, at: datetime) -> SellerNotice:
    about, kind = change.object_id, letter_kinds.of_change(change.type, change.data)
    is_stale = change.at <= at - STALE and kind not in letter_kinds.REQUIRED
    if change.type == "contract.published":  # its object is the seller
        about = f"{about}/{change.data['version']}"
    return SellerNotice(
        seller_id=change.seller_id,
        kind=kind,
        event=change.type,
        about=about,
        data=change.data,
        happened_at=change.at,
        skipped=letter_kinds.STALE if is_stale else "",
    )


def _is_statement(row: SellerNotice) -> bool:
    return row.kind == letter_kinds.STATEMENT


def _statements(rows: list[SellerNotice], tells_empty: bool) -> list[SellerNotice]:
    """Notices of statements, those of empty ones not told, and beside them those of debts."""
    closed = [row for row in rows if _is_statement(row)]
    found = {
        row.public_id: row
        for row in Statement.objects.filter(public_id__in=[row.about for row in closed])
    }
    debts = []
    for row in closed:
        statement = found[row.about]
        is_empty = letter_kinds.has_nothing_in_it(
            net=statement.net, payout=statement.payout, carried=statement.carry_out
        )
        if is_empty and not statement.debt_invoiced and not tells_empty:
            row.skipped = letter_kinds.NOTHING_IN_IT
        if statement.carry_out < 0 or statement.debt_invoiced:
            debts.append(
                SellerNotice(
                    seller_id=row.seller_id,
                    kind=letter_kinds.DEBT,
                    event=row.event,
                    about=row.about,
                    data=row.data,
                    happened_at=row.happened_at,
                )
            )
    return closed + debts


def _open_letters(at: datetime) -> int:
    """Put what is to be told into one new letter to each seller."""
    untold = SellerNotice.objects.filter(letter=None, skipped="")
    sellers = list(untold.order_by("seller_id").values_list("seller_id", flat=True).distinct())
    if not sellers:
        return 0
    letters = SellerLetter.objects.bulk_create(
        [SellerLetter(seller_id=seller_id, due_at=at) for seller_id in sellers], batch_size=PAGE
    )
    made = SellerLetter.objects.filter(
        Q(pk__gte=letters[0].pk), seller=OuterRef("seller"), state=SellerLetter.State.WAITING
    ).order_by("-pk")
    untold.filter(seller__in=sellers).update(letter=Subquery(made.values("pk")[:1]))
    return len(letters)
