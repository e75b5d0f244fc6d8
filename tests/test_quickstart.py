"""docs/quickstart.md, run as it is written: by curl, against gunicorn, on a database of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.db import connections

from marketplace import tenancy
from marketplace.tests.make import api_key
from settlements.tests import make

CALLS = re.compile(r"```sh\n(curl .*?)```", re.DOTALL)


@pytest.fixture
def server(transactional_db):
    """The address of two gunicorn workers on the test's database, under the app role."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = connections["default"].settings_dict
    program = (
        "import sys; from marketplace import settings;"
        f"[d.update(NAME={database['NAME']!r}) for d in settings.DATABASES.values()];"
        "from gunicorn.app.wsgiapp import run; sys.exit(run())"
    )
    arguments = ["marketplace.wsgi", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "JANGTEO_PROCESS": "web", "ALLOWED_HOSTS": "127.0.0.1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        process.terminate()
        process.wait(30)


def test_every_call_does_what_it_says(server):
    market = make.market()
    with tenancy.use(market.pk):
        make.seller("hanok")
    made = api_key(market)
    text = (settings.BASE_DIR / "docs/quickstart.md").read_text()
    calls = CALLS.findall(text)
    assert len(calls) == 10
    environment = {**os.environ, "BASE": server, "KEY": made.secret, "SELLER": "hanok"}
    answers = []
    for call in calls:
        done = subprocess.run(
            ["bash", "-c", call], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (call, done.stdout, done.stderr)
        answers.append(json.loads(done.stdout))
    assert answers[1]["data"][0]["fee"]["currency"] == "KRW"
    assert answers[3]["newest"]["state"] == "draft"
    assert answers[4]["result"] == "accepted"
    assert [row["result"] for row in answers[5]["data"]] == ["accepted", "accepted"]
    [order] = answers[6]["data"]
    assert order["lines"][0]["status"] == "shipped"
    assert answers[7] == {"data": [], "next": None, "prev": None}
