"""Journals that finance enters by hand, and the counter-entries of these; two people each.

Whoever enters one asks for it in the same breath; the second person's approval posts it. Accounts
that are kept per seller take none: what sellers are owed follows from statements, holds and
payouts, and is corrected there. A journal may book what one order adds to the clearing account;
then it names the order, and the next night counts it there.
"""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction

from marketplace import approvals, states
from marketplace.refusals import Refused, gettext_noop
from settlements import bank_rows, chart, clearing, ledger, reconciling
from settlements.models import Account, ClearingItem, Journal, ManualJournal

TEMPLATES = (ledger.BY_HAND, ledger.BY_ORDER)
APPROVAL = "post_manual_journal"
MOST_LEGS = 50
State = ManualJournal.State

Leg = tuple[str, int, int]  # account code, debit, credit


class LegsDoNotBalance(Refused):
    code = "journal_does_not_balance"
    message = gettext_noop("Debits of %(debit)s are not credits of %(credit)s.")


class LegNotUsable(Refused):
    code = "journal_leg_not_usable"
    message = gettext_noop(
        "Each leg needs an account, and an amount above 0 on one side: see “%(account)s”."
    )


class TooFewLegs(Refused):
    code = "journal_needs_two_legs"
    message = gettext_noop("A journal needs from 2 to %(most)s legs.")


class AccountUnknown(Refused):
    code = "account_unknown"
    message = gettext_noop("There is no account with the code “%(account)s”.")


class AccountOfSellers(Refused):
    code = "account_kept_per_seller"
    message = gettext_noop(
        "“%(account)s” is kept per seller. Correct it by an adjustment, a hold or a payout of the "
        "seller, not by hand."
    )


class AccountIsTheSame(Refused):
    code = "clearing_booked_on_itself"
    message = gettext_noop(
        "The money stands on “%(account)s” already. Choose the account where it belongs."
    )


class NotByHand(Refused):
    code = "journal_not_by_hand"
    message = gettext_noop(
        "Only journals that were entered by hand are reversed by hand. This one follows from "
        "%(template)s %(journal)s: correct that."
    )


@transaction.atomic
def enter(
    *, on: date, legs: Sequence[Leg], reason: str, document: str, by, at: datetime
) -> ManualJournal:
    """Enter a journal and ask for a second person, whose approval posts it.

    Raises what is wrong with its legs.
    """
    refuse_unusable(legs)
    return _asked(
        ManualJournal(on=on, legs=[list(leg) for leg in legs], reason=reason, document=document),
        by=by,
        at=at,
    )


@transaction.atomic
def enter_of_item(
    item: ClearingItem, *, account: str, on: date, reason: str, document: str, by, at: datetime
) -> ManualJournal:
    """Ask for what an order adds to clearing to be booked on the account where it belongs.

    Raises clearing.ItemNotForBooking where it is no longer what the last night found, AlreadyAsked
    while another booking of the order waits, and what is wrong with the account.
    """
    clearing.refuse_changed(item.order_id, item.amount)
    waiting = ManualJournal.objects.filter(order=item.order_id, state=State.ENTERED)
    if waiting.exists():
        raise approvals.AlreadyAsked(subject=item.order.number)
    draft = ledger.Draft(ledger.BY_ORDER, "", on)
    draft.debit(account, item.amount)
    draft.credit(chart.CLEARING, item.amount)
    refuse_unusable(draft.legs)
    if account == chart.CLEARING:
        raise AccountIsTheSame(account=account)
    legs = [list(leg) for leg in draft.legs]
    manual = ManualJournal(
        on=on, legs=legs, reason=reason, document=document, order_id=item.order_id
    )
    return _asked(manual, by=by, at=at)


@transaction.atomic
def enter_reversal(
    journal: Journal, *, on: date, reason: str, document: str, by, at: datetime
) -> ManualJournal:
    """Ask for the counter-entry of a manual journal. Raises NotByHand or AlreadyReversed."""
    if journal.template not in TEMPLATES:
        raise NotByHand(template=journal.template, journal=journal.reference)
    waiting = ManualJournal.objects.filter(reverses=journal).exclude(state=State.DISCARDED)
    if waiting.exists() or Journal.objects.filter(reverses=journal).exists():
        raise ledger.AlreadyReversed(journal=journal.reference)
    manual = ManualJournal(on=on, reverses=journal, reason=reason, document=document)
    return _asked(manual, by=by, at=at)


@transaction.atomic
def post(manual: ManualJournal, *, by, at: datetime) -> Journal:
    """Post what was entered. Called once a second person has approved.

    Raises ledger.DayLocked where its day was closed meanwhile, states.IllegalMove where the bank
    transaction that it was entered for is explained already, and clearing.ItemNotForBooking where
    it books an order's item of clearing that has changed.
    """
    reconciling.one_at_a_time()  # a proof of clearing counts all of it or nothing
    states.move(manual, State.POSTED, by=by, at=at)
    ledger.open_month(manual.on)
    if manual.reverses is not None:
        journal = ledger.reverse(manual.reverses, on=manual.on)
    else:
        template = ledger.BY_HAND
        if manual.order_id is not None:
            template = ledger.BY_ORDER
            clearing.refuse_changed(manual.order_id, _taken_off_clearing(manual))
        draft = ledger.Draft(template, manual.public_id, manual.on)
        draft.legs = [(code, debit, credit) for code, debit, credit in manual.legs]
        [journal] = ledger.post([draft])
    bank_rows.follow(manual, journal, by=by, at=at)
    return journal


@transaction.atomic
def discard(manual: ManualJournal, *, by, at: datetime, reason: str) -> ManualJournal:
    """Give up a journal that was not posted. A request that still waits is withdrawn or refused."""
    states.move(manual, State.DISCARDED, by=by, at=at, reason=reason)
    return manual


def ask_again(manual: ManualJournal, *, by, at: datetime, reason: str) -> None:
    """Ask a second person once more, after a refusal. Raises approvals.AlreadyAsked."""
    approvals.ask(APPROVAL, manual, by=by, at=at, reason=reason)


def journal_of(manual: ManualJournal) -> Journal | None:
    """The journal that was posted of it."""
    if manual.reverses_id is not None:
        return Journal.objects.filter(reverses=manual.reverses_id).first()
    return Journal.objects.filter(template__in=TEMPLATES, reference=manual.public_id).first()


def refuse_unusable(legs: Sequence[Leg]) -> None:
    """Raise what keeps legs from being a journal."""
    if not 2 <= len(legs) <= MOST_LEGS:
        raise TooFewLegs(most=MOST_LEGS)
    known = {row.code: row for row in Account.objects.all()}
    for code, debit, credit in legs:
        if min(debit, credit) < 0 or (debit == 0) == (credit == 0):
            raise LegNotUsable(account=code)
        if code not in known:
            raise AccountUnknown(account=code)
        if known[code].is_per_seller:
            raise AccountOfSellers(account=known[code].label)
    debit, credit = sum(leg[1] for leg in legs), sum(leg[2] for leg in legs)
    if debit != credit:
        raise LegsDoNotBalance(debit=debit, credit=credit)


def _taken_off_clearing(manual: ManualJournal) -> int:
    return sum(credit - debit for code, debit, credit in manual.legs if code == chart.CLEARING)


def _asked(manual: ManualJournal, *, by, at: datetime) -> ManualJournal:
    manual.entered_by, manual.entered_at = by, at
    manual.save()
    approvals.ask(APPROVAL, manual, by=by, at=at, reason=manual.reason)
    manual.refresh_from_db()
    return manual
