"""The processes of a rehearsal: real workers and a web server, started, killed and replaced.

The crew plays the scheduler, too: `remind()` sends the tasks that beat would.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from celery import Celery
from django.conf import settings

from marketplace import scratch, watchdog
from settlements.crashes import broker, servers
from settlements.crashes.checkout import Web

# What the environment tells settlements.crashes.app
NAME: Final = "JANGTEO_REHEARSAL"
CLOCK: Final = "JANGTEO_REHEARSAL_CLOCK"

POOL: Final = 2  # processes of each worker

WORKER: Final = "worker"  # its whole process group at once, as when a machine dies
POOL_PROCESS: Final = "pool process"  # one of those that do the work; its worker replaces it
HEAD: Final = "head"  # the worker's own process; its pool ends what it has in hand
MESSAGES: Final = "messages"  # no process, but all that waits on the broker
WEB: Final = "web"  # the web server, with all its processes
BROKER: Final = "broker"
DATABASE: Final = "database"
JUMP: Final = 4 * 60 * 60  # seconds by which a clock that jumps is wrong at most, to either side

_CELERY: Final = (sys.executable, "-m", "celery", "--quiet")
_OPTIONS: Final = (
    *("--loglevel", "WARNING", "--concurrency", str(POOL)),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
_REMINDERS: Final = ("settlements.tasks.tick", "settlements.tasks.resume")


class WorkerEnded(RuntimeError):
    """A worker ended by itself; its log says why."""


class Crew:
    """A number of workers on one database. Leaving the block kills what is left of them."""

    def __init__(
        self,
        most: int,
        *,
        name: str,
        database: str,
        broker_url: str,
        clock: datetime,
        log: IO,
        app: str = "settlements.crashes.app",
        lines_a_shard: int = 45,
        statements_a_shard: int = 10,
    ):
        self._most = most
        self._log = log
        self._app = app
        self._environment = {
            **{key: value for key, value in os.environ.items() if key != "DATABASE_OWNER_URL"},
            **scratch.environment(database),
            "CELERY_BROKER_URL": broker_url,
            "JANGTEO_PROCESS": "worker",
            # Small, so that there is something between which to be killed.
            "LINES_A_SHARD": str(lines_a_shard),
            "STATEMENTS_A_SHARD": str(statements_a_shard),
            "EMAIL_URL": "dummymail://",
            "WATCHDOG_SECONDS": "2",
            NAME: name,
            CLOCK: clock.isoformat(),
        }
        self.web = Web(self._environment, log)
        self._sender = Celery(set_as_current=False)
        self._sender.conf.broker_write_url = broker_url  # wins over CELERY_BROKER_URL
        broker.isolate(self._sender, name, broker_url)
        self._clock = _clock()
        self._ready: list[subprocess.Popen] = []
        self._at_work: list[subprocess.Popen] = []
        self._killed: list[subprocess.Popen] = []

    def __enter__(self) -> "Crew":
        self._prepare()
        return self

    def __exit__(self, *_) -> None:
        self.dismiss()
        for process in self._ready:
            process.kill()
            process.wait()
            _close(process.stdin)
        self._sender.close()

    def begin(self, *, speed: int = 1, jumps: str = "") -> None:
        """Let those that start from now on find nothing of others, and clocks that begin anew.

        Clocks run `speed` times as fast as they should. Where `jumps` is not empty they jump, as
        chance has it from that text.
        """
        self._clock = _clock(speed, jumps)
        broker.lose_messages(self._sender)  # of the run before

    def start(self, count: int) -> None:
        """Bring the crew up to a number, and have others made ready for those to be killed."""
        while len(self._at_work) < count:
            process = self._ready.pop(0)
            self._at_work.append(process)
            try:
                process.stdin.write(f"{self._clock}\n".encode())
                process.stdin.flush()
            except BrokenPipeError as error:
                raise WorkerEnded("a worker ended before it began") from error
            self._prepare()

    def remind(self, *tasks: str) -> None:
        """Send what beat sends, or some of it: as many beats at once as there are workers."""
        for task in tasks or _REMINDERS:
            for _ in self._at_work:
                self._sender.send_task(task)

    def check(self) -> None:
        """Replace those that ended because they fetched nothing more, as a service manager would.

        So is a web server that could not boot. Raises WorkerEnded when a worker is gone that
        nobody killed.
        """
        self.web.check()
        for process in list(self._at_work):
            if process.poll() is None:
                continue
            if process.returncode != watchdog.STATUS:
                raise WorkerEnded(f"a worker ended by itself, with status {process.returncode}")
            self._at_work.remove(process)
            self._killed.append(process)
            self.start(len(self._at_work) + 1)

    def kill(self, target: str, choose: Callable) -> None:
        """Send SIGKILL to a worker, its head alone or a process of its pool; or lose messages.

        Web server, broker and database are started again before this returns.
        """
        if target == MESSAGES:
            broker.lose_messages(self._sender)
            return
        if target == WEB:
            self.web.kill()
            self.web.start()
            return
        if target == BROKER:
            servers.kill_broker()
            return
        if target == DATABASE:
            servers.kill_database()
            return
        process = choose(self._at_work)
        if target == POOL_PROCESS:
            if pool := _children(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(choose(pool), signal.SIGKILL)
            return
        self._at_work.remove(process)
        # Not waited for, so that its number stays its own while its pool may still be alive.
        self._killed.append(process)
        if target == HEAD:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Kill everything that is at work, and what orphans of killed heads there are."""
        for process in [*self._at_work, *self._killed]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _close(process.stdin)
        self._at_work, self._killed = [], []
        self.web.kill()

    def _prepare(self) -> None:
        while len(self._ready) < self._most:
            process = subprocess.Popen(
                [*_CELERY, "--app", self._app, "worker", *_OPTIONS],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._ready.append(process)


def _clock(speed: int = 1, jumps: str = "") -> str:
    """The word that says how a worker's clock runs, for settlements.crashes.app."""
    return f"{time.time()} {speed} {jumps}"


def _close(pipe: IO) -> None:
    with contextlib.suppress(BrokenPipeError):  # a word that was never heard
        pipe.close()


def _children(pid: int) -> list[int]:
    processes = Path("/proc")
    if not (processes / "self/stat").exists():
        command = ["ps", "-A", "-o", "pid=,ppid="]
        table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in table.splitlines()]
        return sorted(int(child) for child, parent in pairs if int(parent) == pid)
    children = []
    for stat in processes.glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if int(rest.split()[1]) == pid:
            children.append(int(stat.parent.name))
    return sorted(children)
