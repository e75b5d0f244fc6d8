"""Which addresses a webhook may reach: public ones, over HTTPS on port 443, and no others.

The name is resolved once, at the moment of connecting, and refused when any of its addresses is
not public; the connection goes to an address that was judged, while TLS goes on to ask for the
name. A name that resolves differently a moment later therefore gains nothing. Redirects are not
followed and no proxy is taken from the environment: httpcore does neither by itself.
"""

import ipaddress
import socket
import time
from typing import Final
from urllib.parse import urlsplit

import httpcore
from django.conf import settings

from marketplace.refusals import Refused, gettext_noop

_INSIDE: Final = [  # global to Python, but a way to addresses that are not
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
]


class NotATarget(Refused):
    code = "webhook_target_refused"
    message = gettext_noop(
        "Webhooks go to https:// addresses of public servers on port 443, without user name."
    )


def check(url: str) -> None:
    """Refuse what no webhook may be sent to, as far as its spelling tells."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise NotATarget(field="url") from None
    is_spelt_well = (
        url.isascii()
        and not any(letter.isspace() or not letter.isprintable() for letter in url)
        and "\\" not in url
        and host
        and not (parts.username or parts.password or parts.fragment)
    )
    if not is_spelt_well or not (
        (parts.scheme == "https" and port in (None, 443)) or _is_rehearsal(parts.scheme, host)
    ):
        raise NotATarget(field="url")
    if not _is_rehearsal(parts.scheme, host) and not _may_be_public(host):
        raise NotATarget(field="url")


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet, and leads to nothing else."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if mapped := getattr(found, "ipv4_mapped", None):
        found = mapped
    return (
        found.is_global
        and not found.is_multicast
        and not any(found in network for network in _INSIDE if network.version == found.version)
    )


class Guarded(httpcore.NetworkBackend):
    """Connects to judged addresses only, and to the end of all reading by a deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        addresses = _resolve(host, port)
        if not addresses or not all(_is_allowed(address, port) for address in addresses):
            raise NotATarget()
        stream = self._inner.connect_tcp(
            addresses[0], port, _left(self._deadline), local_address, socket_options
        )
        return _Stream(stream, self._deadline)

    def connect_unix_socket(self, path, timeout=None, socket_options=None):
        raise NotATarget()

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection that a receiver cannot hold open by answering slowly."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes, timeout=None):
        return self._inner.read(max_bytes, _left(self._deadline))

    def write(self, buffer, timeout=None):
        self._inner.write(buffer, _left(self._deadline))

    def close(self):
        self._inner.close()

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        inner = self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info):
        return self._inner.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the receiver took too long")
    return left


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError("the name has no address") from error
    return [str(address[0]) for *_, address in found]


def _is_allowed(address: str, port: int) -> bool:
    if settings.WEBHOOKS_TO_LOOPBACK and ipaddress.ip_address(address).is_loopback:
        return True
    return port == 443 and is_public(address)


def _is_rehearsal(scheme: str, host: str | None) -> bool:
    """Whether this is the receiver of an example or a test, on this machine."""
    return (
        settings.WEBHOOKS_TO_LOOPBACK
        and scheme in ("http", "https")
        and host in ("localhost", "127.0.0.1", "::1")
    )


def _may_be_public(host: str) -> bool:
    """Literal addresses are judged at once; a name is when it is resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # No dot or only digits: a machine inside, or an address in another spelling.
        last = host.rstrip(".").rpartition(".")[2]
        return "." in host.rstrip(".") and not last.isdigit() and not last.startswith("0x")
    return is_public(host)
