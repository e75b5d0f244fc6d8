"""Bodies of requests that only the payout provider reads: JSON Web Encryption, compact.

The shared key encrypts directly (`dir`, A256GCM); the header tells when (`iat`) and makes each
body one of its kind (`nonce`), as Toss Payments asks of its payout API.
"""

import json
import uuid
from datetime import datetime
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.registry import HeaderParameter

_ALGORITHMS: Final = ("dir", "A256GCM")  # no other is taken from an answer's header
_REGISTRY: Final = jwe.JWERegistry(
    {
        "iat": HeaderParameter("Issued at", "str", required=True),
        "nonce": HeaderParameter("Number used once", "str", required=True),
    },
    algorithms=_ALGORITHMS,
)
# What comes back is told apart by its key; some providers leave these two out.
_ANSWERS: Final = jwe.JWERegistry(algorithms=_ALGORITHMS, strict_check_header=False)


class Unreadable(Exception):
    """A body was not encrypted with this key, was altered, or is no JSON."""


def seal(content: Any, key: str, *, at: datetime) -> str:
    """Encrypt what can be written as JSON. `key` is 64 hexadecimal digits, `at` has a zone."""
    header = {
        "alg": "dir",
        "enc": "A256GCM",
        "iat": at.isoformat(timespec="seconds"),
        "nonce": str(uuid.uuid4()),
    }
    text = json.dumps(content, ensure_ascii=False).encode()
    return jwe.encrypt_compact(header, text, _key(key), registry=_REGISTRY)


def unseal(body: bytes, key: str) -> Any:
    """What an encrypted body says; numbers with decimals stay text. Raises Unreadable."""
    try:
        found = jwe.decrypt_compact(body, _key(key), registry=_ANSWERS)
        return json.loads(found.plaintext or b"", parse_float=str, parse_constant=str)
    except (JoseError, ValueError, RecursionError) as error:
        raise Unreadable(type(error).__name__) from None


def _key(digits: str) -> OctKey:
    return OctKey.import_key(bytes.fromhex(digits))
