"""Orders and events as requests bring them: each item is read by itself, all are accepted at once.

An item that cannot be read is refused like any other, and changes nothing about the rest.
"""

from collections.abc import Callable, Sequence

from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError

from marketplace.api import problems
from marketplace.refusals import Refused
from orders import events, intake
from orders.events import NewEvent
from orders.intake import NewLine, NewOrder, NewPayment
from orders.pricing import CartDiscount
from orders.submissions import NewReferral
from orders.verdicts import REFUSED, Verdict

_CONFLICTS = (intake.OrderDiffers, events.EventDiffers)


def order(data: dict) -> NewOrder:
    """An order from a checked document."""
    return NewOrder(
        number=data["number"],
        source=data["source"],
        placed_at=data["placed_at"],
        buyer_reference=data["buyer_reference"],
        channel=data["channel"],
        lines=[_line(line) for line in data["lines"]],
        payments=[NewPayment(**payment) for payment in data["payments"]],
        cart_discounts=[CartDiscount(**discount) for discount in data["cart_discounts"]],
    )


def _line(data: dict) -> NewLine:
    said = data["referral"]
    return NewLine(**{**data, "referral": NewReferral(**said) if said else None})


def event(data: dict) -> NewEvent:
    """An event from a checked document."""
    return NewEvent(**data)


def accept_each(
    items: Sequence, document, made: Callable, accept: Callable[..., list[Verdict]], *, at
) -> list[dict]:
    """Accept a batch; what became of each item, in the order given. `document` reads one item."""
    given: list[dict | None] = [None] * len(items)
    read, places = [], []
    for n, item in enumerate(items):
        try:
            read.append(made(document.run_validation(item)))
        except ValidationError as error:
            given[n] = _unreadable(n, item, error)
        else:
            places.append(n)
    for n, verdict in zip(places, accept(read, at=at), strict=True):
        given[n] = told(verdict, n)
    return given


def told(verdict: Verdict, index: int = 0) -> dict:
    """A verdict as the API tells it."""
    refusal = verdict.refusal
    return {
        "index": index,
        "order_number": verdict.order,
        "id": verdict.public_id or None,
        "result": verdict.result,
        "code": verdict.code,
        "detail": verdict.text(gettext),
        "errors": problems.of_refusal(refusal, verdict.field) if refusal else [],
    }


def refuse(verdict: Verdict) -> None:
    """Raise a refused verdict about the only item of a request as a problem."""
    if not verdict.is_refused:
        return
    refusal: Refused = verdict.refusal
    is_conflict = isinstance(refusal, _CONFLICTS) or not verdict.field
    raise problems.Problem(
        409 if is_conflict else 422,
        refusal.code,
        refusal.text(gettext),
        errors=problems.of_refusal(refusal, verdict.field),
    )


def _unreadable(index: int, item, error: ValidationError) -> dict:
    number = item.get("number", item.get("order_number")) if isinstance(item, dict) else None
    return {
        "index": index,
        "order_number": number if isinstance(number, str) else "",
        "id": None,
        "result": REFUSED,
        "code": "invalid",
        "detail": gettext("The request is not usable."),
        "errors": problems.of_validation(error),
    }
