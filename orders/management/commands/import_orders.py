import resource
import sys
import time
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from marketplace.models import Marketplace
from marketplace.refusals import Refused
from orders import importing


class Command(BaseCommand):
    help = (
        "Import order history from CSV files through a profile (docs/import.md). "
        "Bad rows are told and the rest comes in; importing twice changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("marketplace", help="the marketplace's code")
        parser.add_argument("profile", help="the import profile's code, such as olist")
        parser.add_argument(
            "files",
            nargs="+",
            type=Path,
            metavar="FILE",
            help="CSV files, also packed by gzip; the profile tells them apart by their names",
        )
        parser.add_argument("--report", type=Path, help="write every told row to this CSV file")

    def handle(self, *, marketplace, profile, files, report, **options):
        started = time.monotonic()
        try:
            market = Marketplace.objects.get(slug=marketplace)
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        if report is not None:
            _refuse_unwritable(report)
        try:
            with _Shown(self.stdout) as shown:
                imported = importing.import_files(
                    market.pk,
                    profile,
                    files,
                    by=None,
                    at=timezone.now(),
                    report_to=report,
                    tell=shown.tell,
                )
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        self._print(imported, time.monotonic() - started)

    def _print(self, imported: importing.Imported, seconds: float) -> None:
        for name, count in sorted(imported.counts.items()):
            self.stdout.write(f"{name}\t{count}")
        for head, count in sorted(imported.heads.items()):
            amount = imported.amounts.get(head)
            self.stdout.write(f"{head}\t{count}" + ("" if amount is None else f"\t{amount}"))
        if not imported.changed:
            self.stdout.write("everything was there already; nothing changed")
        rows = imported.counts.get("rows", 0)
        self.stdout.write(
            f"{seconds:.1f} s, {rows / seconds:,.0f} rows/s, peak memory {_peak_megabytes()} MB"
        )


def _refuse_unwritable(report: Path) -> None:
    """Find out before an hour of work, not after."""
    try:
        report.open("a").close()
    except OSError as error:
        raise CommandError(f"{report}: {error.strerror}") from error


class _Shown:
    """Progress: a bar on a terminal, a line at each tenth elsewhere."""

    def __init__(self, out) -> None:
        self._out = out
        self._bar: Progress | None = None
        self._task = None
        self._last = ("", -1)

    def __enter__(self) -> "_Shown":
        if self._out.isatty():
            console = Console(file=sys.stdout)
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=console)
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, *raised) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, what: str, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=what, completed=done, total=total or None)
            return
        tenth = done * 10 // total if total else 0
        if (what, tenth) != self._last:
            self._last = (what, tenth)
            self._out.write(f"{what}\t{done}" + (f"/{total}" if total else ""))


def _peak_megabytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
