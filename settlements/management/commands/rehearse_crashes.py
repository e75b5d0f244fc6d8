import os
import signal
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace import embedded
from settlements.crashes import orphans, servers
from settlements.crashes.checkout import NotTaken
from settlements.crashes.payday import NotPaid
from settlements.crashes.rehearsing import Rehearsal, Run, Stuck
from settlements.crashes.workers import WorkerEnded


class Command(BaseCommand):
    help = (
        "Kill workers and web server in the middle of made-up nights, let them resume, and compare "
        "what comes of it with undisturbed nights, byte by byte. Works in a database of its own, "
        "which is dropped at the end; the real one is not touched. Fails when anything differs."
    )

    def add_arguments(self, parser):
        parser.add_argument("--runs", type=int, default=5, help="disturbed runs (default 5)")
        parser.add_argument(
            "--seed", type=int, default=1, help="of the first run; each next one adds 1 (default 1)"
        )
        parser.add_argument("--nights", type=int, default=5, help="to close in a run (default 5)")
        parser.add_argument(
            "--orchestrators", type=int, default=1, help="workers and beats at once (default 1)"
        )
        parser.add_argument("--broker", metavar="URL", help="instead of the configured one")
        parser.add_argument(
            "--own-servers",
            action="store_true",
            help="start a database server and a broker for this alone, and kill those, too",
        )
        parser.add_argument(
            "--template", default="", metavar="DATABASE", help="migrated and empty, to be copied"
        )

    def handle(self, *, runs, seed, nights, orchestrators, template, own_servers, **options):
        if min(nights, orchestrators) < 1:
            raise CommandError("--nights and --orchestrators are 1 or more.")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaving nothing behind
        if own_servers:
            if template or options["broker"]:
                raise CommandError("--own-servers goes without --template and --broker.")
            counts = {
                "--runs": runs,
                "--seed": seed,
                "--nights": nights,
                "--orchestrators": orchestrators,
            }
            words = [str(word) for pair in counts.items() for word in pair]
            if status := servers.apart(["rehearse_crashes", *words]):
                sys.exit(status)
            return
        if servers.are_own():
            orphans.end_with_rehearsal(servers.take_away)
        broker_url = options["broker"] or settings.CELERY_BROKER_URL
        if settings.EMBEDDED_BROKER and not options["broker"]:
            embedded.start_broker()
        handle, path = tempfile.mkstemp(prefix="rehearsal-", suffix=".log")
        with os.fdopen(handle, "w") as log:
            rehearsal = Rehearsal(nights, orchestrators, broker_url, log, timezone.now(), template)
            different, kills, midway = [], 0, 0
            try:
                for run in rehearsal.runs(range(seed, seed + runs)):
                    self._tell(run)
                    different += [str(run.seed)] if run.differences else []
                    kills += len(run.kills)
                    midway += run.midway
            except (Stuck, WorkerEnded, NotTaken, NotPaid) as error:
                raise CommandError(f"{error}. What the workers wrote: {path}") from error
        if different:
            raise CommandError(
                f"Runs that differ: seed {', '.join(different)}. To replay one: --runs 1 --nights "
                f"{nights} --orchestrators {orchestrators} --seed … What the workers wrote: {path}"
            )
        Path(path).unlink()
        self.stdout.write(
            f"{runs} runs with {kills} kills, {midway} of them in the middle of a write, came to "
            "the same, byte by byte."
        )

    def _tell(self, run: Run) -> None:
        name = "undisturbed" if run.seed is None else f"--seed {run.seed} --runs 1"
        verdict = "differs" if run.differences else "done" if run.seed is None else "equal"
        self.stdout.write(
            f"{name}: {verdict}; seconds {run.seconds:.1f}, commits {run.commits}, "
            f"kills {len(run.kills)}, shards served again {run.repeated}, "
            f"requests posted again {run.posted_again}, payouts {sum(run.paid.states.values())} in "
            f"{run.paid_in:.1f} s, {run.paid.decided} of them decided by people"
            + (", clocks jumped" if run.jumps else "")
        )
        for text in [*run.kills, *run.differences]:
            self.stdout.write(f"    {text}")
        self.stdout.flush()
