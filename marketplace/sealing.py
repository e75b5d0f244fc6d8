"""Fields that only this installation can read: sealed with AES-GCM, bound to their own row.

A sealed value is `version | key id | nonce | ciphertext`. Marketplace, field and the row's own id
are authenticated with it, so a value that is copied to another row or marketplace is unreadable
there. The first key of FIELD_KEYS seals, all of them unseal. A blind index finds equal values of
one field in one marketplace without unsealing any; it is no use, and dangerous, for values that
can be guessed by trying them all, such as a date of birth.
"""

import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

VERSION = b"\x01"
KEY_ID, NONCE, INDEX = 4, 12, 16  # bytes
_HEAD = len(VERSION) + KEY_ID


class Unreadable(Exception):
    """A sealed value was moved, altered, or sealed with a key that is not in the keyring."""


class SealedField(models.BinaryField):
    """Text that is stored sealed: set by seal(), read by reveal().

    `bound_to` names the field of the same row that holds its id, made before the row is stored.
    `index` names a BlindIndexField that seal() keeps beside it.
    """

    def __init__(self, *args, bound_to="public_id", index=None, **kwargs):
        self.bound_to = bound_to
        self.index = index
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        kwargs["bound_to"] = self.bound_to
        if self.index:
            kwargs["index"] = self.index
        return name, path, args, kwargs


class BlindIndexField(models.BinaryField):
    """The blind index of a sealed field. To be unique or indexed together with the marketplace."""

    def __init__(self, *args, **kwargs):
        kwargs["max_length"] = INDEX
        super().__init__(*args, **kwargs)


def seal(row, **values: str) -> None:
    """Set sealed fields of a row, and their indexes. Saving the row is left to the caller."""
    for name, text in values.items():
        field = row._meta.get_field(name)
        newest, keys = next(iter(_keyring().items()))
        head, nonce = VERSION + newest, os.urandom(NONCE)
        sealed = AESGCM(keys[0]).encrypt(nonce, text.encode(), head + _place(row, field))
        setattr(row, name, head + nonce + sealed)
        if field.index:
            setattr(row, field.index, indexes(type(row), name, text, row.marketplace_id)[0])


def reveal(row, name: str) -> str:
    """The text of a sealed field. Raises Unreadable."""
    field = row._meta.get_field(name)
    value = bytes(getattr(row, name))
    head, nonce, sealed = value[:_HEAD], value[_HEAD : _HEAD + NONCE], value[_HEAD + NONCE :]
    keys = _keyring().get(head[len(VERSION) :])
    if not value.startswith(VERSION) or keys is None:
        raise Unreadable(f"{field}: no key of the keyring sealed it")
    try:
        return AESGCM(keys[0]).decrypt(nonce, sealed, head + _place(row, field)).decode()
    except InvalidTag:
        raise Unreadable(f"{field}: it was altered, or does not belong to this row") from None


def indexes(model, name: str, text: str, marketplace_id: int) -> list[bytes]:
    """What the blind index of equal texts may be: one for each key, the newest key's first.

    Case and everything but letters and digits are ignored: 110-1234 is 1101234.
    """
    wanted = "".join(letter for letter in text.casefold() if letter.isalnum()).encode()
    field = model._meta.get_field(name)
    return [
        _derive(_derive(index_key, f"{marketplace_id}|{field}".encode()), wanted)[:INDEX]
        for _, index_key in _keyring().values()
    ]


def key_id(value: bytes) -> str:
    """Which key sealed a value, as people read it."""
    return bytes(value)[len(VERSION) : _HEAD].hex()


def newest_key_id() -> str:
    """The key that seals from now on."""
    return next(iter(_keyring())).hex()


def _place(row, field) -> bytes:
    own_id = getattr(row, field.bound_to)
    if not own_id or not row.marketplace_id:
        raise ValueError(f"{field} is sealed once its row has a marketplace and an id of its own")
    return f"{row.marketplace_id}|{field}|{own_id}".encode()


def _keyring() -> dict[bytes, tuple[bytes, bytes]]:
    return _derived(tuple(settings.FIELD_KEYS))


@lru_cache(maxsize=8)
def _derived(keys: tuple[bytes, ...]) -> dict[bytes, tuple[bytes, bytes]]:
    """By the id of each key: what seals with it, and what its indexes are made with."""
    return {
        _derive(key, b"id")[:KEY_ID]: (_derive(key, b"seal"), _derive(key, b"index"))
        for key in keys
    }


def _derive(key: bytes, use: bytes) -> bytes:
    return hmac.new(key, use, hashlib.sha256).digest()
