"""Sends what sellers are to be told: a batch is claimed, and sent letter by letter.

Right before a letter goes to the mail server it is marked as handed over, and recorded right
after; it is sent outside any transaction. A worker that dies leaves at most that one letter of
which it is not known whether it went out: it is never sent again by itself, a person decides. What
it had only claimed is sent by the next one. What the mail server did not take is tried again for a
day.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F

from marketplace import states, tenancy
from settlements import fee_letters, letter_composing, letter_gathering
from settlements.letter_composing import Mail
from settlements.models import SellerLetter

State = SellerLetter.State

logger = logging.getLogger(__name__)

BATCH: Final = 50
WAITS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 240, 720))
# Longer than a task may run (marketplace.celery): whoever had it in hand has it no more.
LEFT_AFTER: Final = timedelta(minutes=15)
# Why a letter did not go out.
NO_READER: Final = "no_reader"
REFUSED: Final = "refused"  # by the mail server
GONE: Final = "gone"  # the mail server is not there
_NOTHING: Final = Mail("", "", [])  # to tell
# About one letter: the server is there, and others may go out.
_REFUSALS = (SMTPRecipientsRefused, SMTPResponseException, ValueError)


@dataclass(frozen=True, slots=True)
class _Outcome:
    letter: SellerLetter
    state: str
    error: str = ""


def serve(marketplace_id: int, *, now: Callable[[], datetime], until: datetime) -> int:
    """Gather what is to be told in a marketplace and send what is due; returns how many went out.

    Begins no further batch after `until`. Sends nothing as long as links would lead nowhere.
    """
    with tenancy.use(marketplace_id, durable=True):
        letter_gathering.gather(at=now())
        _take_up_left(at=now())
        fee_letters.note_progress(at=now())
    if not settings.SITE_ADDRESS:
        logger.error("letters wait: SITE_ADDRESS is not set")
        return 0
    sent, comparisons = 0, fee_letters.Comparisons()
    while now() < until:
        with tenancy.use(marketplace_id, durable=True):
            claimed = _claim(at=now())
        if not claimed:
            break
        with tenancy.use(marketplace_id):
            mails = letter_composing.compose(claimed, comparisons)
        outcomes = list(_send(marketplace_id, claimed, mails, now))
        with tenancy.use(marketplace_id, durable=True):
            fee_letters.note_progress(at=now())
        sent += sum(outcome.state == State.SENT for outcome in outcomes)
        if any(outcome.error == GONE for outcome in outcomes):
            break  # the next batch would wait for the mail server as long
    return sent


@transaction.atomic
def send_again(letter: SellerLetter, *, by, at: datetime) -> None:
    """Have a letter sent that failed, or of which it is not known. Raises states.IllegalMove."""
    changes = {"due_at": at, "attempts": 0, "error": ""}
    states.move(letter, State.WAITING, by=by, at=at, changes=changes)


def take_as_sent(letter: SellerLetter, *, by, at: datetime) -> None:
    """Leave a letter as sent that may have gone out. Raises states.IllegalMove."""
    changes = {"sent_at": letter.handed_at or at, "error": ""}
    states.move(letter, State.SENT, by=by, at=at, changes=changes)


def _claim(*, at: datetime) -> list[SellerLetter]:
    """Take the next letters in hand, their attempt counted."""
    due = SellerLetter.objects.due(at).select_for_update(skip_locked=True, no_key=True)
    letters = list(due.order_by("due_at", "pk")[:BATCH])
    changes = {"attempts": F("attempts") + 1, "claimed_at": at, "handed_at": None}
    _move(letters, State.SENDING, at, changes)
    for letter in letters:
        letter.attempts += 1
        letter.claimed_at = at
    return letters


def _take_up_left(*, at: datetime) -> None:
    """What a worker left: known not to have been sent, or unknown where it had been handed over."""
    left = SellerLetter.objects.filter(state=State.SENDING, claimed_at__lt=at - LEFT_AFTER)
    states.move_many(left.filter(handed_at__isnull=False), State.UNKNOWN, by=None, at=at)
    states.move_many(left, State.WAITING, by=None, at=at, changes={"due_at": at})


def _send(
    marketplace_id: int,
    letters: list[SellerLetter],
    mails: dict[int, Mail],
    now: Callable[[], datetime],
) -> Iterator[_Outcome]:
    """Hand each letter to the mail server over one connection, and record what became of it.

    Nothing that the mail server does is raised.
    """
    connection = get_connection()
    gone: Exception | None = None
    for letter in letters:
        mail = mails.get(letter.pk, _NOTHING)
        outcome = _unsent(letter, mail)
        if outcome is None and gone is not None:  # each letter would wait as long for the server
            outcome = _not_taken(letter, gone)
        if outcome is None:
            with tenancy.use(marketplace_id, durable=True):
                if not _mark(letter, len(mail.to), at=now()):
                    continue  # somebody else has it in hand by now
            try:
                connection.open()
                _message(letter, mail, connection).send()
            except (OSError, SMTPException, ValueError) as error:
                gone = None if isinstance(error, _REFUSALS) else error
                outcome = _not_taken(letter, error)
            else:
                outcome = _Outcome(letter, State.SENT)
        with tenancy.use(marketplace_id, durable=True):
            _record(outcome, at=now())
        yield outcome
    _close(connection)


def _unsent(letter: SellerLetter, mail: Mail) -> _Outcome | None:
    """What becomes of a letter that no mail server is asked about; None of any other."""
    if mail is _NOTHING:
        return _Outcome(letter, State.UNSAID)
    if mail.error:
        return _Outcome(letter, State.FAILED, error=mail.error)
    if mail.is_kept:
        return _Outcome(letter, State.KEPT)
    return None if mail.to else _Outcome(letter, State.FAILED, error=NO_READER)


def _mark(letter: SellerLetter, readers: int, *, at: datetime) -> bool:
    """Note that a letter goes to the mail server now; False where it is in other hands."""
    return bool(_in_hand(letter).update(handed_at=at, readers=readers))


def message_id(letter: SellerLetter) -> str:
    """The name of a letter in mailboxes and logs; the same each time it is sent."""
    host = urlsplit(settings.SITE_ADDRESS).hostname
    return f"<letter-{letter.marketplace_id}-{letter.pk}@{host}>"


def _message(letter: SellerLetter, mail: Mail, connection) -> EmailMessage:
    headers = {"Message-ID": message_id(letter), "Auto-Submitted": "auto-generated"}
    return EmailMessage(mail.subject, mail.body, to=mail.to, headers=headers, connection=connection)


def _not_taken(letter: SellerLetter, error: Exception) -> _Outcome:
    logger.warning("letter to a seller not taken: %s", type(error).__name__)
    over = letter.attempts > len(WAITS)
    why = REFUSED if isinstance(error, _REFUSALS) else GONE  # its text quotes addresses
    return _Outcome(letter, State.FAILED if over else State.WAITING, error=why)


def _close(connection) -> None:
    try:
        connection.close()
    except (OSError, SMTPException):
        logger.warning("the connection to the mail server did not end well")


def _record(outcome: _Outcome, *, at: datetime) -> None:
    """Keep what became of a letter, unless somebody else has it in hand by now."""
    letter, state = outcome.letter, outcome.state
    wait = WAITS[letter.attempts - 1] if state == State.WAITING else timedelta()
    changes = {"error": outcome.error, "due_at": at + wait}
    if state == State.SENT:
        changes = {"error": "", "sent_at": at}
    states.move_many(_in_hand(letter), state, by=None, at=at, changes=changes)


def _in_hand(letter: SellerLetter):
    """A letter as long as nobody has claimed it anew."""
    return SellerLetter.objects.filter(
        pk=letter.pk, state=State.SENDING, claimed_at=letter.claimed_at
    )


def _move(letters: list[SellerLetter], state: str, at: datetime, changes: dict) -> None:
    rows = SellerLetter.objects.filter(pk__in=[letter.pk for letter in letters])
    if letters:
        states.move_many(rows, state, by=None, at=at, changes=changes)
