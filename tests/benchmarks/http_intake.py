"""Order intake over HTTP: two gunicorn workers take orders of two sellers with three lines.

python -m tests.benchmarks.http_intake --seconds 20

Clients post as fast as they are answered, first batches and then single orders, each with its own
idempotency key. Besides orders a second it tells the processor time that an order takes in the
web workers and in PostgreSQL: that is what means something on a machine that does other work.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from marketplace import embedded, tenancy  # noqa: E402
from marketplace.tests.make import api_key  # noqa: E402
from settlements.tests import make  # noqa: E402
from tests.benchmarks import databases  # noqa: E402

NAME = "jangteo_benchmark_http"
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    embedded.start_broker()
    with databases.migrated(NAME):
        market = make.market()
        with tenancy.use(market.pk):
            make.seller("own"), make.seller("other")
        secret = api_key(market).secret
        connection.close()
        with _Server(arguments.workers) as server:
            _post(server.port, secret, 2, "warm", time.monotonic() + 5, [], Counter())
            for size in (arguments.batch, 1):
                _run(server, secret, size, arguments)


class _Server:
    """gunicorn on the benchmark's database; knows what processor time its workers have used."""

    def __init__(self, workers: int):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = (
            "import sys; from marketplace import settings;"
            f"[d.update(NAME={NAME!r}) for d in settings.DATABASES.values()];"
            "from gunicorn.app.wsgiapp import run; sys.exit(run())"
        )
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", program, "marketplace.wsgi"),
                *("--workers", str(workers), "--bind", f"127.0.0.1:{self.port}"),
                *("--log-level", "error"),
            ],
            cwd=settings.BASE_DIR,
            env={
                **os.environ,
                "JANGTEO_PROCESS": "web",
                "LOG_LEVEL": "ERROR",
                "API_REQUESTS_A_MINUTE": "1000000",
                "API_MARKETPLACE_REQUESTS_A_MINUTE": "1000000",
            },
        )

    def __enter__(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.2)
        raise TimeoutError("gunicorn does not answer")

    def __exit__(self, *failure):
        self._process.terminate()
        self._process.wait(30)

    def processor_seconds(self) -> tuple[float, float]:
        """Of the web workers, and of the sessions of PostgreSQL that serve them."""
        web = sum(_used(pid) for pid in _children(self._process.pid))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [NAME],
            )
            return web, sum(_used(pid) for (pid,) in cursor.fetchall())


def _run(server: _Server, secret: str, size: int, arguments) -> None:
    stop = time.monotonic() + arguments.seconds
    times: list[float] = []
    results: Counter = Counter()
    web, database = server.processor_seconds()
    started = time.monotonic()
    threads = [
        threading.Thread(target=_post, args=(server.port, secret, size, n, stop, times, results))
        for n in range(arguments.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    web_after, database_after = server.processor_seconds()
    orders = results["accepted"]
    if not orders or set(results) != {"accepted"}:
        sys.exit(f"not all were accepted: {dict(results)}")
    times.sort()
    print(
        f"{size:>4} a request: {orders / seconds:7.1f} orders/s, {len(times)} requests, "
        f"p50 {1000 * times[len(times) // 2]:.0f} ms, "
        f"p99 {1000 * times[int(len(times) * 0.99)]:.0f} ms; processor per order: "
        f"web {1000 * (web_after - web) / orders:.2f} ms, "
        f"PostgreSQL {1000 * (database_after - database) / orders:.2f} ms",
        flush=True,
    )


def _post(port, secret, size, client, stop, times, results) -> None:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sent = 0
    while time.monotonic() < stop:
        orders = [_order(f"{size}-{client}-{sent}-{n}") for n in range(size)]
        body = json.dumps({"orders": orders} if size > 1 else orders[0])
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"{size}-{client}-{sent}",
        }
        began = time.monotonic()
        server.request("POST", f"/api/v1/orders/{'batch/' if size > 1 else ''}", body, headers)
        response = server.getresponse()
        answer = json.loads(response.read())
        times.append(time.monotonic() - began)
        told = answer.get("data", [answer])
        results.update(row.get("result", row.get("code")) for row in told)
        sent += 1


def _order(number: str) -> dict:
    def won(amount):
        return {"amount": amount, "currency": "KRW"}

    lines = [
        {
            "number": n,
            "seller_code": "own" if n < 3 else "other",
            "category_code": "beauty",
            "sku": f"SKU-{n}",
            "title": "첫물 녹차 50 g",
            "unit_price": won(12_900),
            "quantity": 1,
        }
        for n in (1, 2, 3)
    ]
    return {
        "number": number,
        "placed_at": "2026-09-01T12:00:00+09:00",
        "lines": lines,
        "payments": [{"sequence": 1, "kind": "card", "amount": won(38_700)}],
    }


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in children.split()]


def _used(pid: int) -> float:
    """Processor seconds of a process, its own and the kernel's for it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


if __name__ == "__main__":
    main()
