"""What settlement adds to the admin's pages of orders, claims and sellers: the money.

Named by marketplace.story_pages, which passes the request and the page's row.
"""

from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace import tenancy
from marketplace.refusals import Refused
from marketplace.story_pages import Section
from orders import outcomes, story
from orders.models import Claim, Order, Outcome
from sellers.models import Seller
from settlements import contract_words, positions, rate_cards, reversals, shop_holds
from settlements.models import (
    Adjustment,
    LineTerms,
    RevenueLine,
    SellerContract,
    SettlementLine,
    Statement,
)

_STATEMENTS = 5  # the newest ones


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement line of an order, with the statement that it stands in."""

    number: int  # of the order line
    line: SettlementLine
    statement: Statement | None

    @property
    def address(self) -> str:
        key = f"{self.line.basis_on}.{self.line.pk}"
        return reverse("admin:settlements_settlementline_change", args=[key])


def of_order(request, order: Order) -> Section | None:
    """The settlement lines of an order, how many outcomes wait for one, and commissions of it."""
    if not request.user.has_perm("settlements.view_settlementline"):
        return None
    sold = list(
        Outcome.objects.filter(line__order=order).values_list(
            "line_id", "line__number", "basis_on"
        )[: story.MOST]
    )
    numbers = {line_id: number for line_id, number, _on in sold}
    lines = list(
        SettlementLine.objects.filter(
            order_line_id__in=list(numbers), basis_on__in={on for _id, _number, on in sold}
        ).order_by("basis_on", "order_line_id", "sequence")[: story.MOST]
    )
    statements = Statement.objects.in_bulk({line.statement_id for line in lines})
    rows = [
        Settled(numbers[line.order_line_id], line, statements.get(line.statement_id))
        for line in lines
    ]
    return Section(
        _("Settlement"),
        "settlements/admin/_order.html",
        {
            "rows": rows,
            "waiting": len(sold) - len(lines),
            "fee": sum(line.fee for line in lines),
            "vat": sum(line.vat for line in lines),
            "net": sum(line.net for line in lines),
            "brought": _brought(request, numbers),
        },
    )


def _brought(request, numbers: dict[int, int]) -> list[RevenueLine]:
    """What of an order, given by the numbers of its lines, commissions of others count."""
    if not request.user.has_perm("settlements.view_revenuereport"):
        return []
    counted = RevenueLine.objects.filter(order_line__in=list(numbers))
    rows = list(counted.select_related("report__seller").order_by("pk")[: story.MOST])
    for row in rows:
        row.number = numbers[row.order_line_id]
    return rows


def of_seller(request, seller: Seller) -> Section | None:
    """Where a seller's money stands, and the newest statements."""
    if not request.user.has_perm("settlements.view_statement"):
        return None
    on = timezone.localdate(timezone=tenancy.current().tz)
    newest = Statement.objects.filter(seller=seller).order_by("-due_on")[:_STATEMENTS]
    context: dict = {
        "statements": list(newest),
        "holds": shop_holds.in_force(seller),
        "may_hold": request.user.has_perm("settlements.change_hold"),
        "seller": seller,
    }
    try:
        context["position"] = positions.of_seller(seller, on=on)
    except Refused as refused:  # without a fee schedule in force nothing can be expected
        context["refusal"] = refused.text(_)
    return Section(_("Money"), "settlements/admin/_seller.html", context)


def contract_of_seller(request, seller: Seller) -> Section | None:
    """The contract in force, the one that follows it, and drafts of another."""
    if not request.user.has_perm("settlements.view_sellercontract"):
        return None
    on = timezone.localdate(timezone=tenancy.current().tz)
    current, coming = contract_words.of_seller(seller.pk, on=on)
    drafts = SellerContract.objects.filter(seller=seller, state=SellerContract.State.DRAFT)
    return Section(
        _("Contract"),
        "settlements/admin/_contract.html",
        {
            "seller": seller,
            "current": current,
            "coming": coming,
            "drafts": list(drafts.order_by("number")),
            "may_draft": request.user.has_perm("settlements.change_sellercontract"),
        },
    )


def adjustments_of_seller(request, seller: Seller) -> Section | None:
    """The newest adjustments of a seller, and where another one is asked for."""
    if not request.user.has_perm("settlements.view_adjustment"):
        return None
    newest = Adjustment.objects.filter(seller=seller).order_by("-pk")[:_STATEMENTS]
    return Section(
        _("Adjustments"),
        "settlements/admin/_adjustments.html",
        {
            "seller": seller,
            "newest": list(newest),
            "may_request": request.user.has_perm("settlements.change_adjustment"),
            "may_pay_in": request.user.has_perm("settlements.change_adprepayment"),
        },
    )


def of_claim(request, claim: Claim) -> Section | None:
    """What completing a claim would take from its seller, by the function that settles it."""
    if claim.state not in Claim.OPEN_STATES:
        return None
    if not request.user.has_perm("settlements.view_settlementline"):
        return None
    effect = None if claim.is_exchange else _effect(claim)
    shown = {"effect": effect, "deducted": claim.shipping_effect.deducted}
    shown["is_exchange"] = claim.is_exchange
    if effect:
        shown["refund"] = effect.buyer_paid - shown["deducted"]
    return Section(_("If it is completed"), "settlements/admin/_claim.html", shown)


def _effect(claim: Claim) -> reversals.Value | None:
    """None where the line was not settled yet: then nothing has to be reversed."""
    units = min(claim.quantity, claim.line.units_left)
    remains = outcomes.after_taking_back(claim.line_id, units)
    if remains is None:
        return None
    sale = Outcome.objects.get(line=claim.line_id, sequence=0)
    line = SettlementLine.objects.filter(
        order_line_id=claim.line_id, basis_on=sale.basis_on, sequence=0
    ).first()
    if line is None:
        return None
    key = LineTerms.objects.values_list("key", flat=True).get(pk=line.terms_id)
    return reversals.reversed_between(rate_cards.stored_terms(key), *remains)
