"""The seller's simulator: what would I keep, and which price leaves me what I want."""

from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from listings import kind_words
from marketplace.refusals import Refused
from orders import pricing, verdicts
from sellers.access import seller_page
from settlements import contract_words, contracts, ledger, simulator
from settlements.estimates import Item
from settlements.forms import SimulatorForm
from settlements.line_story import Story

SHOWN = 30  # categories


@seller_page
def show(request, marketplace):
    today = verdicts.business_date(timezone.now(), request.marketplace.tz)
    fee = contracts.of_seller(request.seller.pk).monthly_fee(request.seller.pk, today)
    context = {
        "comparison": None,
        "refusal": "",
        "form": None,
        "monthly_fee": contract_words.monthly_fee(fee) if fee else "",
    }
    try:
        choices = simulator.choices(request.seller, on=today)
    except Refused as refused:
        context["refusal"] = refused.text(gettext)
        return render(request, "settlements/simulator.html", context)
    is_asked = "unit_price" in request.GET or "wanted" in request.GET
    form = context["form"] = SimulatorForm(
        request.GET if is_asked else None,
        marketplace=request.marketplace,
        channels=choices.channels,
        grades=choices.grades,
        asks_for_tax=choices.takes_sale_vat,
    )
    if is_asked and form.is_valid():
        try:
            context |= _answer(request, form.cleaned_data, today)
        except Refused as refused:
            context["refusal"] = refused.text(gettext)
    return render(request, "settlements/simulator.html", context)


def _answer(request, given, today) -> dict:
    item = Item(
        unit_price=given["unit_price"],
        quantity=given["quantity"],
        category_id=given["category"],
        channel=given.get("channel", ""),
        tax_kind=given.get("tax_kind") or pricing.TAXABLE,
        seller_discount=given["seller_discount"],
        platform_discount=given["other_discount"],
    )
    grade = given["grade"]
    if given["wanted"]:
        found = simulator.price_for(request.seller, item, given["wanted"], on=today, grade=grade)
        item = found.item
    comparison = simulator.compare(request.seller, item, on=today, grade=grade)
    own = comparison.own
    story = Story(request.marketplace, ledger.component_names())
    return {
        "comparison": comparison,
        "wanted": given["wanted"],
        "estimate": own,
        "parts": [
            (story.name(part.component), part, story.workings(part), story.vat_workings(part))
            for part in own.components
        ],
        "grades": [
            (grade.name, grade.code == own.grade, each, each.net - own.net)
            for grade, each in comparison.grades
        ],
        "channels": [
            (
                kind_words.name(channel) if channel else gettext("Usual sale"),
                channel == item.channel,
                each,
                each.net - own.net,
            )
            for channel, each in comparison.channels
        ],
        "categories": [
            (category, each, each.net - own.net) for category, each in comparison.categories[:SHOWN]
        ],
    }
