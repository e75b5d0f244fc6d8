"""The rehearsal of crashes: what it plans, what it notices, and a small one for every day."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from gunicorn.arbiter import Arbiter

from marketplace import scratch
from settlements.crashes import checkout, rehearsing, workers
from settlements.crashes.rehearsing import Run


def rehearse(*arguments):
    command = [sys.executable, "manage.py", "rehearse_crashes", *arguments]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=600
    )


def equal(run, runs):
    """How many kills there were, and how many midway, when all came to the same."""
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(re.findall(r"^--seed \d+ --runs 1: equal", run.stdout, re.MULTILINE)) == runs
    told = re.search(rf"{runs} runs with (\d+) kills, (\d+) of them", run.stdout)
    return int(told[1]), int(told[2])


def _eventually(what):
    """What a function returns once that is true, or after a minute."""
    for _ in range(1200):
        if found := what():
            return found
        time.sleep(0.05)
    return what()


@pytest.fixture
def template(django_db_setup):
    """A database that is migrated already."""
    return connections["owner"].settings_dict["TEST"]["TEMPLATE"]


class TestCommand:
    def test_finds_killed_nights_equal_to_undisturbed_ones(self, template):
        run = rehearse("--template", template, "--runs", "1", "--seed", "1", "--nights", "2")
        kills, _ = equal(run, 1)
        assert kills >= 2

    def test_finds_them_equal_when_database_and_broker_are_killed(self):
        run = rehearse("--own-servers", "--runs", "1", "--seed", "64", "--nights", "2")
        kills, _ = equal(run, 1)
        assert kills >= 4
        for target in ("database", "broker"):
            assert re.search(rf"^    {target} \d+ ms after", run.stdout, re.MULTILINE)
        assert "clocks jumped" in run.stdout
        assert re.search(r"payouts [1-9]\d+ in", run.stdout)

    def test_takes_its_servers_away_when_it_is_killed_itself(self):
        command = [sys.executable, "manage.py", "rehearse_crashes", "--own-servers"]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # the servers' account must reach what is inside
            environment = {**os.environ, "TMPDIR": folder}
            with subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment) as process:
                found = _eventually(lambda: [*Path(folder).glob("*/var/*/postmaster.pid")])
                server = int(found[0].read_text().splitlines()[0])
                process.kill()
            assert _eventually(lambda: not Path("/proc", str(server)).exists())
            assert _eventually(lambda: not [*Path(folder).glob("jangteo-rehearsal-*")])

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--nights", "0"], "1 or more"),
            (["--own-servers", "--broker", "redis://elsewhere"], "goes without"),
        ],
    )
    def test_refuses_what_cannot_be_rehearsed(self, arguments, told):
        run = rehearse(*arguments)
        assert run.returncode == 1
        assert told in run.stderr


class TestWeb:
    def test_is_started_again_when_it_could_not_boot(self):
        nowhere = {"DATABASE_URL": "postgresql://jangteo@127.0.0.1:1/nothing"}
        web = checkout.Web({**os.environ, **scratch.environment("any"), **nowhere}, sys.stderr)
        web.start()
        first = web._process
        first.wait(timeout=60)
        web.check()
        try:
            assert first.returncode == Arbiter.WORKER_BOOT_ERROR
            assert web._process is not first
            assert web._process.poll() is None
        finally:
            web.kill()


class TestPlan:
    def test_spares_servers_that_others_use(self):
        plans = [rehearsing.plan(seed, 50) for seed in range(200)]
        targets = {kill.target for plan in plans for kill in plan}
        assert not targets & {workers.DATABASE, workers.BROKER}

    def test_follows_from_its_seed(self):
        assert rehearsing.plan(7, 100) == rehearsing.plan(7, 100)
        assert rehearsing.plan(7, 100) != rehearsing.plan(8, 100)

    def test_names_kills_in_order_that_can_come(self):
        plans = [rehearsing.plan(seed, 50, servers=True) for seed in range(200)]
        kills = [kill for plan in plans for kill in plan]
        assert {kill.target for kill in kills} == set(rehearsing.targets(servers=True))
        assert {kill.after for kill in kills} <= set(range(50))
        assert {len(plan) for plan in plans} == set(range(1, rehearsing.MOST_KILLS + 1))
        assert all(plan == sorted(plan, key=lambda kill: kill.after) for plan in plans)


class TestDifferences:
    reference = Run(None, exports={"journal": b"a\nb\n"}, rows={"line": 2})

    def test_are_none_between_equal_runs(self):
        run = Run(1, exports={"journal": b"a\nb\n"}, rows={"line": 2})
        assert list(rehearsing._differences(self.reference, run)) == []

    def test_name_the_first_line_and_the_table(self):
        run = Run(1, exports={"journal": b"a\nc\n"}, rows={"line": 3})
        assert list(rehearsing._differences(self.reference, run)) == [
            "journal, line 2: b'b' has become b'c'",
            "line: 3 rows instead of 2",
        ]

    def test_see_a_line_too_many(self):
        run = Run(1, exports={"journal": b"a\nb\nb\n"}, rows={"line": 2})
        [difference] = rehearsing._differences(self.reference, run)
        assert difference == "journal, line 3: None has become b'b'"
