from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.models import Marketplace
from marketplace.refusals import Refused
from settlements import nights


class Command(BaseCommand):
    help = (
        "Close a business day, as the night does: missed days first, each step once. "
        "Repeating it changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("marketplace", help="the marketplace's code")
        parser.add_argument("--on", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--dry-run", action="store_true", help="print counts, keep nothing")
        parser.add_argument(
            "--release",
            action="store_true",
            help="try again what was put aside after failing too often",
        )
        parser.add_argument(
            "--step",
            choices=[step.name for step in nights.STEPS],
            default="",
            help="stop after this step (with --dry-run)",
        )

    def handle(self, *, marketplace, on, dry_run, release, step, **options):
        if step and not dry_run:
            raise CommandError("--step goes with --dry-run: a night is closed whole.")
        try:
            market = Marketplace.objects.get(slug=marketplace)
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        if on > (over := nights.last_over(market, at=timezone.now())):
            raise CommandError(f"{on} is not over yet: the last day that can be closed is {over}.")
        try:
            if dry_run:
                results = nights.rehearse(market.pk, on, at=timezone.now(), only=step)
                for name, counts in results.items():
                    self.stdout.write(f"{name}\t{_said(counts)}")
            else:
                if release:
                    nights.release(market.pk, nights.next_on(market))
                nights.close_day(market.pk, on, at=timezone.now(), tell=self._tell)
                self.stdout.write(f"{market.slug}: closed up to {on}")
        except Refused as refused:
            raise CommandError(str(refused)) from refused

    def _tell(self, on: date, step: str) -> None:
        if not step:
            self.stdout.write(str(on))


def _said(counts: dict[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in counts.items()) or "-"
