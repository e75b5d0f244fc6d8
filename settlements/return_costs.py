"""What the marketplace paid carriers for returns is charged to the sellers it was paid for.

The carrier's charge is passed on as it is: money laid out for the seller is no price of a supply
of ours, so it is outside the scope of VAT. A night charges what claims were completed up to it.
"""

from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import translation
from django.utils.translation import gettext

from marketplace import changes, tenancy
from orders.models import Claim
from settlements import adjusting, adjustments
from settlements.models import Adjustment

_AT_ONCE = 2_000
# What was completed on a day is charged in its night; later ones look for what came in late.
_LATE = timedelta(days=60)
_REASON = Adjustment.Reason.SHIPPING


def charge(on: date, *, at: datetime) -> int:
    """Make an adjustment of each claim whose carrier we paid; returns how many are new.

    Repeating it finds none. The caller holds the transaction.
    """
    claims = _uncharged(on)
    with translation.override(tenancy.current().locale):
        text = gettext("Order %(order)s, line %(line)s: carrier paid for the return")
    made = [
        Adjustment(
            seller_id=claim.seller_id,
            claim=claim,
            state=Adjustment.State.APPROVED,
            amount=-claim.shipping_effect.back_to_us,
            tax_kind=adjustments.OUTSIDE_SCOPE,
            reason_code=_REASON,
            reason=text % {"order": claim.line.order.number, "line": claim.line.number},
            document=claim.public_id,
            basis_on=on,
            requested_at=at,
        )
        for claim in claims
        if claim.shipping_effect.back_to_us
    ]
    if made:
        adjusting.name_account(_REASON)
        Adjustment.objects.bulk_create(made, batch_size=_AT_ONCE)
        told = [(row.public_id, row.seller_id, {}) for row in made]
        changes.announce_many("adjustment.approved", told, at=at)
    return len(made)


def _uncharged(on: date):
    charged = Adjustment.objects.filter(claim=OuterRef("pk"), reason_code=_REASON)
    claims = Claim.objects.filter(
        ~Exists(charged),
        is_shipping_advanced=True,
        state=Claim.State.COMPLETED,
        completed_on__gt=on - _LATE,
        completed_on__lte=on,
    )
    return claims.select_related("line__order").order_by("seller_id", "pk")
