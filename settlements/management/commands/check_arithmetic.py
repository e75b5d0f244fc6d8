from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from settlements import arithmetic_check


class Command(BaseCommand):
    help = "Run a folder of worked cases of the settlement arithmetic and print each mismatch."
    requires_system_checks: list[str] = []  # no database is asked

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of JSON files")

    def handle(self, *, folder: Path, **options: Any) -> None:
        report = arithmetic_check.check_folder(folder)
        for name in report.unknown:
            self.stderr.write(f"{name}: not a kind of case that is known, skipped")
        for mismatch in report.mismatches:
            self.stdout.write(str(mismatch))
        if not report.cases:
            raise CommandError(f"No cases were found in {folder}.")
        self.stdout.write(f"{report.cases} cases checked, {report.failed} with mismatches")
        if not report.is_clean:
            raise CommandError("The arithmetic does not agree with the worked cases.")
