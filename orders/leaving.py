"""What of a seller's orders keeps its contract from ending."""

from collections.abc import Iterator
from typing import Final

from django.utils.translation import ngettext

from orders.models import Claim, OrderLine, Referral
from sellers.models import Seller

Status = OrderLine.Status
_OVER: Final = (Status.CONFIRMED, Status.CANCELLED, Status.RETURNED)


def open_work(seller: Seller) -> Iterator[str]:
    """Lines of its own or brought by it that are not over yet, and claims that nobody closed."""
    lines = OrderLine.objects.filter(seller=seller).exclude(status__in=_OVER).count()
    if lines:
        text = ngettext("%(count)s open order line", "%(count)s open order lines", lines)
        yield text % {"count": lines}
    brought = Referral.objects.filter(seller=seller).exclude(line__status__in=_OVER).count()
    if brought:
        text = ngettext(
            "%(count)s open order line brought by it",
            "%(count)s open order lines brought by it",
            brought,
        )
        yield text % {"count": brought}
    claims = Claim.objects.filter(seller=seller, state__in=Claim.OPEN_STATES).count()
    if claims:
        text = ngettext("%(count)s open claim", "%(count)s open claims", claims)
        yield text % {"count": claims}
