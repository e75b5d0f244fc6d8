"""Keys of the API: made, shown once, replaced with an overlap, revoked, and recognised.

A key belongs to one marketplace, or to one seller of it, and says so itself: the request needs
to name neither. What a key may do is the list of its scopes; a seller's key may be given fewer
of them, and never sees more than that seller's own rows.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from marketplace import audit
from marketplace.models import ApiKey, Marketplace
from marketplace.refusals import Refused, gettext_noop

SCOPES: Final = {  # scope: what it allows
    "sellers:read": gettext_noop("See sellers and their grades"),
    "listings:read": gettext_noop("See listings and findings"),
    "listings:write": gettext_noop("Draft, revise, check and submit listings"),
    "orders:read": gettext_noop("See orders"),
    "orders:write": gettext_noop("Send orders and what happened to them"),
    "claims:read": gettext_noop("See claims"),
    "claims:write": gettext_noop("Make and decide claims"),
    "settlements:read": gettext_noop("See statements, lines, payouts, balances and fee estimates"),
    "ledger:read": gettext_noop("See the ledger: accounts, journals, months, day sheets"),
    "revenue:read": gettext_noop("See revenue that is reported by day"),
    "revenue:write": gettext_noop("Report revenue by day"),
    "events:read": gettext_noop("Read the change feed"),
    "webhooks:read": gettext_noop("See webhook endpoints and deliveries"),
    "webhooks:write": gettext_noop("Manage webhook endpoints"),
    "jobs:read": gettext_noop("See jobs and fetch their results"),
    "jobs:write": gettext_noop("Start and cancel jobs"),
}
OF_MARKETPLACE: Final = frozenset({"ledger:read"})  # of no use to a seller's key
LONGEST: Final = timedelta(days=365)
LONGEST_OVERLAP: Final = timedelta(days=30)
_USED_EVERY: Final = timedelta(minutes=1)
_ALPHABET: Final = string.digits + string.ascii_letters
_KEY: Final = re.compile(r"mpk_(live|test)_([0-9a-z]{8})_([0-9A-Za-z]{43})")


class NoScope(Refused):
    code = "key_without_scope"
    message = gettext_noop("A key needs at least one scope.")


class UnknownScope(Refused):
    code = "unknown_scope"
    message = gettext_noop("There is no scope “%(scope)s”.")


class ExpiryNotUsable(Refused):
    code = "key_expiry_not_usable"
    message = gettext_noop("A key expires after now and within a year.")


class NetworkNotUsable(Refused):
    code = "key_network_not_usable"
    message = gettext_noop("“%(network)s” is neither an address nor a network.")


class KeyNotUsable(Refused):
    code = "key_not_usable"
    message = gettext_noop("The key has been revoked or has expired.")


class AlreadyRotated(Refused):
    code = "key_already_rotated"
    message = gettext_noop("The key has been replaced already. Replace the newer one.")


class OverlapNotUsable(Refused):
    code = "key_overlap_not_usable"
    message = gettext_noop("The old key may go on for 30 days at most.")


class NotRecognised(Refused):
    """Why a request's key is not accepted. Says more only to whoever holds the right secret."""

    code = "key_invalid"
    message = gettext_noop("The API key is not valid.")


class Expired(NotRecognised):
    code = "key_expired"
    message = gettext_noop("The API key has expired.")


class Revoked(NotRecognised):
    code = "key_revoked"
    message = gettext_noop("The API key has been revoked.")


class WrongMarketplaceState(NotRecognised):
    code = "key_for_other_mode"
    message = gettext_noop("A test key does not work in a live marketplace, nor the reverse.")


class AddressNotAllowed(NotRecognised):
    code = "key_address_not_allowed"
    message = gettext_noop("The API key may not be used from this address.")


@dataclass(frozen=True, slots=True)
class Made:
    """A new key with its secret, which is known at this moment only."""

    key: ApiKey
    secret: str


@transaction.atomic
def create(
    marketplace: Marketplace,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    by,
    at: datetime,
    seller: str = "",
    networks: Iterable[str] = (),
) -> Made:
    """Make a key, for a seller (by public id) or the marketplace itself. Call it in its scope.

    Raises NoScope, UnknownScope, ExpiryNotUsable or NetworkNotUsable.
    """
    scopes = sorted(set(scopes))
    if not scopes:
        raise NoScope()
    if unknown := set(scopes) - SCOPES.keys():
        raise UnknownScope(scope=min(unknown)[:40])
    if not at < expires_at <= at + LONGEST:
        raise ExpiryNotUsable()
    made = _make(
        marketplace,
        name=name,
        seller=seller,
        scopes=scopes,
        networks=[_network(text) for text in networks],
        created_at=at,
        created_by=by,
        expires_at=expires_at,
    )
    data = {"scopes": scopes, "seller": seller, "expires_at": expires_at.isoformat()}
    audit.record("apikey.created", by=by, at=at, obj=made.key, data=data)
    return made


@transaction.atomic
def rotate(key: ApiKey, *, overlap: timedelta, expires_at: datetime, by, at: datetime) -> Made:
    """Make a key's successor, with the same rights; the old one goes on for the overlap.

    Raises KeyNotUsable, AlreadyRotated, OverlapNotUsable or ExpiryNotUsable.
    """
    key = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
    if key.revoked_at is not None or key.expires_at <= at:
        raise KeyNotUsable()
    if key.successor_id is not None:
        raise AlreadyRotated()
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise OverlapNotUsable()
    made = create(
        key.marketplace,
        name=key.name,
        scopes=key.scopes,
        seller=key.seller,
        networks=key.networks,
        expires_at=expires_at,
        by=by,
        at=at,
    )
    key.successor = made.key
    key.expires_at = min(key.expires_at, at + overlap)
    key.save(update_fields=["successor", "expires_at"])
    data = {"successor": made.key.pk, "until": key.expires_at.isoformat()}
    audit.record("apikey.rotated", by=by, at=at, obj=key, data=data)
    return made


@transaction.atomic
def revoke(key: ApiKey, *, by, at: datetime, reason: str = "") -> ApiKey:
    """End a key at once; one that has ended already stays as it is."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=at):
        audit.record("apikey.revoked", by=by, at=at, obj=key, reason=reason)
    key.refresh_from_db()
    return key


def recognise(secret: str, *, address: str, at: datetime) -> ApiKey:
    """The key of a request, with its marketplace. Runs before a marketplace is entered.

    Raises NotRecognised. Notes the use of the key, at most once a minute.
    """
    shape = _KEY.fullmatch(secret)
    key = shape and ApiKey.objects.select_related("marketplace").filter(code=shape[2]).first()
    # Also compared when there is no such key, so that the time tells nothing.
    known = key.digest if key else "0" * 64
    if not hmac.compare_digest(_digest(secret), known) or not key:
        raise NotRecognised()
    if key.revoked_at is not None:
        raise Revoked()
    if key.expires_at <= at:
        raise Expired()
    state = key.marketplace.state
    if state != Marketplace.State.ARCHIVED and key.is_live != (state == Marketplace.State.LIVE):
        raise WrongMarketplaceState()
    if key.networks and not _is_among(address, key.networks):
        raise AddressNotAllowed()
    unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lt=at - _USED_EVERY)
    if key.last_used_at is None or key.last_used_at < at - _USED_EVERY:
        ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=at)
    return key


def _make(marketplace: Marketplace, **fields) -> Made:
    is_live = marketplace.state == Marketplace.State.LIVE
    code = "".join(secrets.choice(string.digits + string.ascii_lowercase) for _ in range(8))
    secret = f"mpk_{'live' if is_live else 'test'}_{code}_{_base62(secrets.token_bytes(32))}"
    key = ApiKey.objects.create(
        marketplace=marketplace,
        code=code,
        is_live=is_live,
        digest=_digest(secret),
        last_four=secret[-4:],
        **fields,
    )
    return Made(key, secret)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _base62(random: bytes) -> str:
    """32 bytes as 43 letters and digits, the most that they can take."""
    number, text = int.from_bytes(random, "big"), ""
    for _ in range(43):
        number, rest = divmod(number, 62)
        text = _ALPHABET[rest] + text
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise NetworkNotUsable(network=text[:43]) from error


def _is_among(address: str, networks: Iterable[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped in ipaddress.ip_network(network) for network in networks)
