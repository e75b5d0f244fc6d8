"""What each step of a night costs: a night of many lines, and nights of a few more over them.

python -m tests.benchmarks.night_steps --lines 1000000 --increment 33000 --nights 2

All steps, in one process, under the app role, and at the end the whole of `verify`. Orders come to
the tables as in `settle`; nothing is paid through a provider, so steps that compare providers'
files have only what is settled to look at.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

import django

django.setup()

from django.db import connection  # noqa: E402

from marketplace import tenancy  # noqa: E402
from settlements import nights, verification  # noqa: E402
from tests.benchmarks import databases, market  # noqa: E402

NAME = "jangteo_benchmark_night"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--increment", type=int, default=33_000)
    parser.add_argument("--nights", type=int, default=2, help="so many with an increment")
    arguments = parser.parse_args()
    with databases.migrated(NAME):
        load = market.fill(NAME, arguments.lines)
        seconds = _timed()
        _print_night(seconds, market.NIGHT, arguments.lines)
        for number in range(arguments.nights):
            night, more = market.NIGHT_AFTER + timedelta(days=number), arguments.increment
            load(NAME, more, first=night, last=night, reversals=more // 20)
            _print_night(seconds, night, more)
        _print_verification(seconds, night)


def _timed() -> Counter:
    """Have every step note its wall and processor seconds, by its name, in what is returned."""
    seconds: Counter = Counter()

    def timed(step: nights.Step, does):
        def run(*arguments):
            with _noted(seconds, step.name):
                return does(*arguments)

        return does and run

    parts = ("whole", "shard", "before", "cut")
    nights.STEPS = tuple(
        replace(step, **{part: timed(step, getattr(step, part)) for part in parts})
        for step in nights.STEPS
    )
    nights._BY_KIND = {step.kind: step for step in nights.STEPS}
    return seconds


@contextmanager
def _noted(seconds: Counter, name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), _processor_seconds()
    yield
    seconds[name, "wall"] += time.perf_counter() - wall
    seconds[name, "cpu"] += _processor_seconds() - cpu


def _processor_seconds() -> float:
    """Of this process and of the server's for it."""
    fields = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text()
    used = fields.rsplit(")", 1)[1].split()[11:13]
    return time.process_time() + sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def _print_night(seconds: Counter, night: date, lines: int) -> None:
    seconds.clear()
    began = time.perf_counter()
    nights.close_day(market.MARKETPLACE, night, at=market.AT + (night - market.NIGHT))
    print(f"{night}, {lines} lines: {time.perf_counter() - began:.1f} s", flush=True)
    for step in nights.STEPS:
        _print_seconds(seconds, step.name)


def _print_verification(seconds: Counter, on: date) -> None:
    """Recompute all that was settled; the first difference ends it."""
    with tenancy.use(market.MARKETPLACE), _noted(seconds, "verify"):
        for difference in verification.verify(on=on):
            sys.exit(str(difference))
    _print_seconds(seconds, "verify")


def _print_seconds(seconds: Counter, name: str) -> None:
    wall, cpu = seconds[name, "wall"], seconds[name, "cpu"]
    print(f"  {name:16s} {wall:8.2f} s {cpu:8.2f} s cpu", flush=True)


if __name__ == "__main__":
    main()
