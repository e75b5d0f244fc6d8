"""A shop's checkout beside the nights of a rehearsal, and the web server that it posts to.

Its orders are of days that are not closed yet, so no night counts them. Each is posted under an
idempotency key until the web server has taken it, whatever happens to either in between.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Final

from django.conf import settings
from gunicorn.arbiter import Arbiter

_ADDRESS: Final = "127.0.0.1"
_AGAIN: Final = (409, 429, 500, 502, 503, 504)  # answers after which the same is posted once more
_PAUSE: Final = 0.05  # seconds between two requests
_PATIENCE: Final = 60  # seconds until an order has to be taken


class NotTaken(RuntimeError):
    """The web server refuses an order, or never takes it."""


class Web:
    """gunicorn on the rehearsal's database; started again at the same port when it was killed."""

    def __init__(self, environment: Mapping[str, str], log: IO):
        with socket.socket() as probe:
            probe.bind((_ADDRESS, 0))
            self.port = probe.getsockname()[1]
        many = str(10**6)
        self._environment = {
            **environment,
            "JANGTEO_PROCESS": "web",
            "ALLOWED_HOSTS": _ADDRESS,
            "API_REQUESTS_A_MINUTE": many,
            "API_MARKETPLACE_REQUESTS_A_MINUTE": many,
        }
        self._log = log
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "settlements.crashes.web", "marketplace.wsgi"),
                *("--workers", "1", "--bind", f"{_ADDRESS}:{self.port}", "--log-level", "error"),
            ],
            cwd=settings.BASE_DIR,
            env=self._environment,
            stdin=subprocess.PIPE,  # which ends with us
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def check(self) -> None:
        """Start it again where it ended because it could not boot, as a service manager would.

        It asks the database for its role when it boots, and the database may be down just then.
        """
        if self._process is not None and self._process.poll() == Arbiter.WORKER_BOOT_ERROR:
            self.kill()
            self.start()

    def kill(self) -> None:
        """SIGKILL to all its processes; nothing when there are none."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process = None


class Checkout:
    """Posts requests one after the other, each until it is taken."""

    def __init__(self, port: int, secret: str, requests: Sequence[Sequence[dict]]):
        self._port = port
        self._secret = secret
        self._requests = requests
        self._is_over = threading.Event()
        self._failure: NotTaken | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.taken = 0  # requests
        self.posted = 0  # those that had to be posted again counted again

    def __enter__(self) -> "Checkout":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_over.set()
        self._thread.join()

    def check(self) -> bool:
        """Whether everything was taken; raises NotTaken when something never will be."""
        if self._failure is not None:
            raise self._failure
        return self.taken == len(self._requests)

    def _run(self) -> None:
        try:
            for number, orders in enumerate(self._requests):
                self._post_until_taken(f"checkout-{number}", json.dumps({"orders": orders}))
                self.taken += 1
        except NotTaken as failure:
            self._failure = failure

    def _post_until_taken(self, key: str, body: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        last = "nothing"
        while not self._is_over.wait(_PAUSE):
            if time.monotonic() > deadline:
                raise NotTaken(f"{key}: not taken in {_PATIENCE} s; the last answer was {last}")
            self.posted += 1
            try:
                status, text = self._post(key, body)
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
                continue
            if status in _AGAIN:
                last = f"{status} {text[:300]}"
                continue
            results = {row["result"] for row in json.loads(text).get("data", [{"result": text}])}
            if status >= 300 or results != {"accepted"}:
                raise NotTaken(f"{key}: {status} {text[:300]}")
            return

    def _post(self, key: str, body: str) -> tuple[int, str]:
        server = http.client.HTTPConnection(_ADDRESS, self._port, timeout=15)
        headers = {
            "Authorization": f"Bearer {self._secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        with contextlib.closing(server):
            server.request("POST", "/api/v1/orders/batch/", body, headers)
            response = server.getresponse()
            return response.status, response.read().decode()
