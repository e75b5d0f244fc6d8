"""A payout provider on this machine: it keeps its own books and misbehaves as it is told.

It opens and seals bodies by itself, so that it finds out what a mistake of ours would hide.
"""

import base64
import json
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_KEY = "test_sk_provider_1234"
SECURITY_KEY = "0f" * 32


@dataclass
class Provider:
    """`plan` says, by the ending of an account, what happens to a transfer; `books` what it is."""

    url: str = ""
    plan: dict = field(default_factory=dict)
    books: dict = field(default_factory=dict)
    sent: list = field(default_factory=list)  # bodies of transfers as they came, opened
    headers: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    security_key: str = SECURITY_KEY
    is_silent: bool = False

    def says(self, status, reference=None, **changes):
        """From now on the provider says this of a transfer, or of the only one."""
        [reference] = [reference] if reference else self.books
        self.books[reference].update(status=status, **changes)

    def take(self, payout):
        """(what becomes of the connection, status, answer) for a transfer that came."""
        reference = payout["refPayoutId"]
        deed = self.plan.get(payout["destination"]["accountNumber"][-4:], "pay")
        self.sent.append(payout)
        if deed == "lose the transfer":
            return "close", 0, None
        if deed.startswith("refuse "):
            code = deed.removeprefix("refuse ")
            return "answer", 400, {"error": {"code": code, "message": "거절되었습니다."}}
        if reference in self.books:
            error = {"code": "DUPLICATED_REF_PAYOUT_ID", "message": "이미 있는 지급입니다."}
            return "answer", 409, {"error": error}
        status = {"delay": "REQUESTED", "fail": "FAILED", "mumble": "THINKING"}
        row = {
            "id": f"FPA_{len(self.books)}",
            "refPayoutId": reference,
            "status": status.get(deed, "COMPLETED"),
            "amount": payout["amount"],
            "error": {"code": "INVALID_ACCOUNT_NUMBER", "message": ""} if deed == "fail" else None,
        }
        self.books[reference] = row
        if deed == "lose the answer":
            return "close", 0, None
        if deed == "break":
            return "answer", 500, {"error": {"code": "INTERNAL", "message": ""}}
        return "wait" if deed == "be slow" else "answer", 200, {"entityBody": {"items": [row]}}


def opened(body: bytes, key: str):
    head, none, nonce, text, tag = body.split(b".")
    assert none == b""
    plain = AESGCM(bytes.fromhex(key)).decrypt(_bytes(nonce), _bytes(text) + _bytes(tag), head)
    return json.loads(_bytes(head)), json.loads(plain)


def sealed(content, key: str) -> bytes:
    nonce = os.urandom(12)
    head = _text(json.dumps({"alg": "dir", "enc": "A256GCM", "iat": "now"}).encode())
    found = AESGCM(bytes.fromhex(key)).encrypt(nonce, json.dumps(content).encode(), head)
    return b".".join([head, b"", _text(nonce), _text(found[:-16]), _text(found[-16:])])


@contextmanager
def providing():
    provider = Provider()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock:
                head, [payout] = opened(body, provider.security_key)
                provider.headers.append({**head, **dict(self.headers)})
                what, status, answer = provider.take(payout)
            if what == "close":
                return self.close()
            if what == "wait":
                time.sleep(1)
            return self.answer(status, answer)

        def do_GET(self):
            if provider.is_silent:
                return self.close()
            reference = parse_qs(urlsplit(self.path).query)["refPayoutId"][0]
            with lock:
                provider.asked.append(reference)
                rows = [provider.books[reference]] if reference in provider.books else []
            return self.answer(200, {"entityBody": {"items": rows}})

        def close(self):
            self.close_connection = True

        def answer(self, status, content):
            body = sealed(content, provider.security_key)
            try:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # whoever asked has gone
                self.close()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}/v2"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _bytes(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _text(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
