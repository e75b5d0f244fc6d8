"""Sends what sellers are to be told: a batch is claimed, sent outside any transaction, recorded.

A letter that the mail server did not take is tried again for a day. One whose worker died while it
was being sent may have gone out: it is never sent again by itself, a person decides.
"""

import logging
from collections.abc import Callable
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
# About one letter: the server is there, and others may go out.
_REFUSALS = (SMTPRecipientsRefused, SMTPResponseException, ValueError)


@dataclass(frozen=True, slots=True)
class _Outcome:
    letter: SellerLetter
    state: str
    readers: int = 0
    error: str = ""


def serve(marketplace_id: int, *, now: Callable[[], datetime], until: datetime) -> int:
    """Gather what is to be told in a marketplace and send what is due; returns how many went out.

    Begins no further batch after `until`.
    """
    with tenancy.use(marketplace_id, durable=True):
        letter_gathering.gather(at=now())
        _give_up_left(at=now())
    sent = 0
    while now() < until:
        with tenancy.use(marketplace_id, durable=True):
            claimed = _claim(at=now())
        if not claimed:
            break
        with tenancy.use(marketplace_id):
            mails = letter_composing.compose(claimed)
        outcomes = _send(claimed, mails)
        with tenancy.use(marketplace_id, durable=True):
            _record(outcomes, at=now())
        sent += sum(outcome.state == State.SENT for outcome in outcomes)
        if any(outcome.error == GONE for outcome in outcomes):
            break  # the next batch would wait for the mail server as long
    return sent


@transaction.atomic
def send_again(letter: SellerLetter, *, by, at: datetime) -> None:
    """Have a letter sent that failed, or of which it is not known. Raises states.IllegalMove."""
    changes = {"due_at": at, "attempts": 0, "error": ""}
    states.move(letter, State.WAITING, by=by, at=at, changes=changes)


def _claim(*, at: datetime) -> list[SellerLetter]:
    """Take the next letters in hand, their attempt counted."""
    due = SellerLetter.objects.due(at).select_for_update(skip_locked=True, no_key=True)
    letters = list(due.order_by("due_at", "pk")[:BATCH])
    changes = {"attempts": F("attempts") + 1, "claimed_at": at}
    _move(letters, State.SENDING, at, changes)
    for letter in letters:
        letter.attempts += 1
    return letters


def _give_up_left(*, at: datetime) -> None:
    left = SellerLetter.objects.filter(state=State.SENDING, claimed_at__lt=at - LEFT_AFTER)
    if keys := list(left.values_list("pk", flat=True)):
        states.move_many(left, State.UNKNOWN, by=None, at=at)
        fee_letters.note_progress(keys, at=at)


def _send(letters: list[SellerLetter], mails: dict[int, Mail]) -> list[_Outcome]:
    """Hand each letter to the mail server over one connection; nothing that it does is raised."""
    connection, outcomes, host = get_connection(), [], urlsplit(settings.SITE_ADDRESS).hostname
    gone: Exception | None = None
    for letter in letters:
        mail = mails.get(letter.pk)
        if mail is None:
            outcomes.append(_Outcome(letter, State.UNSAID))
        elif mail.error:
            outcomes.append(_Outcome(letter, State.FAILED, error=mail.error))
        elif not mail.to:
            outcomes.append(_Outcome(letter, State.FAILED, error=NO_READER))
        elif gone is not None:  # each letter would wait as long for the server
            outcomes.append(_not_taken(letter, gone))
        else:
            headers = {
                # The same each time, so that a mailbox knows what it has already.
                "Message-ID": f"<letter-{letter.marketplace_id}-{letter.pk}@{host}>",
                "Auto-Submitted": "auto-generated",
            }
            message = EmailMessage(
                mail.subject, mail.body, to=mail.to, headers=headers, connection=connection
            )
            try:
                connection.open()
                message.send()
            except (OSError, SMTPException, ValueError) as error:
                gone = None if isinstance(error, _REFUSALS) else error
                outcomes.append(_not_taken(letter, error))
            else:
                outcomes.append(_Outcome(letter, State.SENT, readers=len(mail.to)))
    _close(connection)
    return outcomes


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


def _record(outcomes: list[_Outcome], *, at: datetime) -> None:
    """Keep what became of a batch; a number of queries that does not grow with it."""
    by_state: dict[tuple, list[SellerLetter]] = {}
    for outcome in outcomes:
        letter = outcome.letter
        letter.readers = outcome.readers
        wait = WAITS[letter.attempts - 1] if outcome.state == State.WAITING else timedelta()
        by_state.setdefault((outcome.state, outcome.error, wait), []).append(letter)
    SellerLetter.objects.bulk_update([outcome.letter for outcome in outcomes], ["readers"])
    for (state, error, wait), letters in by_state.items():
        changes = {"error": error, "due_at": at + wait}
        if state == State.SENT:
            changes = {"error": "", "sent_at": at}
        _move(letters, state, at, changes)
    fee_letters.note_progress([outcome.letter.pk for outcome in outcomes], at=at)


def _move(letters: list[SellerLetter], state: str, at: datetime, changes: dict) -> None:
    rows = SellerLetter.objects.filter(pk__in=[letter.pk for letter in letters])
    if letters:
        states.move_many(rows, state, by=None, at=at, changes=changes)
