"""Seller pages about the owner's resident registration number: why it is asked for, and its entry.

Once entered, the pages tell no more of it than the date of birth.
"""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from marketplace import forms as refusals
from marketplace.fresh_log_in import fresh_log_in
from marketplace.refusals import Refused
from sellers.access import seller_page
from settlements import resident_numbers
from settlements.forms import ResidentNumberForm


@never_cache
@seller_page(owner_only=True)
def show(request, marketplace):
    """Whether a number is asked for and kept, by which law, and for how long."""
    row = resident_numbers.of(request.seller)
    context = {
        "row": row,
        "masked": resident_numbers.masked(row) if row else "",
        **_why(request),
    }
    return render(request, "settlements/resident_number.html", context)


@sensitive_post_parameters("number")
@never_cache
@seller_page(owner_only=True)
@fresh_log_in
@require_http_methods(["GET", "POST"])
def enter(request, marketplace):
    why = _why(request)
    if why["purpose"] is None:
        return redirect("shop_resident_number", marketplace)
    form = ResidentNumberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = resident_numbers.enter(
                request.seller, form.cleaned_data["number"], by=request.user, at=timezone.now()
            )
        except Refused as refused:
            form.add_error("number", refused.text(gettext))
        else:
            messages.success(request, gettext("The number is kept, encrypted."))
            if row.has_odd_check_digit:
                messages.warning(
                    request,
                    gettext(
                        "Its last digit is not the one that numbers given before October 2020 "
                        "have. If yours is older, please compare it with your card and enter it "
                        "again if it was mistyped."
                    ),
                )
            return redirect("shop_resident_number", marketplace)
    context = {"form": form, **why}
    return render(
        request, "settlements/enter_resident_number.html", context, status=refusals.status(form)
    )


def _why(request) -> dict:
    """What the number is asked for now, by which law, and how long it is kept then."""
    on = timezone.localdate(timezone=request.marketplace.tz)
    purpose = resident_numbers.purpose_of(request.seller, on=on)
    return {
        "purpose": purpose,
        "law": resident_numbers.LAWS[purpose] if purpose else None,
        "years": request.marketplace.resident_number_years,
    }
