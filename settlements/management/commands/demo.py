import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from marketplace import tenancy
from marketplace.celery import WEBHOOKS, WORK
from marketplace.models import JobRun, Marketplace
from marketplace.processes import ProcessEnded, Processes
from settlements import demonstration, nights, tasks
from settlements.demonstration import EXHIBITS, Exhibit

ADDRESS = "127.0.0.1"
MADE_AT_ONCE = 2  # pasts; each keeps a processor and a half busy
STALLED = 10  # seconds without a night closed, after which the worker is reminded
TOLD_EACH = 7  # nights, where there is no terminal


class Command(BaseCommand):
    help = (
        "Show the system at work: a marketplace from each preset with weeks of simulated orders, "
        "their nights run by a real worker, then web server, worker and scheduler in the "
        "foreground. Ctrl-C ends all."
    )

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=56, help="days of history (default 56)")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--no-serve", action="store_true", help="end when the nights have been run"
        )

    def handle(self, *, days, port, no_serve, **options):
        if not settings.TRIAL:
            raise CommandError(
                "The demo writes to the database that comes with the project. Unset DATABASE_URL."
            )
        if days < 1:
            raise CommandError("--days is 1 or more.")
        if not no_serve and not _is_free(port):
            raise CommandError(f"Port {port} is in use. Choose another with --port.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the others like Ctrl-C
        self._say("Preparing the database")
        call_command("migrate", verbosity=0)
        password = _password()
        log_path = settings.VAR / "demo.log"
        try:
            with log_path.open("a") as log, Processes() as processes:
                celery = ("celery", "--app", "marketplace")
                worker = (*celery, "worker", "--loglevel", "WARNING", "--queues")
                work = (*worker, WORK, "--concurrency", "2")
                processes.start("worker", *work, role="worker", log=log)
                self._make_history(days, password, processes)
                if no_serve:
                    return
                threads = ("--pool", "threads", "--concurrency", "4", "--hostname", "webhooks@%h")
                processes.start("webhooks", *worker, WEBHOOKS, *threads, role="worker", log=log)
                beat = (*celery, "beat", "--schedule", str(settings.VAR / "beat"))
                processes.start("beat", *beat, role="worker", log=log)
                web = ("gunicorn", "marketplace.wsgi", "--workers", "2", "--bind")
                processes.start("web", *web, f"{ADDRESS}:{port}", role="web", log=log)
                self._introduce(port, password)
                self._say(
                    f"Web server, worker and scheduler are running; they write to {log_path}.\n"
                    "Ctrl-C ends them."
                )
                while True:
                    processes.check()
                    time.sleep(1)
        except KeyboardInterrupt:
            self._say("\nEnded.")
        except ProcessEnded as error:
            raise CommandError(f"{error}. See {log_path}.") from error

    def _make_history(self, days: int, password: str, processes: Processes) -> None:
        """Make up each marketplace's past and have the worker close its nights, side by side."""
        at = timezone.now()
        told: SimpleQueue[tuple[str, int, int]] = SimpleQueue()
        is_over = threading.Event()
        making = threading.Semaphore(MADE_AT_ONCE)
        with _Shown(self.stdout) as shown, ThreadPoolExecutor(len(EXHIBITS)) as pool:
            histories = [
                _History(exhibit, days, password, at, told.put, making, is_over)
                for exhibit in EXHIBITS
            ]
            left = [pool.submit(history.make) for history in histories]
            try:
                while left:
                    processes.check()
                    left = [history for history in left if not _is_made(history)]
                    while not told.empty():
                        shown.tell(*told.get())
                    time.sleep(0.1)
            finally:
                is_over.set()

    def _introduce(self, port: int, password: str) -> None:
        base = f"http://{ADDRESS}:{port}"
        self._say(f"\nEverybody's password is  {password}\n\n")
        for exhibit in EXHIBITS:
            self._say(f"{exhibit.name} ({exhibit.preset})")
            self._say(f"  operators  {base}/admin/  {exhibit.address('owner')}")
            self._say(f"             (second person)  {exhibit.address('finance')}")
            self._say(f"  sellers    {base}/s/{exhibit.slug}/  {exhibit.address('seller')}")
            self._say(f"             (staff of the same shop)  {exhibit.address('staff')}\n")
            if exhibit.has_hosts:
                host = exhibit.address(demonstration.HOST)
                self._say(f"             (a host of live shows)  {host}\n")
            self._say("\n")
        self._say(f"Programs     {base}/api/v1/docs/  (keys: in the admin under System)\n\n")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class _Over(Exception):
    """The demo ends before the histories are made."""


@dataclass
class _History:
    """The past of one marketplace: its orders made up, then its nights closed by the worker.

    A night is asked for by name: a tick would begin those of the half-finished ones, too.
    """

    exhibit: Exhibit
    days: int
    password: str
    at: datetime
    tell: Callable[[tuple[str, int, int]], None]
    making: threading.Semaphore
    is_over: threading.Event

    def make(self) -> None:
        """Serve a thread of its own; raises _Over when the demo ends first."""
        try:
            with self.making:
                for done, total in demonstration.fill(self.exhibit, days=self.days, at=self.at):
                    self._tell("orders", done, total)
                demonstration.people(self.exhibit, self.password)
                demonstration.desks(self.exhibit, self.password, at=self.at)
            self._close_nights()
            demonstration.payday(self.exhibit, at=self.at)
            demonstration.advertising(self.exhibit, at=self.at)
            demonstration.books(self.exhibit, at=self.at)
        finally:
            connections.close_all()

    def _close_nights(self) -> None:
        """Wait until all nights are closed; remind a worker that stalls."""
        market = Marketplace.objects.get(slug=self.exhibit.slug)
        last, reached = nights.last_over(market, at=self.at), market.last_closed_on
        asked = self._ask(market)
        while market.last_closed_on is None or market.last_closed_on < last:
            time.sleep(0.3)
            market.refresh_from_db()
            closed, first = market.last_closed_on, market.first_open_on
            total = (last - first).days + 1
            done = 0 if closed is None else min((closed - first).days + 1, total)
            self._tell("nights", done, total)
            if closed != reached:
                reached, asked = closed, time.monotonic()
            elif time.monotonic() - asked > STALLED:
                self._refuse_failed(market)
                asked = self._ask(market)

    def _ask(self, market: Marketplace) -> float:
        on = nights.next_on(market).isoformat()
        tasks.close_day.delay(marketplace_id=market.pk, on=on)
        return time.monotonic()

    def _refuse_failed(self, market: Marketplace) -> None:
        with tenancy.use(market.pk):
            failed = JobRun.objects.filter(kind=nights.NIGHT, state=JobRun.State.FAILED).first()
        if failed is not None:
            name = self.exhibit.slug
            raise CommandError(f"The night of {failed.on} of {name} failed: {failed.error}")

    def _tell(self, what: str, done: int, total: int) -> None:
        if self.is_over.is_set():
            raise _Over()
        self.tell((f"{self.exhibit.name}: {what}", done, total))


def _is_made(history: Future) -> bool:
    """Whether a history is there; raises what stopped it."""
    if not history.done():
        return False
    history.result()
    return True


class _Shown:
    """Progress: bars on a terminal, a line every so often elsewhere."""

    def __init__(self, out) -> None:
        self._out = out
        self._bars: Progress | None = None
        self._tasks: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def __enter__(self) -> "_Shown":
        if self._out.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            text = TextColumn("{task.description}")
            self._bars = Progress(text, *columns, console=Console(file=sys.stdout))
            self._bars.start()
        return self

    def __exit__(self, *raised) -> None:
        if self._bars is not None:
            self._bars.stop()

    def tell(self, what: str, done: int, total: int) -> None:
        if self._bars is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=total)
            self._bars.update(self._tasks[what], completed=done, total=total)
            return
        step = total if done == total else done // TOLD_EACH
        if self._told.get(what, 0) < step:
            self._told[what] = step
            self._out.write(f"{what}  {done}/{total}")
            self._out.flush()


def _password() -> str:
    """Everybody's password: made once per checkout, kept where only its owner reads."""
    path = settings.VAR / "demo_password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9))
    return path.read_text()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True
