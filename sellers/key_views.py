"""A shop's API keys: its owner makes, replaces and revokes them. A secret is shown once."""

from functools import partial

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from marketplace import api_keys
from marketplace.key_forms import KeyForm, RotationForm
from marketplace.models import ApiKey
from marketplace.refusals import Refused
from sellers.access import seller_page


@never_cache
@require_http_methods(["GET", "POST"])
@seller_page(owner_only=True)
def keys(request, marketplace):
    """The keys that work, and a form for another one."""
    form = KeyForm(request.POST or None)
    process = partial(api_keys.create, request.marketplace, seller=request.seller.public_id)
    return _page(request, form, _made(request, form, process))


@never_cache
@require_POST
@seller_page(owner_only=True)
def rotate(request, marketplace, code):
    form = RotationForm(request.POST)
    made = _made(request, form, partial(api_keys.rotate, _key(request, code)))
    for refusal in form.non_field_errors():  # the form stands once for each key
        messages.error(request, refusal)
    return _page(request, KeyForm(), made)


@require_POST
@seller_page(owner_only=True)
def revoke(request, marketplace, code):
    api_keys.revoke(_key(request, code), by=request.user, at=timezone.now())
    return redirect("shop_api_keys", marketplace)


def _key(request, code: str) -> ApiKey:
    return get_object_or_404(_own(request), code=code)


def _own(request):
    return ApiKey.objects.of(request.marketplace, request.seller.public_id)


def _made(request, form, process):
    """The key that a form asks for; None where it has to be mended."""
    if request.method != "POST" or not form.is_valid():
        return None
    at = timezone.now()
    try:
        return process(**form.words(at), by=request.user, at=at)
    except Refused as refused:
        form.add_error(None, refused.text(gettext))
        return None


def _page(request, form, made):
    context = {
        "keys": _own(request).usable(timezone.now()).order_by("-pk")[:50],
        "form": form,
        "rotation": RotationForm(),
        "made": made,
    }
    return render(request, "sellers/api_keys.html", context)
