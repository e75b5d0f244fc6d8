"""Signs heads of statements with the marketplace's Ed25519 key, and tells whether one is genuine.

What is signed names the marketplace, so that a head proves nothing in another one. The private
half is sealed like every field that only this installation may read.
"""

import hashlib
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import connection, transaction

from marketplace import audit, sealing, tenancy
from settlements.models import SigningKey

CODE = 16  # hexadecimal digits of the public half's SHA-256


class Signer:
    """The key in use with its private half unsealed, for many signatures."""

    def __init__(self, key: SigningKey):
        self.key = key
        self._private = Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex(sealing.reveal(key, "private_half"))
        )

    def sign(self, head: str) -> str:
        return self._private.sign(_message(head)).hex()


def signer(*, at: datetime) -> Signer:
    """The signer of the marketplace in use; its first key is made when it is first asked for."""
    key = _in_use()
    if key is None:
        _lock()
        key = _in_use() or _make(by=None, at=at)
    return Signer(key)


@transaction.atomic
def rotate(*, by, at: datetime) -> SigningKey:
    """Sign with a new key from now on. The one before keeps proving what it has signed."""
    _lock()
    SigningKey.objects.filter(retired_at__isnull=True).update(retired_at=at)
    return _make(by=by, at=at)


def keys():
    """Every key that has signed for the marketplace in use, the newest first."""
    return SigningKey.objects.defer("private_half").order_by("-pk")


def is_genuine(head: str, signature: str, public_half: str) -> bool:
    """Whether a signature over a head of the marketplace in use was made with this key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_half))
        key.verify(bytes.fromhex(signature), _message(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(head: str) -> bytes:
    return f"jangteo statement\n{tenancy.current().slug}\n{head}".encode()


def _in_use() -> SigningKey | None:
    return SigningKey.objects.filter(retired_at__isnull=True).first()


def _lock() -> None:
    """One maker of keys at a time; shards of one night may both be the first to ask."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('settlements.signing', %s))",
            [tenancy.current_id()],
        )


def _make(*, by, at: datetime) -> SigningKey:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = SigningKey(
        marketplace_id=tenancy.current_id(),
        code=hashlib.sha256(public).hexdigest()[:CODE],
        public_half=public.hex(),
        made_at=at,
    )
    sealing.seal(key, private_half=private.private_bytes_raw().hex())
    key.save(force_insert=True)
    audit.record("signing_key.made", by=by, at=at, obj=key, data={"key": key.code})
    return key
