from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace import tenancy
from marketplace.models import Marketplace
from settlements import seals

SELLERS_AT_ONCE = 50


class Command(BaseCommand):
    help = (
        "Seal statements that were closed before there were seals, in the order in which they "
        "closed. A night does so by itself for the sellers whose statements it closes."
    )

    def add_arguments(self, parser):
        parser.add_argument("marketplace", help="the marketplace's code")

    def handle(self, *, marketplace, **options):
        try:
            with tenancy.use(code=marketplace):
                rows = seals.unsealed().order_by("seller_id")
                sellers = list(rows.values_list("seller_id", flat=True).distinct())
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        sealed = 0
        for start in range(0, len(sellers), SELLERS_AT_ONCE):
            with tenancy.use(code=marketplace):
                batch = sellers[start : start + SELLERS_AT_ONCE]
                sealed += seals.seal_all(batch, at=timezone.now())
        self.stdout.write(f"{marketplace}: {sealed} statements of {len(sellers)} sellers sealed")
