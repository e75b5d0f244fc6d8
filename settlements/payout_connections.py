"""The keys to a payout provider: entered by one person, taken into use by a second one.

They are sealed before they are stored and shown to nobody again; a key that changes is entered
anew, as another connection that replaces the one in use.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from marketplace import approvals, audit, sealing, states, tenancy
from marketplace.refusals import Refused, gettext_noop
from marketplace.webhooks import targets
from settlements.models import Payout, PayoutConnection, PayoutPolicy

APPROVAL: Final = "use_payout_connection"
CURRENCY: Final = "KRW"
State = PayoutConnection.State
_SECURITY_KEY = re.compile("[0-9a-fA-F]{64}")
_SECRET_KEY = re.compile("[!-~]{8,200}")


class NoConnection(Refused):
    code = "payout_connection_missing"
    message = gettext_noop(
        "The payout policy names the payout API, and no connection to it is in use. Enter the "
        "provider's keys under “Payout connections”."
    )


class BadAddress(Refused):
    code = "payout_connection_address"
    message = gettext_noop(
        "The address of the API begins with https:// and names a public server, such as "
        "https://api.example.com/v2."
    )


class BadSecretKey(Refused):
    code = "payout_connection_secret_key"
    message = gettext_noop("A secret key is 8 to 200 letters, digits and signs, without spaces.")


class BadSecurityKey(Refused):
    code = "payout_connection_security_key"
    message = gettext_noop(
        "A security key is 64 digits and letters from a to f, as the provider shows it."
    )


class OnlyWon(Refused):
    code = "payout_api_only_won"
    message = gettext_noop("The payout API pays in won. This marketplace counts in %(currency)s.")


class ConnectionBusy(Refused):
    code = "payout_connection_busy"
    message = gettext_noop(
        "%(count)s payouts are still unanswered at %(url)s. Another provider cannot be asked about "
        "them: wait for their results."
    )


@dataclass(frozen=True, slots=True)
class Access:
    """Where a provider is reached, and the keys to it."""

    url: str
    secret_key: str
    security_key: str

    def __repr__(self) -> str:
        return f"Access({self.url!r})"  # never a key in a log


@transaction.atomic
def enter(*, url: str, secret_key: str, security_key: str, by, at: datetime, reason: str):
    """Keep a provider's keys, and ask a second person to let them be used.

    Raises BadAddress, BadSecretKey, BadSecurityKey, OnlyWon.
    """
    market = tenancy.current()
    if (market.currency, market.currency_exponent) != (CURRENCY, 0):
        raise OnlyWon(currency=market.currency)
    url = url.strip().rstrip("/")
    try:
        targets.check(url)
    except targets.NotATarget:
        raise BadAddress(field="url") from None
    if "?" in url:
        raise BadAddress(field="url")
    if not _SECRET_KEY.fullmatch(secret_key):
        raise BadSecretKey(field="secret_key")
    if not _SECURITY_KEY.fullmatch(security_key):
        raise BadSecurityKey(field="security_key")
    row = PayoutConnection(
        marketplace_id=market.pk, url=url, ending=secret_key[-4:], entered_at=at, entered_by=by
    )
    sealing.seal(row, secret_key=secret_key, security_key=security_key)
    row.save()
    audit.record("payoutconnection.entered", by=by, at=at, obj=row, reason=reason)
    approvals.ask(APPROVAL, row, by=by, at=at, reason=reason)
    row.refresh_from_db(fields=["state"])  # used at once where nobody else has to agree
    return row


@transaction.atomic
def use(connection: PayoutConnection, *, by, at: datetime) -> None:
    """Let payouts go through a connection from now on. Carried out by marketplace.approvals.

    Raises ConnectionBusy while another provider still owes results, states.IllegalMove.
    """
    before = PayoutConnection.objects.select_for_update(no_key=True).in_use().first()
    if before is not None:
        if before.url != connection.url and (count := _unanswered()):
            raise ConnectionBusy(count=count, url=before.url)
        states.move(before, State.RETIRED, by=by, at=at, changes={"retired_at": at})
    states.move(connection, State.IN_USE, by=by, at=at, changes={"used_at": at})


@transaction.atomic
def discard(connection: PayoutConnection, *, by, at: datetime, reason: str) -> None:
    """Give up keys that were never used. Raises states.IllegalMove."""
    if connection.state != State.PROPOSED:
        raise states.IllegalMove(old=connection.state, new=State.RETIRED)
    approvals.give_up(connection, by=by, at=at, reason=reason)
    gone = {"retired_at": at}
    states.move(connection, State.RETIRED, by=by, at=at, reason=reason, changes=gone)


def access() -> Access:
    """The connection in use of the marketplace in use. Raises NoConnection."""
    row = PayoutConnection.objects.in_use().first()
    if row is None:
        raise NoConnection()
    return access_of(row)


def access_of(row: PayoutConnection) -> Access:
    return Access(row.url, sealing.reveal(row, "secret_key"), sealing.reveal(row, "security_key"))


def _unanswered() -> int:
    rows = Payout.objects.filter(batch__policy__gateway=PayoutPolicy.Gateway.PAYOUT_API)
    return rows.unanswered().count()
