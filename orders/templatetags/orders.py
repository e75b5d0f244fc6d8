"""How lines and claims are shown: {% order_state line %}, {% claim_state claim %}, carriers."""

from django import template
from django.utils.translation import gettext

from marketplace.refusals import Refused
from orders import carriers, sender_words
from orders.models import Claim, OrderLine

register = template.Library()

_LINE_TONES = {
    OrderLine.Status.PAID: "blue",
    OrderLine.Status.PREPARING: "blue",
    OrderLine.Status.SHIPPED: "yellow",
    OrderLine.Status.DELIVERED: "green",
    OrderLine.Status.CONFIRMED: "green",
    OrderLine.Status.CANCELLED: "red",
    OrderLine.Status.RETURNED: "red",
}
_CLAIM_TONES = {
    Claim.State.REQUESTED: "yellow",
    Claim.State.APPROVED: "blue",
    Claim.State.COLLECTED: "blue",
    Claim.State.REDELIVERING: "blue",
    Claim.State.ARBITRATION: "orange",
    Claim.State.REJECTED: "red",
    Claim.State.COMPLETED: "green",
}


@register.inclusion_tag("components/_state.html")
def order_state(line: OrderLine):
    return {"text": line.get_status_display(), "tone": _LINE_TONES.get(line.status)}


@register.inclusion_tag("components/_state.html")
def claim_state(claim: Claim):
    return {"text": claim.get_state_display(), "tone": _CLAIM_TONES.get(claim.state)}


@register.filter
def carrier_name(code: str) -> str:
    return gettext(carriers.find(code).name)


@register.filter
def line_name(line: OrderLine) -> str:
    """What the seller knows a line by."""
    return line.title or line.sku or f"#{line.number}"


@register.filter
def claim_reason(text: str) -> str:
    return sender_words.reason(text)


@register.filter
def sender_name(code: str) -> str:
    return sender_words.source(code)


@register.filter
def refusal_text(refused: Refused) -> str:
    return refused.text(gettext)
