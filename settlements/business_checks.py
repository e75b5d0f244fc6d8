"""Sellers' businesses, asked about before their money goes: who closed is held, and let go again.

The tax office is asked right before a payout is sent, about up to a hundred sellers of its batch at
once, and every hour about whoever has money coming. An answer is good for the days that the payout
policy says. A business that is suspended, closed or not registered gets a payment hold, which ends
by itself once the tax office says that it operates. Where people end that hold, the business is
paid as it is, until the tax office says something new.
"""

from collections.abc import Collection
from datetime import date, datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext

from marketplace import tenancy
from marketplace.models import Marketplace
from sellers import business_rules, business_status
from sellers.gateways.interface import MOST_NUMBERS, BusinessService, NoAnswer
from sellers.gateways.sandbox import Sandbox
from sellers.gateways.tax_office import TaxOffice
from sellers.models import BusinessStatus, Seller
from settlements import holding, payout_candidates
from settlements.holding import Terms
from settlements.models import Hold, Payout, PayoutBatch, PayoutPolicy, Statement

Service = PayoutPolicy.BusinessService
COMING = (Statement.State.OPEN, Statement.State.PAYABLE, Statement.State.IN_PAYOUT)


def service_of(policy: PayoutPolicy) -> BusinessService | None:
    """The service that a payout policy of the marketplace in use asks; None where it asks nobody.

    In a live marketplace the sandbox is asked nothing.
    """
    if policy.business_service == Service.SANDBOX:
        return None if knows_nobody(policy, tenancy.current()) else Sandbox()
    if policy.business_service == Service.TAX_OFFICE:
        return TaxOffice(settings.TAX_OFFICE_URL, settings.TAX_OFFICE_KEY)
    return None


def knows_nobody(policy: PayoutPolicy, marketplace: Marketplace) -> bool:
    """Whether businesses would be said to be checked, and were not."""
    is_sandbox = policy.business_service == Service.SANDBOX
    return is_sandbox and marketplace.state == Marketplace.State.LIVE


def before_sending(marketplace_id: int, payout_id: int, *, now) -> None:
    """Ask about the seller of a payout, where no answer is good any more, and others of its batch.

    Must not be called within a transaction; `now` tells the time.
    """
    with tenancy.use(marketplace_id):
        payout = Payout.objects.select_related("batch__policy").get(pk=payout_id)
        policy, at = payout.batch.policy, now()
        own = [payout.seller_id]
        is_due = (
            payout.state == Payout.State.PREPARED
            and payout.batch.state == PayoutBatch.State.EXECUTING
        )
        if not is_due or not _to_ask(own, policy, at):
            return
        waiting = Payout.objects.filter(batch=payout.batch_id, state=Payout.State.PREPARED)
        later = waiting.filter(pk__gt=payout_id).order_by("pk").values_list("seller_id", flat=True)
        found = _to_ask([*own, *later[: MOST_NUMBERS * 2]], policy, at)
        asked = dict(sorted(found.items(), key=lambda each: each[0] not in own)[:MOST_NUMBERS])
        service = service_of(policy)
    _ask(marketplace_id, service, asked, now)


def ask_about(marketplace_id: int, seller_id: int, *, now) -> None:
    """Ask about one seller's business now, where the policy asks at all.

    Must not be called within a transaction.
    """
    with tenancy.use(marketplace_id):
        service = _service_on(_today(now()))
        asked = business_status.numbers([seller_id])
    if service is not None and asked:
        _ask(marketplace_id, service, asked, now)


def must_wait(payout: Payout, *, at: datetime) -> bool:
    """Whether a payout waits for an answer about its seller's business; its policy is loaded."""
    policy = payout.batch.policy
    if service_of(policy) is None or policy.pays_unanswered:
        return False
    return bool(business_status.unknown([payout.seller_id], at=at, days=policy.business_days))


def recheck(marketplace_id: int, *, now) -> int:
    """Ask about every seller with money coming whose answer is too old; how many were asked about.

    Stops at the first call that is not answered. Must not be called within a transaction.
    """
    with tenancy.use(marketplace_id):
        at = now()
        policy = payout_candidates.policy_on(_today(at))
        if policy is None:
            return 0
        asked = sorted(_to_ask(_with_money_coming(), policy, at, least_days=1).items())
        service = service_of(policy)
    for first in range(0, len(asked), MOST_NUMBERS):
        if not _ask(marketplace_id, service, dict(asked[first : first + MOST_NUMBERS]), now):
            return first
    return len(asked)


def unchecked(on: date, *, at: datetime) -> QuerySet:
    """Sellers whose money waits for a word on their business, or who were not asked about in time.

    Those of payouts that are being sent, and those with money due by `on` whose last answer is more
    than a day too old.
    """
    policy = payout_candidates.policy_on(on)
    if policy is None or service_of(policy) is None:
        return Seller.objects.none()
    payable = Statement.objects.payable_on(on).values_list("seller_id", flat=True)
    late = business_status.unknown(set(payable), at=at, days=max(policy.business_days, 1) + 1)
    under_way = Payout.objects.filter(
        state=Payout.State.PREPARED, batch__state=PayoutBatch.State.EXECUTING
    ).values_list("seller_id", flat=True)
    waiting = business_status.unknown(set(under_way), at=at, days=policy.business_days)
    return Seller.objects.filter(pk__in={*late, *waiting})


def are_asked_about(on: date) -> bool:
    """Whether the payout policy of a day has businesses asked about."""
    return _service_on(on) is not None


def _service_on(on: date) -> BusinessService | None:
    policy = payout_candidates.policy_on(on)
    return None if policy is None else service_of(policy)


def _to_ask(
    sellers: Collection[int], policy: PayoutPolicy, at: datetime, *, least_days: int = 0
) -> dict[int, str]:
    if service_of(policy) is None:
        return {}
    days = max(policy.business_days, least_days)
    return business_status.to_ask(set(sellers), at=at, days=days)


def _ask(marketplace_id: int, service: BusinessService, asked: dict[int, str], now) -> bool:
    """Ask about sellers and write down what was said; False where there was no answer."""
    try:
        said = service.ask(list(asked.values()))
    except NoAnswer:
        said = None
    with tenancy.use(marketplace_id, durable=True):
        at = now()
        sellers = _locked(asked)  # several workers may have asked about the same
        business_status.record(asked, said or {}, at=at)
        _hold_and_release(sellers, at)
    return said is not None


def _locked(sellers: Collection[int]) -> list[Seller]:
    rows = Seller.objects.select_for_update(no_key=True).filter(pk__in=sellers)
    return list(rows.order_by("pk"))


def _with_money_coming() -> set[int]:
    rows = Statement.objects.filter(state__in=COMING, seller__business_number__gt="")
    return set(rows.values_list("seller_id", flat=True).distinct())


def _hold_and_release(sellers: Collection[Seller], at: datetime) -> None:
    """Hold the money of those who closed, and let go what was held of those who operate.

    Nothing becomes of those about whom nothing is known.
    """
    known = business_status.of([seller.pk for seller in sellers])
    holds = _holds(known)
    for seller in sellers:
        row = known[seller.pk]
        if not row.status:
            continue
        placed = [hold for hold in holds.get(seller.pk, ()) if hold.state == Hold.State.PLACED]
        if not business_rules.keeps_money(row.status):
            for hold in placed:
                holding.release(hold, reason=_said(row), by=None, at=at)
        elif not placed and not _paid_all_the_same(holds.get(seller.pk, ()), row):
            holding.hold_payment(seller, _terms(row), by=None, at=at)


def _holds(sellers: Collection[int]) -> dict[int, list[Hold]]:
    """The holds that were placed here, in force or not, by seller id."""
    found: dict[int, list[Hold]] = {}
    rows = Hold.objects.filter(
        seller__in=sellers,
        kind=Hold.Kind.PAYMENT,
        reason=Hold.Reason.BUSINESS_CLOSED,
        statement=None,
        placed_by=None,
    )
    for hold in rows.order_by("pk"):
        found.setdefault(hold.seller_id, []).append(hold)
    return found


def _paid_all_the_same(holds: Collection[Hold], row: BusinessStatus) -> bool:
    """Whether people ended a hold since the tax office has said what it says now."""
    return any(hold.released_by_id and hold.placed_at >= row.since for hold in holds)


def _terms(row: BusinessStatus) -> Terms:
    with translation.override(tenancy.current().locale):
        return Terms(
            reason=Hold.Reason.BUSINESS_CLOSED,
            note=_said(row),
            condition=gettext("Once the tax office says that the business operates"),
        )


def _said(row: BusinessStatus) -> str:
    with translation.override(tenancy.current().locale):
        words = {"number": row.number, "status": row.get_status_display()}
        if row.closed_on is None:
            return gettext("The tax office says of %(number)s: %(status)s") % words
        words["day"] = row.closed_on.isoformat()
        return gettext("The tax office says of %(number)s: %(status)s since %(day)s") % words


def _today(at: datetime) -> date:
    return at.astimezone(tenancy.current().tz).date()
