"""The seller's page of webhooks: where events are sent, and what became of the latest."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from marketplace import forms as refusals
from marketplace.refusals import Refused
from marketplace.webhooks import deliveries, endpoints
from sellers import forms
from sellers.access import seller_page

SHOWN = 20


@seller_page(owner_only=True)
@require_http_methods(["GET", "POST"])
def webhooks(request, marketplace):
    """Addresses and the latest messages; a POST adds an address and shows its secret once."""
    form = forms.WebhookForm(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        try:
            made = endpoints.create(
                **form.cleaned_data,
                seller_id=request.seller.pk,
                by=request.user,
                at=timezone.now(),
            )
        except Refused as refused:
            form.add_error(None, refused.text(gettext))
        else:
            secret, form = made.secret, forms.WebhookForm()
            messages.success(request, gettext("The address was added."))
    own = list(endpoints.of(request.seller.pk))
    context = {
        "form": form,
        "secret": secret,
        "endpoints": own,
        "deliveries": deliveries.latest(own, SHOWN),
    }
    response = render(request, "sellers/webhooks.html", context, status=refusals.status(form))
    response["Cache-Control"] = "no-store"
    return response


@seller_page(owner_only=True)
@require_POST
def act_on_webhook(request, marketplace, public_id, deed):
    """Test, enable, disable or delete an address."""
    endpoint = get_object_or_404(endpoints.of(request.seller.pk), public_id=public_id)
    process, done = {
        "test": (deliveries.send_test, gettext("A test message will arrive in a moment.")),
        "enable": (endpoints.enable, gettext("The endpoint was enabled.")),
        "disable": (endpoints.disable, gettext("The endpoint was disabled.")),
        "delete": (endpoints.delete, gettext("The endpoint was deleted.")),
    }[deed]
    process(endpoint, by=request.user, at=timezone.now())
    messages.success(request, done)
    return redirect("shop_webhooks", marketplace)


@seller_page(owner_only=True)
@require_POST
def replay_webhook(request, marketplace, public_id, message_id):
    """Send a message once more."""
    endpoint = get_object_or_404(endpoints.of(request.seller.pk), public_id=public_id)
    delivery = get_object_or_404(endpoint.deliveries, message_id=message_id)
    deliveries.replay(delivery, by=request.user, at=timezone.now())
    messages.success(request, gettext("The message will be sent again."))
    return redirect("shop_webhooks", marketplace)
