from django.core.management.base import BaseCommand, CommandError

from marketplace import tenancy
from marketplace.models import Marketplace
from settlements import nights, seals, verification
from settlements.models import Statement

SHOWN = 200


class Command(BaseCommand):
    help = (
        "Recompute settled lines from their inputs and compare; check statements, ledger and "
        "audit trail. Prints each difference, and fails when there is one."
    )

    def add_arguments(self, parser):
        parser.add_argument("marketplace", help="the marketplace's code")
        parser.add_argument("--statement", help="public id; only this statement and its lines")

    def handle(self, *, marketplace, statement, **options):
        count = unsealed = 0
        try:
            with tenancy.use(code=marketplace) as market:
                chosen = Statement.objects.get(public_id=statement) if statement else None
                on = market.last_closed_on or nights.next_on(market)
                for count, difference in enumerate(verification.verify(on=on, statement=chosen), 1):
                    if count <= SHOWN:
                        self.stdout.write(str(difference))
                rows = seals.unsealed()
                unsealed = (rows.filter(pk=chosen.pk) if chosen else rows).count()
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        except Statement.DoesNotExist as error:
            raise CommandError(f"“{marketplace}” has no statement “{statement}”.") from error
        if unsealed:
            self.stdout.write(
                f"{unsealed} statements are not sealed yet: the next night of their seller seals "
                "them, or the command seal_statements."
            )
        if count:
            raise CommandError(f"{count} differences.")
        self.stdout.write(f"{marketplace}: everything agrees")
