"""Sellers in bulk, for imports and simulations: they come from a marketplace that knows them.

A seller who applies by themselves goes through the application instead.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime

from django.db import transaction

from marketplace import audit
from sellers.models import Seller, SellerProfile

_BATCH = 5_000
_SAMPLE = 20  # codes of new sellers that the audit entry names


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """Who a seller is and how to reach them, where that is known."""

    company: str
    representative: str
    mail_order_report: str
    address: str
    phone: str
    contact_email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerRow:
    """A seller wanted, already selling."""

    code: str
    name: str
    joined_on: date
    seller_type: str = Seller.Type.SOLE_PROPRIETOR
    business_number: str = ""
    profile: ProfileRow | None = None


@transaction.atomic
def ensure_sellers(rows: Iterable[SellerRow], *, by, at: datetime) -> dict[str, Seller]:
    """Make the sellers that are missing, active; return those asked for by code.

    One audit entry for the batch. A seller who exists keeps everything as it is.
    """
    wanted = {row.code: row for row in rows}
    known = _sellers(wanted)
    missing = [wanted[code] for code in sorted(wanted.keys() - known.keys())]
    if not missing:
        return known
    made = [
        Seller(
            code=row.code,
            name=row.name,
            seller_type=row.seller_type,
            business_number=row.business_number,
            joined_on=row.joined_on,
            state=Seller.State.ACTIVE,
        )
        for row in missing
    ]
    public_ids = {seller.public_id for seller in made}
    # Another import may make the same sellers meanwhile; whoever comes first makes them.
    Seller.objects.bulk_create(made, ignore_conflicts=True, batch_size=_BATCH)
    known = _sellers(wanted)
    ours = sorted(seller.code for seller in known.values() if seller.public_id in public_ids)
    if ours:
        SellerProfile.objects.bulk_create(
            (
                SellerProfile(seller=known[code], **asdict(profile))
                for code in ours
                if (profile := wanted[code].profile) is not None
            ),
            batch_size=_BATCH,
        )
        data = {"count": len(ours), "sample": ours[:_SAMPLE]}
        audit.record("seller.registered", by=by, at=at, obj=Seller, data=data)
    return known


def _sellers(codes: Iterable[str]) -> dict[str, Seller]:
    return {seller.code: seller for seller in Seller.objects.filter(code__in=list(codes))}
