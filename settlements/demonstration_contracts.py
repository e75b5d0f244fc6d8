"""Contracts of two shops in the marketplaces of the demo, in force from their first day.

For one the marketplace issues the sales and owes their VAT; the other is paid ahead on shipment.
"""

from datetime import datetime
from itertools import islice

from django.db import transaction

from marketplace import tenancy
from sellers.models import Seller
from settlements import contracting
from settlements.models import SellerContract

_TERMS = ({"sale_issuer": SellerContract.Issuer.PLATFORM}, {"fast_ppm": 800_000})


@transaction.atomic
def sign(slug: str, *, at: datetime) -> None:
    """Contract with the shops after the busiest one, before any night; once."""
    with tenancy.use(code=slug) as market:
        if market.last_closed_on is not None or SellerContract.objects.exists():
            return
        shops = islice(Seller.objects.active().order_by("code"), 1, None)
        for number, (shop, terms) in enumerate(zip(shops, _TERMS, strict=False), 1):
            contract = contracting.draft(shop, valid_from=market.first_open_on, by=None, at=at)
            contract.reference = f"{market.slug}-{number:03}"
            for name, value in terms.items():
                setattr(contract, name, value)
            contract.save()
            contracting.publish(contract, by=None, at=at)
