from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext

from marketplace import tenancy
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
        now = timezone.now()
        try:
            played = self._play(marketplace, days, seed, orders, shops, now)
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        except Refused as refused:
            raise CommandError(refused.text(gettext)) from refused
        self.stdout.write(
            f"{marketplace}\t{len(played)} days\t{sum(day.orders for day in played)} orders\t"
            f"{sum(day.events for day in played)} events\t"
            f"{sum(day.claims for day in played)} steps of claims"
        )

    def _play(self, marketplace, days, seed, orders, shops, now):
        with tenancy.use(code=marketplace) as market_row:
            wanted = simulating.days_to_play(market_row, days, at=now)
            market = simulating.prepare(
                market_row,
                seed=seed,
                shops=shops,
                orders_a_day=orders,
                opened_on=wanted[0],
                by=None,
                at=now - timedelta(days=days),
            )
        played = []
        story = simulating.play(market, wanted, by=None)
        for _ in wanted:  # a transaction a day, so that much history is no single one
            with tenancy.use(code=marketplace):
                played.append(next(story))
        return played
