"""Amounts and rates as people read them: {% money amount %},
{% money_text amount %} and {{ rate_ppm|percent }}.

The currency is that of the marketplace whose page it is.
"""

from django import template
from django.utils.html import format_html
from django.utils.translation import get_language

from marketplace import money as amounts

register = template.Library()

_PPM_OF_ONE_PERCENT = 10_000


@register.simple_tag(takes_context=True, name="money")
def money_tag(context, amount):
    """The amount in a span that never breaks; a dash where there is none yet."""
    return format_html('<span class="money">{}</span>', money_text(context, amount))


@register.simple_tag(takes_context=True)
def money_text(context, amount) -> str:
    """The amount alone, for where no element may stand, as in the title of a drawing."""
    if amount is None or amount == "":
        return "–"
    marketplace = context["request"].marketplace
    return amounts.format_amount(
        amount,
        currency=marketplace.currency,
        exponent=marketplace.currency_exponent,
        locale=get_language() or marketplace.locale,
    )


@register.filter
def percent(rate_ppm: int | None) -> str:
    """Parts per million as a percentage, exactly: 132000 is 13.2%."""
    if rate_ppm is None:
        return "–"
    whole, rest = divmod(abs(rate_ppm), _PPM_OF_ONE_PERCENT)
    decimals = f"{rest:04}".rstrip("0")
    sign = "-" if rate_ppm < 0 else ""
    return f"{sign}{whole:,}{'.' if decimals else ''}{decimals}%"
