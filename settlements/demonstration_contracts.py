"""Contracts of two shops in the marketplaces of the demo, in force from their first day.

For one the marketplace issues the sales and owes their VAT; the other is paid ahead on shipment.
From hosts of live shows, who are persons, income tax is withheld.
"""

from datetime import datetime
from itertools import islice

from django.db import transaction

from marketplace import tenancy
from sellers.models import Seller
from settlements import contracting, simulated_people, withholding
from settlements.models import SellerContract

_TERMS = ({"sale_issuer": SellerContract.Issuer.PLATFORM}, {"fast_ppm": 800_000})
_HOST_TERMS = {"income_kind": withholding.SERVICE}


@transaction.atomic
def sign(slug: str, *, at: datetime) -> None:
    """Contract with the shops after the busiest one and with hosts, before any night; once."""
    with tenancy.use(code=slug) as market:
        if market.last_closed_on is not None or SellerContract.objects.exists():
            return
        sellers = Seller.objects.active().order_by("code")
        hosts = sellers.filter(code__contains=simulated_people.HOST_CODE)
        shops = islice(sellers.exclude(pk__in=hosts), 1, None)
        signed = [*zip(shops, _TERMS, strict=False), *((host, _HOST_TERMS) for host in hosts)]
        for number, (shop, terms) in enumerate(signed, 1):
            contract = contracting.draft(shop, valid_from=market.first_open_on, by=None, at=at)
            contract.reference = f"{market.slug}-{number:03}"
            for name, value in terms.items():
                setattr(contract, name, value)
            contract.save()
            contracting.publish(contract, by=None, at=at)
