"""The edge at which a payout provider tells that a payout has changed."""

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from marketplace import tenancy
from marketplace.models import Marketplace
from settlements import payout_events


@csrf_exempt
@require_POST
def event(request, marketplace):
    """200 for what was taken; for everything else the answer of an address that is not there."""
    market = get_object_or_404(Marketplace.objects.open(), slug=marketplace)
    # A key is not needed; one that came along must not be of another marketplace.
    if tenancy.current_id_or_none() not in (None, market.pk):
        raise Http404
    length = request.headers.get("Content-Length", "")
    if not length.isdigit() or int(length) > payout_events.MOST_BYTES:
        raise Http404
    with tenancy.use(market.pk):
        is_taken = payout_events.take(
            request.body,
            sent_at=request.headers.get("tosspayments-webhook-transmission-time", ""),
            signature=request.headers.get("tosspayments-webhook-signature", ""),
            at=timezone.now(),
        )
    if not is_taken:
        raise Http404
    return HttpResponse(status=200)
