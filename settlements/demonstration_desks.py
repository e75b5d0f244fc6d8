"""What waits for people in the marketplaces of the demo, beside what the simulation left open.

Applications, listings to review, cancellations and exchanges to answer, a claim in arbitration,
fees for the next year that wait for a second person, and a profile for order files: each comes in
through the process that people use. What is said stands in the file beside.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction

from listings import reviewing
from listings.models import Category
from marketplace import approvals, tenancy, versions
from marketplace.models import Marketplace, User
from orders import arbitrating, claims, exchanging, importing
from orders.models import Arbitration, Claim, OrderLine
from sellers import applying
from sellers.models import Seller
from settlements import rate_cards
from settlements.models import FeeRule, FeeScheduleVersion

IMPORT_PROFILE = "shop-orders"
_HOUR = timedelta(hours=1)
_SINCE_DELIVERY = timedelta(days=2)


@transaction.atomic
def lay_out(
    slug: str, *, operator: User, shopkeeper: User, applicants: list[User], at: datetime
) -> None:
    """Bring to the desks what waits there, once: a marketplace that has had applicants is left."""
    said = _said()[slug]
    with tenancy.use(code=slug) as market:
        if applying.latest_of(applicants[0]) is not None:
            return
        for number, (user, told) in enumerate(zip(applicants, said["applicants"], strict=True)):
            _apply(told, user, at - (29 - 24 * number) * _HOUR)
        shop = Seller.objects.filter(members__user=shopkeeper).get()
        for number, told in enumerate(said["listings"], 1):
            _hand_in(shop, told, operator, shopkeeper, at - 9 * number * _HOUR)
        _ask_to_cancel(shop, said["cancel_reasons"], at)
        _ask_to_exchange(shop, said.get("exchange_reasons", []), at)
        if dispute := said.get("dispute"):
            _dispute(shop, dispute, operator, shopkeeper, at)
        _draft_fees(market, said["fee"], operator, at - 20 * _HOUR)
        importing.own_profile(IMPORT_PROFILE)


def applicant_names(slug: str) -> list[str]:
    return [told["representative"] for told in _said()[slug]["applicants"]]


def _apply(told: Mapping[str, str], user: User, at: datetime) -> None:
    applying.apply(applying.Application(**told, contact_email=user.email), by=user, at=at)


def _hand_in(
    shop: Seller, told: Mapping[str, Any], operator: User, shopkeeper: User, at: datetime
) -> None:
    """A new listing, handed in; the operator has looked at some already."""
    revision = reviewing.create(
        shop,
        told["code"],
        title=told["title"],
        unit_price=told["unit_price"],
        category=Category.objects.get(code=told["category"]),
        description=told["description"],
        kind=told.get("kind", "goods"),
        by=shopkeeper,
        at=at,
    )
    try:
        revision = reviewing.hand_in(revision, by=shopkeeper, at=at)
    except reviewing.BlockedByPolicy:
        return  # this one waits for the shop
    if reason := told.get("sent_back_for"):
        reviewing.send_back(revision, by=operator, at=at + 4 * _HOUR, reason=reason)


def _ask_to_cancel(shop: Seller, reasons: list[str], at: datetime) -> None:
    """Buyers change their minds about what the shop has not sent yet."""
    waiting = OrderLine.objects.filter(
        seller=shop, status__in=(OrderLine.Status.PAID, OrderLine.Status.PREPARING)
    )
    goods = waiting.exclude(stream="shipping").order_by("-order__placed_at", "number")
    for number, (line, reason) in enumerate(zip(goods[: len(reasons)], reasons, strict=False)):
        claims.request(
            line,
            type=Claim.Type.CANCEL,
            quantity=line.units_left,
            fault=Claim.Fault.BUYER,
            reason=reason,
            by=None,
            at=at - (2 + 3 * number) * _HOUR,
        )


def _ask_to_exchange(shop: Seller, reasons: list[str], at: datetime) -> None:
    """Buyers want goods anew: the first waits for an answer, the others' goods are back."""
    arrived = OrderLine.objects.filter(
        seller=shop,
        stream="goods",
        status=OrderLine.Status.DELIVERED,
        delivered_on__lte=(at - _SINCE_DELIVERY).date(),
    )
    unclaimed = arrived.exclude(claims__isnull=False).order_by("-order__placed_at", "number")
    for number, (line, reason) in enumerate(zip(unclaimed[: len(reasons)], reasons, strict=False)):
        asked_at = at - (5 + 20 * number) * _HOUR
        claim = claims.request(
            line,
            type=Claim.Type.EXCHANGE,
            quantity=1,
            fault=Claim.Fault.SELLER,
            reason=reason,
            by=None,
            at=asked_at,
        )
        if number:
            claim = claims.approve(claim, by=None, at=asked_at + 2 * _HOUR)
            exchanging.collect(claim, by=None, at=at - 3 * _HOUR)


def _dispute(
    shop: Seller, told: Mapping[str, str], operator: User, shopkeeper: User, at: datetime
) -> None:
    """The seller does not agree about goods that came back; both sides have said why."""
    back = Claim.objects.filter(seller=shop, state=Claim.State.COLLECTED)
    if (claim := back.order_by("pk").last()) is None:
        return
    seller, buyer = Arbitration.Side.SELLER, Arbitration.Side.BUYER
    begun_at = at - 2 * _HOUR
    arbitrating.begin(claim, side=seller, reason=told["reason"], by=shopkeeper, at=begun_at)
    for side, by in ((seller, shopkeeper), (buyer, operator)):
        arbitrating.say(claim, side=side, text=told[side], by=by, at=begun_at + _HOUR)


def _draft_fees(market: Marketplace, told: Mapping[str, Any], operator: User, at: datetime) -> None:
    """Next year's fees: drafted from those in force, changed, and asked for."""
    today = at.astimezone(market.tz).date()
    live = FeeScheduleVersion.objects.get(pk=rate_cards.schedules().on(today).version_id)
    draft = versions.revise(live, valid_from=date(today.year + 1, 1, 1), by=operator, at=at)
    rules = FeeRule.objects.filter(version=draft, component=told["component"])
    code = told["category"]
    rule = (rules.filter(category__code=code) if code else rules).order_by("rank").first()
    rule.rate_ppm = told["rate_ppm"]
    rule.save(update_fields=["rate_ppm"])
    reason = told["reason"].format(year=today.year + 1)
    approvals.ask("publish_fee_schedule", draft, by=operator, at=at + _HOUR, reason=reason)


@cache
def _said() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "demonstration_desks.json").read_text("utf-8"))
