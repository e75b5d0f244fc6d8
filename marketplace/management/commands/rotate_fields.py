from collections import Counter

from django.core.management.base import BaseCommand

from marketplace import resealing, tenancy
from marketplace.models import Marketplace


class Command(BaseCommand):
    help = (
        "Seal sealed fields of all marketplaces with the first of FIELD_KEYS, and tell how many "
        "values each key has sealed. A key that is not named any more may be retired."
    )

    def handle(self, **options):
        left: Counter[str] = Counter()
        for marketplace in Marketplace.objects.order_by("pk"):
            with tenancy.use(marketplace.pk, even_archived=True):
                for what, count in sorted(resealing.rotate().items()):
                    self.stdout.write(f"{marketplace.slug}\t{what}\t{count}")
                for keys in resealing.counts().values():
                    left.update(keys)
        for key, count in sorted(left.items()):
            self.stdout.write(f"key {key}\t{count}")
