from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext

from marketplace import tenancy
from marketplace.models import Marketplace
from marketplace.refusals import Refused
from settlements import schedule_files, schedule_import

SHOWN = 100


class Command(BaseCommand):
    help = "Draft the next version of a fee schedule from a CSV file, whole or not at all."

    def add_arguments(self, parser):
        parser.add_argument("marketplace", metavar="MARKETPLACE", help="its code")
        parser.add_argument("schedule", metavar="SCHEDULE", help="its code; made if it is new")
        parser.add_argument("file", metavar="FILE", type=Path, help="CSV, or CSV in gzip")
        parser.add_argument(
            "--valid-from", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD"
        )
        parser.add_argument(
            "--mapping",
            default="category-bands",
            help="which column means what: a name, or the path of a JSON file",
        )
        parser.add_argument("--publish", action="store_true", help="bring it into force at once")
        parser.add_argument(
            "--waive-notice",
            action="store_true",
            help="with --publish: sooner than the notice that sellers were promised",
        )

    def handle(self, *, marketplace, schedule, file, valid_from, mapping, **options):
        source = Path(mapping) if mapping.endswith(".json") else mapping
        try:
            with tenancy.use(code=marketplace):
                imported = schedule_import.import_file(
                    file,
                    mapping=schedule_files.load_mapping(source),
                    schedule=schedule,
                    valid_from=valid_from,
                    publish=options["publish"],
                    waive_notice=options["waive_notice"],
                    by=None,
                    at=timezone.now(),
                )
        except (Marketplace.DoesNotExist, FileNotFoundError) as error:
            raise CommandError(str(error)) from error
        except schedule_files.FileRefused as refused:
            for problem in refused.problems[:SHOWN]:
                self.stderr.write(f"{file.name}: {problem}")
            raise CommandError(refused.text(gettext)) from refused
        except Refused as refused:
            raise CommandError(refused.text(gettext)) from refused
        version = imported.version
        self.stdout.write(
            f"{schedule}\tv{version.number}\t{version.state}\t"
            f"{imported.rules} rules\t{imported.categories} categories"
        )
