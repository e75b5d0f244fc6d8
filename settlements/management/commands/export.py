from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused
from settlements import exports, table_files


class Command(BaseCommand):
    help = "Write orders, lines, statements, the journal or a report as a file (docs/exports.md)."

    def add_arguments(self, parser):
        parser.add_argument("kind", choices=sorted(exports.KINDS))
        parser.add_argument("marketplace", help="the marketplace's code")
        parser.add_argument(
            "--from", dest="first_on", type=date.fromisoformat, metavar="YYYY-MM-DD"
        )
        parser.add_argument(
            "--until", dest="last_on", type=date.fromisoformat, metavar="YYYY-MM-DD"
        )
        parser.add_argument(
            "--type", dest="file_type", choices=sorted(table_files.TYPES), default=table_files.CSV
        )
        parser.add_argument("--out", type=Path, required=True, metavar="FILE")

    def handle(self, *, kind, marketplace, out, first_on, last_on, file_type, **options):
        part = exports.Part(None, first_on, last_on)
        try:
            with tenancy.use(code=marketplace):
                exports.check(kind, part)
                count = _write(kind, out, part, file_type)
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"{out}: {count} rows")


def _write(kind: str, out: Path, part: exports.Part, file_type: str) -> int:
    if file_type == table_files.XLSX:
        with out.open("wb") as file:
            return exports.write_xlsx(kind, file, part)
    with out.open("w", encoding="utf-8", newline="") as text:
        return exports.write(kind, text, part)
