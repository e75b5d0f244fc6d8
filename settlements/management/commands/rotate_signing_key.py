from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace import tenancy
from marketplace.models import Marketplace
from settlements import signing


class Command(BaseCommand):
    help = (
        "Sign statements with a new key from now on. The key before keeps proving what it has "
        "signed; its public half stays on the marketplace's pages."
    )

    def add_arguments(self, parser):
        parser.add_argument("marketplace", help="the marketplace's code")

    def handle(self, *, marketplace, **options):
        try:
            with tenancy.use(code=marketplace):
                key = signing.rotate(by=None, at=timezone.now())
        except Marketplace.DoesNotExist as error:
            raise CommandError(f"There is no marketplace “{marketplace}”.") from error
        self.stdout.write(f"key {key.code}\tpublic half {key.public_half}")
