"""What one unit would be charged, beside the form in which a seller names its price.

It stands here and not with the listings because the figures are the settlement's own.
"""

from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from listings.forms import plain_price
from listings.models import Category
from marketplace import money
from marketplace.refusals import Refused
from orders import verdicts
from sellers.access import seller_page
from settlements import estimates, ledger
from settlements.estimates import Item


@seller_page
@require_GET
def preview(request, marketplace):
    """For a price as it is typed, or in minor units with ?minor=1, and a category's code."""
    context = {"estimate": None, "parts": [], "why": ""}
    category = Category.objects.filter(code=request.GET.get("category", "")[:300]).first()
    typed = request.GET.get("unit_price", "").strip()
    if category is None or not typed:
        context["why"] = gettext("Enter a price and choose a category to see the fee.")
    else:
        try:
            exponent = request.marketplace.currency_exponent
            price = money.parse(plain_price(typed), 0 if "minor" in request.GET else exponent)
            on = verdicts.business_date(timezone.now(), request.marketplace.tz)
            item = Item(unit_price=price, category_id=category.pk)
            estimate = estimates.of_item(request.seller, item, on=on)
            names = ledger.component_names()
            context["estimate"] = estimate
            context["parts"] = [
                (names.get(part.component, part.component), part) for part in estimate.components
            ]
        except Refused as refused:
            context["why"] = refused.text(gettext)
    context["category"] = category
    name = "_fee_preview" if request.htmx else "fee_preview"
    return render(request, f"settlements/{name}.html", context)
