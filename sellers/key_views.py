"""A shop's API keys: its owner makes, replaces and revokes them. A secret is shown once."""

from functools import partial

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from marketplace import api_keys
from marketplace import forms as refusals
from marketplace.key_forms import RotationForm, SellerKeyForm
from marketplace.models import ApiKey
from marketplace.refusals import Refused
from sellers.access import seller_page


@never_cache
@require_http_methods(["GET", "POST"])
@seller_page(owner_only=True)
def keys(request, marketplace):
    """The keys that work, and a form for another one."""
    form = SellerKeyForm(request.POST or None)
    process = partial(api_keys.create, request.marketplace, seller=request.seller.public_id)
    return _page(request, form, _made(request, form, process))


@never_cache
@require_POST
@seller_page(owner_only=True)
def rotate(request, marketplace, code):
    key, form = _key(request, code), RotationForm(request.POST, auto_id=f"id_{code}_%s")
    made = _made(request, form, partial(api_keys.rotate, key))
    for refusal in form.non_field_errors():  # a key that was replaced already has no form any more
        messages.error(request, refusal)
    return _page(request, SellerKeyForm(), made, rotated=(key.pk, form))


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


def _page(request, form, made, rotated=(None, None)):
    """`rotated`: the id of the key that was to be replaced, and the form that was sent for it."""
    pk, sent = rotated
    keys = list(_own(request).usable(timezone.now()).order_by("-pk")[:50])
    for key in keys:  # each key has a form of its own
        is_wrong = sent is not None and sent.errors and key.pk == pk
        key.may = [gettext(SellerKeyForm.named[scope]) for scope in key.scopes]
        key.rotation = sent if is_wrong else RotationForm(auto_id=f"id_{key.code}_%s")
    context = {
        "keys": keys,
        "form": form,
        "made": made,
    }
    status = max(refusals.status(form), refusals.status(sent))
    return render(request, "sellers/api_keys.html", context, status=status)
