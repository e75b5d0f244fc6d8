from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext

from marketplace.models import Marketplace
from marketplace.refusals import Refused
from settlements import simulating


class Command(BaseCommand):
    help = (
        "Make up sellers, listings, orders and claims of the days before today, for demonstration "
        "and load. The same seed makes up the same market; repeating it changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("marketplace", help="the marketplace's code")
        parser.add_argument("--days", type=int, required=True, help="whole days up to yesterday")
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--orders", type=int, default=60, help="orders a day (default 60)")
        parser.add_argument("--shops", type=int, default=16, help="sellers (default 16)")

    def handle(self, *, marketplace, days, seed, orders, shops, **options):
        try:
            played = [
                day
                for day, _ in simulating.run(
                    marketplace,
                    days=days,
                    seed=seed,
                    orders_a_day=orders,
                    shops=shops,
                    at=timezone.now(),
                )
            ]
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        except Refused as refused:
            raise CommandError(refused.text(gettext)) from refused
        self.stdout.write(
            f"{marketplace}\t{len(played)} days\t{sum(day.orders for day in played)} orders\t"
            f"{sum(day.events for day in played)} events\t"
            f"{sum(day.claims for day in played)} steps of claims"
        )
