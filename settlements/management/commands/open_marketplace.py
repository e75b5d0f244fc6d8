from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext

from marketplace.models import Marketplace
from marketplace.refusals import Refused
from settlements import opening, presets


class Command(BaseCommand):
    help = "Open a new marketplace from a preset. Every value can be changed afterwards."

    def add_arguments(self, parser):
        parser.add_argument(
            "preset",
            metavar="PRESET",
            help=f"one of {', '.join(presets.available())}, or the path of a file like them",
        )
        parser.add_argument("slug", metavar="SLUG", help="the code of the new marketplace")
        parser.add_argument("--name")
        parser.add_argument("--currency", help="three capital letters such as KRW")
        parser.add_argument("--exponent", type=int, help="decimal places of the currency")
        parser.add_argument("--zone", help="time zone such as Asia/Seoul")
        parser.add_argument("--country", help="whose holidays to propose, such as KR or BR-SP")
        parser.add_argument(
            "--first-open-on",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="first business day; today when it is left out",
        )
        parser.add_argument("--state", choices=Marketplace.State.values[:2], default="test")

    def handle(self, *, preset, slug, **options):
        names = ("name", "currency", "exponent", "zone", "country", "first_open_on", "state")
        wanted = {name: options[name] for name in names}
        source = Path(preset) if preset.endswith(".json") else preset
        try:
            marketplace = opening.open_marketplace(source, slug, at=timezone.now(), **wanted)
        except FileNotFoundError as error:
            raise CommandError(str(error)) from error
        except Refused as refused:
            raise CommandError(refused.text(gettext)) from refused
        self.stdout.write(f"{marketplace.slug}\t{marketplace.name}\t{marketplace.first_open_on}")
