"""Explain transactions of the bank account, by what the ledger has of them or by a new record.

What fits is proposed (settlements.bank_proposals), and confirmed by people: one by one, or all that
are exact at once. Confirming keeps which journals a transaction is; only a deposit on a seller's
debt is recorded with it, by settlements.collecting, and what a seller pays for advertising in
advance, by settlements.prepaying. What nothing explains goes to suspense or where
it belongs by a journal by hand, with a second person, and comes back by its counter-entry.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import F, Q

from marketplace import calendar_days, calendars, reasons, states, tenancy
from marketplace.refusals import Refused, gettext_noop
from orders import verdicts
from sellers.models import Seller
from settlements import (
    bank_proposals,
    bank_rows,
    chart,
    collecting,
    ledger,
    manual_journals,
    prepaying,
)
from settlements.bank_proposals import Debtor, Movement, Proposal, Transaction
from settlements.models import (
    Account,
    BankMatch,
    BankRow,
    Journal,
    ManualJournal,
    Payout,
    SellerBalance,
    Statement,
)

State = BankRow.State
MOST_AT_ONCE: Final = 2_000  # open transactions that are held against each other
MOST_MOVEMENTS: Final = 100  # that are offered to be chosen from by hand
_EARLIER: Final = timedelta(days=10)  # of the ledger's days before the bank's that are looked at
_LATER: Final = timedelta(days=31)  # a day that was signed takes a journal on a later one

# What journals moved on the bank account that no transaction has been explained by; neither those
# that were reversed nor counter-entries.
_FREE = """
SELECT j.id, j.template, j.reference, coalesce(j.occurred_on, j.basis_on) AS on_day,
       sum(e.debit - e.credit)::bigint AS amount
FROM ledger_entry e
JOIN settlements_journal j ON j.marketplace_id = %(marketplace)s AND j.id = e.journal_id
WHERE e.marketplace_id = %(marketplace)s AND e.account_id = %(account)s
  AND e.basis_on >= %(first)s AND e.basis_on <= %(last)s AND j.reverses_id IS NULL
  AND NOT EXISTS (SELECT FROM settlements_bankmatch m
                  WHERE m.marketplace_id = %(marketplace)s AND m.journal_id = j.id)
  AND NOT EXISTS (SELECT FROM settlements_journal r
                  WHERE r.marketplace_id = %(marketplace)s AND r.reverses_id = j.id)
GROUP BY j.id
"""
_SINGLE = f"""
SELECT id, template, reference, on_day, amount FROM ({_FREE}) free
WHERE amount = ANY(%(amounts)s) ORDER BY id
"""  # noqa: S608 (all parts are constants)
_BATCHES = f"""
SELECT b.public_id, max(on_day), sum(free.amount)::bigint, array_agg(free.id ORDER BY free.id)
FROM ({_FREE}) free
JOIN settlements_payout p ON p.marketplace_id = %(marketplace)s AND p.public_id = free.reference
JOIN settlements_payoutbatch b ON b.marketplace_id = %(marketplace)s AND b.id = p.batch_id
WHERE free.template = 'payout_paid'
GROUP BY b.public_id HAVING sum(free.amount) = ANY(%(amounts)s) AND count(*) > 1
ORDER BY b.public_id
"""  # noqa: S608 (all parts are constants)
_NEAREST = f"""
SELECT id, template, reference, on_day, amount FROM ({_FREE}) free
WHERE sign(amount) = %(sign)s AND abs(amount) <= %(most)s
ORDER BY abs(on_day - %(on)s), id LIMIT %(limit)s
"""  # noqa: S608 (all parts are constants)


class ProposalGone(Refused):
    code = "bank_proposal_gone"
    message = gettext_noop("This explains it no more. Choose from what is proposed now.")


class NoMovement(Refused):
    code = "bank_movement_not_free"
    message = gettext_noop(
        "A chosen journal explains another transaction already, or has not moved the bank account. "
        "Choose others."
    )


class MovementsDiffer(Refused):
    code = "bank_movements_differ"
    message = gettext_noop(
        "What was chosen comes to %(sum)s, but the transaction to %(amount)s. Choose what comes to "
        "the same."
    )


class BookingWaits(Refused):
    code = "bank_booking_waits"
    message = gettext_noop(
        "A journal by hand for it waits for a second person. Discard it first: %(journal)s."
    )


class NotForBooking(Refused):
    code = "bank_row_account_not_usable"
    message = gettext_noop("It stands on the bank account already. Choose another account.")


class NothingPaidIn(Refused):
    code = "bank_row_not_paid_in"
    message = gettext_noop("It was paid out. Choose a transaction that was paid in.")


class MatchedByHandJournal(Refused):
    code = "bank_row_explained_by_journal"
    message = gettext_noop(
        "A journal by hand explains it. Ask for its counter-entry, and it waits again."
    )


def proposals(rows: Iterable[BankRow]) -> dict[int, list[Proposal]]:
    """What may explain each of some open transactions, by its key."""
    rows = list(rows)
    if not rows:
        return {}
    told = [Transaction(row.pk, row.on, row.amount, _text(row)) for row in rows]
    debtors = _debtors() if any(row.amount > 0 for row in rows) else []
    return bank_proposals.propose(told, _movements(rows), debtors, _calendar(rows))


def to_look_at() -> list[BankRow]:
    """The open transactions that are held against each other, the oldest first."""
    rows = BankRow.objects.open().select_related("booking").order_by("on", "place", "pk")
    return list(rows[:MOST_AT_ONCE])


def awaited(row: BankRow) -> list[Payout]:
    """Payouts that the transaction may be, and of which the bank's word is not recorded: it is
    recorded there, not here, and then proposed."""
    if row.amount < 0:
        found = Payout.objects.unanswered().filter(amount=-row.amount)
    else:
        found = Payout.objects.filter(
            state=Payout.State.PAID,
            amount=row.amount,
            ended_at__date__gte=row.on - _LATER,
            ended_at__date__lte=row.on,
        )
    return list(found.select_related("seller").order_by("-pk")[:MOST_MOVEMENTS])


@transaction.atomic
def confirm(row: BankRow, *, proposal: str, by, at: datetime) -> BankRow:
    """Explain a transaction by what is proposed for it; `proposal` is the code of that.

    A deposit on a debt is recorded. Raises ProposalGone, BookingWaits, states.IllegalMove, or what
    settlements.collecting refuses.
    """
    row = _locked(row)
    chosen = {each.code: each for each in proposals([row])[row.pk]}.get(proposal)
    if chosen is None:
        raise ProposalGone(field="proposal")
    _confirm(row, chosen, by=by, at=at)
    return row


def confirm_exact(*, by, at: datetime) -> int:
    """Explain every transaction that has one exact proposal; returns how many.

    One that is refused stays open, where people see why.
    """
    confirmed = 0
    with transaction.atomic():
        bank_rows.one_at_a_time()
        rows = to_look_at()
        found = proposals(rows)
        for row in rows:
            for exact in (each for each in found[row.pk] if each.is_exact):
                try:
                    with transaction.atomic():
                        _confirm(_unbooked(row), exact, by=by, at=at)
                except Refused:
                    continue
                confirmed += 1
    return confirmed


@transaction.atomic
def match(row: BankRow, *, journals: Iterable[int], by, at: datetime, reason: str) -> BankRow:
    """Explain a transaction by journals that a person has chosen, by their keys.

    Raises NoMovement, MovementsDiffer, BookingWaits, states.IllegalMove.
    """
    row = _locked(row)
    chosen = sorted(set(journals))
    amounts = {pk: amount for pk, _, _, _, amount in movements_near(row, limit=None)}
    if not chosen or not set(chosen) <= amounts.keys():
        raise NoMovement(field="journals")
    if (total := sum(amounts[pk] for pk in chosen)) != row.amount:
        raise MovementsDiffer(sum=total, amount=row.amount, field="journals")
    bank_rows.explain(row, chosen, by=by, at=at, reason=reason)
    return row


@transaction.atomic
def prepay(row: BankRow, *, seller: Seller, by, at: datetime) -> BankRow:
    """Record a transaction as what a seller pays for advertising in advance.

    Raises NothingPaidIn, BookingWaits, states.IllegalMove, or what prepaying.record_deposit does.
    """
    row = _locked(row)
    if row.amount < 0:
        raise NothingPaidIn()
    deposit = prepaying.record_deposit(
        seller, amount=row.amount, evidence=row.entry, on=row.on, by=by, at=at
    )
    bank_rows.explain(
        row,
        _journals(prepaying.TEMPLATE, [deposit.public_id]),
        by=by,
        at=at,
        reason=f"{prepaying.TEMPLATE}:{seller.code}",
    )
    return row


@transaction.atomic
def book(row: BankRow, *, account: str, reason: str, by, at: datetime) -> ManualJournal:
    """Ask a second person for a journal by hand between the bank and an account, such as suspense.

    Once it is posted, the transaction stands on suspense or is explained. Raises NotForBooking,
    BookingWaits, states.IllegalMove, or what settlements.manual_journals refuses.
    """
    row = _locked(row)
    if account == chart.BANK:
        raise NotForBooking(field="account")
    size = abs(row.amount)
    sides = ((size, 0), (0, size)) if row.amount > 0 else ((0, size), (size, 0))
    manual = manual_journals.enter(
        on=ledger.open_day(row.on),
        legs=[(chart.BANK, *sides[0]), (account, *sides[1])],
        reason=reasons.given(reason),
        document=row.entry,
        by=by,
        at=at,
    )
    BankRow.objects.filter(pk=row.pk).update(booking=manual)
    return manual


@transaction.atomic
def take_back(row: BankRow, *, reason: str, by, at: datetime) -> ManualJournal:
    """Ask a second person for the counter-entry of what put a transaction on suspense, or on an
    account by hand. Once it is posted, the transaction waits to be explained.

    Raises NoMovement where no journal by hand explains it, or what manual_journals refuses.
    """
    bank_rows.one_at_a_time()
    journal = by_hand(row)
    if journal is None:
        raise NoMovement()
    on = verdicts.business_date(at, tenancy.current().tz)
    return manual_journals.enter_reversal(
        journal, on=ledger.open_day(on), reason=reasons.given(reason), document=row.entry,
        by=by, at=at,
    )  # fmt: skip


@transaction.atomic
def undo(row: BankRow, *, reason: str, by, at: datetime) -> BankRow:
    """Take back who said what a transaction is; nothing in the ledger changes.

    Raises MatchedByHandJournal where a journal was posted for it, and states.IllegalMove.
    """
    bank_rows.one_at_a_time()
    row = BankRow.objects.get(pk=row.pk)
    if by_hand(row) is not None:
        raise MatchedByHandJournal()
    bank_rows.reopen(row, by=by, at=at, reason=reasons.given(reason))
    return row


def by_hand(row: BankRow) -> Journal | None:
    """The journal that was entered for the row, where it is what explains it."""
    match = BankMatch.objects.filter(row=row, journal__template=ledger.BY_HAND)
    found = match.filter(row__booking__public_id=F("journal__reference")).first()
    return found and found.journal


def movements_near(
    row: BankRow, *, limit: int | None = MOST_MOVEMENTS
) -> list[tuple[int, str, str, date, int]]:
    """(key, template, reference, day, amount) of journals that may be parts of a transaction, the
    nearest by day first."""
    sides = {"sign": 1 if row.amount > 0 else -1, "most": abs(row.amount), "limit": limit}
    return _asked(_NEAREST, row.on - _LATER, row.on + _LATER, on=row.on, **sides)


def _confirm(row: BankRow, chosen: Proposal, *, by, at: datetime) -> None:
    if chosen.kind == bank_proposals.DEBT:
        journals = _recorded(row, chosen, by=by, at=at)
    else:
        journals = [int(use.partition(":")[2]) for use in chosen.uses]
    bank_rows.explain(row, journals, by=by, at=at, reason=chosen.code)


def _recorded(row: BankRow, chosen: Proposal, *, by, at: datetime) -> list[int]:
    """Record a deposit on a debt; returns the keys of its journals."""
    balance = SellerBalance.objects.get(seller__code=chosen.reference)
    words = {"evidence": row.entry, "on": row.on, "reason": "", "by": by, "at": at}
    movements = collecting.record_deposit(balance, amount=row.amount, **words)
    return _journals(collecting.TEMPLATE, [movement.public_id for movement in movements])


def _journals(template: str, references: list[str]) -> list[int]:
    rows = Journal.objects.filter(template=template, reference__in=references)
    return list(rows.values_list("pk", flat=True))


def _locked(row: BankRow) -> BankRow:
    bank_rows.one_at_a_time()
    row = BankRow.objects.select_related("booking").get(pk=row.pk)
    return _unbooked(row)


def _unbooked(row: BankRow) -> BankRow:
    """The row, unless it is explained or a journal by hand waits for it."""
    if row.state != State.OPEN:
        raise states.IllegalMove(old=row.state, new=State.EXPLAINED)
    if row.booking is not None and row.booking.state == ManualJournal.State.ENTERED:
        raise BookingWaits(journal=row.booking.public_id)
    return row


def _text(row: BankRow) -> str:
    return " ".join((row.counterparty, row.memo, row.reference))


def _movements(rows: list[BankRow]) -> list[Movement]:
    days = [row.on for row in rows]
    first, last = min(days) - _EARLIER, max(days) + _LATER
    amounts = sorted({row.amount for row in rows})
    single = [
        Movement(bank_proposals.MOVEMENT, f"{template}:{reference}", on, amount, (pk,))
        for pk, template, reference, on, amount in _asked(_SINGLE, first, last, amounts=amounts)
    ]
    batches = [
        Movement(bank_proposals.BATCH, reference, on, amount, tuple(keys))
        for reference, on, amount, keys in _asked(_BATCHES, first, last, amounts=amounts)
    ]
    return single + batches


def _asked(query: str, first: date, last: date, **words) -> list[tuple]:
    account = Account.objects.filter(code=chart.BANK).values_list("pk", flat=True).first()
    words |= {"marketplace": tenancy.current_id(), "account": account, "first": first, "last": last}
    with connection.cursor() as cursor:
        cursor.execute(query, words)
        return cursor.fetchall()


def _debtors() -> list[Debtor]:
    balances = SellerBalance.objects.filter(Q(carry__lt=0) | Q(receivable__gt=0))
    rows = list(balances.select_related("seller"))
    numbers: dict[int, list[str]] = {}
    invoiced = Statement.objects.filter(
        seller__in=[row.seller_id for row in rows if row.receivable], debt_invoiced__gt=0
    )
    for seller_id, number in invoiced.values_list("seller_id", "public_id"):
        numbers.setdefault(seller_id, []).append(number)
    return [
        Debtor(
            key=row.pk,
            code=row.seller.code,
            name=row.seller.name,
            numbers=tuple(numbers.get(row.seller_id, ())),
            owed=collecting.owed(row),
        )
        for row in rows
    ]


def _calendar(rows: list[BankRow]) -> calendars.Calendar:
    """Closed days by the calendar of the last transaction; where none is in force, weekends."""
    try:
        found = calendar_days.load(max(row.on for row in rows))
    except (calendar_days.NoCalendar, calendar_days.OutsideCalendar):
        return calendars.Calendar()
    return calendars.Calendar(closed=found.closed)  # also days that it does not cover
