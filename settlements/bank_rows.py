"""Take in what the bank lists of the marketplace's own account, and keep what explains it.

A row is stored once, in the order of the account: each balance follows from the one before, also
from one file to the next, so that no row can be missing. What may explain a row, and who says so,
is in settlements.bank_matching.
"""

import hashlib
from datetime import datetime

from django.db import transaction

from marketplace import audit, money, states, tenancy
from marketplace.models import Marketplace
from settlements import bank_files, chart
from settlements.bank_files import Format, Key, Row
from settlements.file_problems import Problem
from settlements.models import BankFile, BankMatch, BankRow, Journal, ManualJournal

State = BankRow.State


@transaction.atomic
def import_file(
    content: bytes,
    *,
    account: str,
    name: str,
    format: Format,  # noqa: A002 (the word of the trade)
    by,
    at: datetime,
) -> BankFile:
    """Take in a list of transactions. The same file, or the same row in another one, adds nothing.

    Raises bank_files.BankFileRefused, also where the rows do not adjoin those of the account that
    are known; nothing was taken in then.
    """
    market = one_at_a_time()
    account = " ".join(account.split())
    digest = hashlib.sha256(content).hexdigest()
    taken = BankFile.objects.filter(account=account, digest=digest).first()
    if taken is not None:
        return taken
    rows = bank_files.read(content, format, exponent=market.currency_exponent)
    places = _places(account, rows, market.currency_exponent)
    file = BankFile.objects.create(
        account=account,
        name=name[:200],
        digest=digest,
        rows=len(rows),
        known_rows=len(rows) - len(places),
        first_on=rows[0].on,
        last_on=rows[-1].on,
        imported_at=at,
        imported_by=by,
    )
    new = [_stored(row, file, places[row.key]) for row in rows if row.key in places]
    BankRow.objects.bulk_create(new, batch_size=2000)
    told = {"rows": len(rows), "known": file.known_rows, "digest": digest}
    audit.record("bank_file.imported", by=by, at=at, obj=file, data=told)
    return file


def one_at_a_time() -> Marketplace:
    """Let whoever else takes in or explains transactions wait until this transaction has ended."""
    return Marketplace.objects.select_for_update(no_key=True).get(pk=tenancy.current_id())


def explain(
    row: BankRow, journals: list[int], *, to: str = State.EXPLAINED, by, at: datetime, reason=""
) -> None:
    """Keep the journals, by their keys, that explain a row. Raises states.IllegalMove."""
    changes = {"explained_at": at, "explained_by": by}
    states.move(row, to, by=by, at=at, reason=reason, changes=changes)
    BankMatch.objects.bulk_create([BankMatch(row=row, journal_id=key) for key in journals])


def reopen(row: BankRow, *, by, at: datetime, reason: str) -> None:
    """Let a row wait to be explained again; its journals are free for others."""
    BankMatch.objects.filter(row=row).delete()
    changes = {"explained_at": None, "explained_by": None}
    states.move(row, State.OPEN, by=by, at=at, reason=reason, changes=changes)


def follow(manual: ManualJournal, journal: Journal, *, by, at: datetime) -> None:
    """A journal by hand was posted: the row that it was asked for is explained by it, or stands
    on suspense. The row of one that was reversed waits again.

    Raises states.IllegalMove where the row was explained meanwhile.
    """
    if manual.reverses_id is not None:
        match = BankMatch.objects.filter(journal=manual.reverses_id).select_related("row").first()
        if match is not None:
            reopen(match.row, by=by, at=at, reason=manual.reason)
        return
    row = BankRow.objects.filter(booking=manual).first()
    if row is not None:
        codes = {code for code, _, _ in manual.legs}
        to = State.SUSPENDED if chart.SUSPENSE in codes else State.EXPLAINED
        explain(row, [journal.pk], to=to, by=by, at=at, reason=manual.reason)


def _places(account: str, rows: list[Row], exponent: int) -> dict[Key, int]:
    """Where each new row belongs in the account. Raises BankFileRefused where rows are missing."""
    stored = BankRow.objects.filter(account=account)
    first, last = stored.order_by("place").first(), stored.order_by("place").last()
    if first is None or last is None:
        return {row.key: place for place, row in enumerate(rows, 1)}
    same_days = stored.filter(on__gte=rows[0].on, on__lte=rows[-1].on)
    names = ("on", "time", "amount", "balance", "counterparty", "memo", "occurrence")
    known = {tuple(key): place for *key, place in same_days.values_list(*names, "place")}
    places = [known.get(row.key) for row in rows]
    before, after = _ends(rows, places, first, last)
    within = zip(rows[before:after], places[before:after], strict=True)
    wrong = next((row for row, place in within if place is None), None)
    if wrong is not None:
        told = (
            ("first", first.on),
            ("opening", money.plain(first.balance - first.amount, exponent)),
            ("last", last.on),
            ("closing", money.plain(last.balance, exponent)),
        )
        raise bank_files.refused([Problem(wrong.number, "", "does_not_adjoin", told)])
    earlier = {row.key: first.place - before + at for at, row in enumerate(rows[:before])}
    return earlier | {row.key: last.place + at for at, row in enumerate(rows[after:], 1)}


def _ends(
    rows: list[Row], places: list[int | None], first: BankRow, last: BankRow
) -> tuple[int, int]:
    """How many rows come before the first that is known of the account, and where those begin that
    follow the last one."""
    before, after = 0, len(rows)
    if any(place is not None for place in places):
        if first.place in places:
            before = places.index(first.place)
        if last.place in places:
            after = places.index(last.place) + 1
    elif rows[0].on >= last.on and rows[0].opening == last.balance:
        after = 0
    elif rows[-1].on <= first.on and rows[-1].balance == first.balance - first.amount:
        before = len(rows)
    return before, after


def _stored(row: Row, file: BankFile, place: int) -> BankRow:
    return BankRow(
        file=file,
        number=row.number,
        account=file.account,
        place=place,
        on=row.on,
        time=row.time,
        amount=row.amount,
        balance=row.balance,
        counterparty=row.counterparty,
        memo=row.memo,
        reference=row.reference,
        occurrence=row.occurrence,
    )
