"""Advertising of the busiest shop in the marketplaces of the demo, paid in advance and charged."""

from datetime import datetime

from django.db import transaction

from marketplace import approvals, tenancy
from marketplace.models import Approval, User
from sellers.models import Seller
from settlements import adjusting, adjustments, prepaying
from settlements.models import AdPrepayment

_PAID_IN = 300_000
_CHARGES = (120_000, 80_000)  # before VAT: the second one leaves little


@transaction.atomic
def pay(slug: str, *, operator: User, second: User, at: datetime) -> None:
    """Pay in and charge twice, once: a marketplace with a prepayment is left."""
    with tenancy.use(code=slug) as market:
        shop = Seller.objects.active().order_by("code").first()
        if shop is None or AdPrepayment.objects.exists():
            return
        today = at.astimezone(market.tz).date()
        prepaying.record_deposit(
            shop,
            amount=_PAID_IN,
            evidence=f"신한 {today:%Y-%m-%d} 0017",
            on=today,
            by=operator,
            at=at,
        )
        for number, amount in enumerate(_CHARGES, 1):
            asked = adjusting.request(
                shop,
                amount=-amount,
                tax_kind=adjustments.TAXABLE,
                reason_code=adjustments.ADVERTISING,
                reason=f"{today:%m}월 검색 광고 {number}차",
                basis_on=today,
                by=operator,
                at=at,
            )
            approval = Approval.objects.waiting().about(asked).get()
            approvals.approve(approval, by=second, at=at)
